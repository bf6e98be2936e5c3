"""Score a submission folder of XTREME or XTREME-R: official numbers with intervals, or two folders against each other.

Folders hold ``TASK/test-LANG.tsv`` (``.json`` for questions, ``.jsonl`` for XCOPA), as the official script expects.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from adapterxfer.cli.console import say, say_json, say_table
from adapterxfer.cli.options import add_json, positive

if TYPE_CHECKING:
    from adapterxfer.report.submission_scores import IntervalScore, SubmissionScores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--benchmark", required=True, choices=["xtreme", "xtreme-r"], help="which tasks and languages")
    parser.add_argument("--labels", required=True, type=Path, metavar="DIR", help="folder with the gold labels")
    parser.add_argument("--predictions", required=True, type=Path, metavar="DIR", help="folder of the submission")
    parser.add_argument("--against", type=Path, metavar="DIR", help="another submission to compare it with")
    parser.add_argument("--task", action="append", default=[], metavar="TASK", help="only this task")
    parser.add_argument(
        "--subset", default="", metavar="LANG,LANG",
        help="score only these languages; there is no average of the benchmark then",
    )  # fmt: skip
    parser.add_argument(
        "--data-root", type=Path, metavar="DIR",
        help="folder with the official test files: items with equal texts are then resampled together",
    )  # fmt: skip
    parser.add_argument("--resamples", type=positive, default=10_000, help="bootstrap resamples (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="of the resampling (default: 0)")
    parser.add_argument("--languages", action="store_true", help="one row per language as well")
    parser.add_argument(
        "--allow-missing", action="store_true", help="count ids without prediction as wrong instead of refusing"
    )
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the scores."""
    from adapterxfer.report.submission import score_submission

    scores = score_submission(
        arguments.benchmark,
        arguments.labels,
        arguments.predictions,
        against=arguments.against,
        resamples=max(arguments.resamples, 2),
        seed=arguments.seed,
        tasks=arguments.task,
        subset=[code for code in arguments.subset.replace(" ", "").split(",") if code],
        allow_missing=arguments.allow_missing,
        data_root=arguments.data_root,
    )
    if arguments.json:
        say_json("score", asdict(scores))
    else:
        _show(scores, languages=arguments.languages)
    return 0


def _show(scores: SubmissionScores, *, languages: bool) -> None:
    from adapterxfer.report.submission import FEW_CLUSTERS

    header = ["task", "language", "score", "points", f"{scores.level:.0%} interval", "clusters", "protocol"]
    if scores.difference:
        header += ["p", "p (Holm)"]
    rows = []
    for name, task in scores.tasks.items():
        mean = f"mean of {len(task.languages)}" if task.absent else "mean"
        rows.append([name, mean, "average", *_cells(task.average), "", task.protocol, *_tests(scores, task.average)])
        if len(task.averages) > 1:
            rows += [
                ["", mean, score, *_cells(value), "", "", *_tests(scores, value)]
                for score, value in task.averages.items()
            ]
        if not languages:
            continue
        for code, counted in task.languages.items():
            clusters = f"{counted.clusters}{' few' if counted.clusters < FEW_CLUSTERS else ''}"
            rows += [
                ["", code, score, *_cells(value), clusters, "", *_tests(scores, value)]
                for score, value in counted.scores.items()
            ]
            rows += [["", code, score, f"{value:.2f}", "", "", ""] for score, value in counted.others.items()]
    rows += [
        [f"group {name}", "", "average", *_cells(score), "", "", *_tests(scores, score)]
        for name, score in scores.groups.items()
    ]
    if scores.overall is not None:
        rows.append(["all tasks", "", "average", *_cells(scores.overall), "", "", *_tests(scores, scores.overall)])
    say_table(header, rows, right=(3, 5))
    for name, task in scores.tasks.items():
        for note in task.notes:
            say(f"caution: {note}")
        if task.absent:
            official = len(task.languages) + len(task.absent)
            say(
                f"subset: {name} in {len(task.languages)} of {official} languages; its mean is not the benchmark's, "
                "and neither its group nor the benchmark has an average"
            )
    if scores.absent:
        say(f"not scored: {', '.join(scores.absent)}; without them there is no overall score")
    say(
        f"intervals over test items: {scores.resamples:,} resamples of clusters (premises, contexts, sentences); the "
        "model is held fixed"
    )


def _cells(score: IntervalScore) -> list[str]:
    return [f"{score.value:.2f}", f"{score.low:.2f} to {score.high:.2f}"]


def _tests(scores: SubmissionScores, score: IntervalScore) -> list[str]:
    if not scores.difference:
        return []
    return ["-" if value is None else f"{value:.4f}" for value in (score.p, score.p_holm)]
