"""Results of other tools as results of this one, and results of this one in the formats of others.

Per-item scores (lm-evaluation-harness, tables) become `Results`, which the report judges. Formats that keep only
averages (mteb, EuroEval) are judged over what they did vary: languages, tasks, or the tool's own repetitions.
"""
