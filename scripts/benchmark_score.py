"""Time scoring a full XTREME-R sized submission with intervals, against seqeval and the plain SQuAD script without.

    python scripts/benchmark_score.py [--resamples 10000] [--share 1.0] [--json]

A random submission is written in the official layout: 38 languages of part-of-speech tags and 48 of named entities with
the sizes of the test sets, 15 x 5,010 inferences, 12 x 1,190 questions. Both sides read the same files.
"""

from __future__ import annotations

import argparse
import json
import re
import string
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from adapterxfer.catalog.labels import NER, NLI, UPOS
from adapterxfer.metrics.benchmarks import BENCHMARKS
from adapterxfer.report.submission import score_submission

TASKS = ("udpos", "panx", "xnli", "xquad")

# Sentences of the test sets of UD 2.5 and 2.7 are counted in the data; Greek, French, Russian, Chinese and German
# without the treebanks of other languages that one copy contains.
_POS = dict.fromkeys(BENCHMARKS["xtreme-r"]["udpos"].languages, 1500) | {
    "de": 22000, "ru": 9000, "fr": 8000, "en": 5440, "ja": 2372, "it": 3518, "es": 3147, "et": 3760, "fi": 4422,
    "ko": 4276, "tr": 4785, "zh": 3000, "mr": 47, "tl": 55, "yo": 100, "ta": 120, "te": 146,
}  # fmt: skip
_SMALL = ("jv", "yo", "my", "qu", "pa", "gu")
_THOUSAND = ("ms", "tl", "ml", "ta", "te", "af", "bn", "hi", "mr", "ur", "sw", "kk", "az")


def write_submission(folder: Path, rng: np.random.Generator, share: float) -> dict[str, int]:
    """Labels and predictions that are right about 80 % of the time; returns how many units each task has."""
    sizes: dict[str, int] = {}
    table = BENCHMARKS["xtreme-r"]
    ner = [10000 if c not in (*_SMALL, *_THOUSAND) else 100 if c in _SMALL else 1000 for c in table["panx"].languages]
    for task, tags, counts, words in (
        ("udpos", UPOS, [_POS[code] for code in table["udpos"].languages], 18),
        ("panx", NER, ner, 8),
    ):
        for code, count in zip(table[task].languages, counts, strict=True):
            lengths = rng.poisson(words - 1, size=max(int(count * share), 2)) + 1
            gold = rng.integers(0, len(tags), lengths.sum())
            found = np.where(rng.random(len(gold)) < 0.8, gold, rng.integers(0, len(tags), len(gold)))
            sizes[task] = sizes.get(task, 0) + len(gold)
            for side, codes in (("labels", gold), ("predictions", found)):
                names = [tags[tag] for tag in codes.tolist()]
                ends = set(np.cumsum(lengths).tolist())
                lines = [name + ("\n" if place + 1 in ends else "") for place, name in enumerate(names)]
                _write(folder / side / task / f"test-{code}.tsv", "\n".join(lines))
    for code in table["xnli"].languages:
        gold = rng.integers(0, 3, int(5010 * share))
        found = np.where(rng.random(len(gold)) < 0.7, gold, rng.integers(0, 3, len(gold)))
        sizes["xnli"] = sizes.get("xnli", 0) + len(gold)
        for side, codes in (("labels", gold), ("predictions", found)):
            _write(folder / side / "xnli" / f"test-{code}.tsv", "\n".join(NLI[label] for label in codes.tolist()))
    lexicon = np.array(["".join(rng.choice(list("abcdefghijklmnop"), 5)) for _ in range(500)])
    for code in table["xquad"].languages:
        paragraphs, answers = [], {}
        for paragraph in range(max(int(240 * share), 1)):
            qas = []
            for question in range(5 if paragraph % 240 < 230 else 4):
                text = " ".join(rng.choice(lexicon, rng.integers(1, 6)))
                name = f"{paragraph}-{question}"
                qas.append({"id": name, "question": "?", "answers": [{"text": text, "answer_start": 0}]})
                answers[name] = text if rng.random() < 0.6 else f"the {text.split()[0]} {rng.choice(lexicon)}"
            paragraphs.append({"context": "", "qas": qas})
        sizes["xquad"] = sizes.get("xquad", 0) + len(answers)
        data = {"version": "1.1", "data": [{"title": "", "paragraphs": paragraphs}]}
        _write(folder / "labels" / "xquad" / f"test-{code}.json", json.dumps(data))
        _write(folder / "predictions" / "xquad" / f"test-{code}.json", json.dumps(answers))
    return sizes


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def plain_scores(folder: Path) -> dict[str, float]:
    """The task averages without intervals: seqeval for tags, plain Python for labels and answers."""
    from seqeval.metrics import f1_score

    scores = {}
    for task in ("udpos", "panx"):
        values = []
        for code in BENCHMARKS["xtreme-r"][task].languages:
            gold, found = (_sentences(folder / side / task / f"test-{code}.tsv") for side in ("labels", "predictions"))
            values.append(100 * float(f1_score(gold, found)))
        scores[task] = sum(values) / len(values)
    values = []
    for code in BENCHMARKS["xtreme-r"]["xnli"].languages:
        gold_lines, found_lines = (
            (folder / side / "xnli" / f"test-{code}.tsv").read_text().splitlines() for side in ("labels", "predictions")
        )
        right = sum(p == g for p, g in zip(found_lines, gold_lines, strict=True))
        values.append(100 * right / len(gold_lines))
    scores["xnli"] = sum(values) / len(values)
    values = []
    for code in BENCHMARKS["xtreme-r"]["xquad"].languages:
        data = json.loads((folder / "labels" / "xquad" / f"test-{code}.json").read_text())["data"]
        answers = json.loads((folder / "predictions" / "xquad" / f"test-{code}.json").read_text())
        values.append(_squad(data, answers))
    scores["xquad"] = sum(values) / len(values)
    return scores


def _sentences(path: Path) -> list[list[str]]:
    sentences: list[list[str]] = []
    words: list[str] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            tag = line.strip()
            if tag:
                words.append(tag)
            elif words:
                sentences.append(words)
                words = []
    return [*sentences, words] if words else sentences


def _words(text: str) -> list[str]:
    kept = "".join(sign for sign in text.lower() if sign not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


def _squad(data: list[dict[str, Any]], found: dict[str, str]) -> float:
    exact, overlap, total = 0.0, 0.0, 0
    for paragraph in (paragraph for article in data for paragraph in article["paragraphs"]):
        for entry in paragraph["qas"]:
            total += 1
            best_exact, best_f1 = 0.0, 0.0
            for answer in entry["answers"]:
                predicted, gold = _words(found[entry["id"]]), _words(answer["text"])
                same = sum((Counter(predicted) & Counter(gold)).values())
                best_exact = max(best_exact, float(predicted == gold))
                if same:
                    precision, recall = same / len(predicted), same / len(gold)
                    best_f1 = max(best_f1, 2 * precision * recall / (precision + recall))
            exact, overlap = exact + best_exact, overlap + best_f1
    return 50 * (exact + overlap) / total


def main() -> None:
    """Write, score both ways, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--share", type=float, default=1.0, help="share of the full size")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes = write_submission(folder, np.random.default_rng(0), arguments.share)
        timings, scores = {}, {}
        for side in ("ours", "plain"):
            wall, cpu = time.perf_counter(), time.process_time()
            if side == "ours":
                found = score_submission(
                    "xtreme-r", folder / "labels", folder / "predictions", resamples=arguments.resamples
                )
                scores[side] = {task: entry.average.value for task, entry in found.tasks.items()}
            else:
                scores[side] = plain_scores(folder)
            timings[side] = {
                "seconds": round(time.perf_counter() - wall, 2),
                "cpu_seconds": round(time.process_time() - cpu, 2),
            }
    ratio = timings["plain"]["cpu_seconds"] / timings["ours"]["cpu_seconds"]
    result = {
        "units": sizes, "resamples": arguments.resamples, **timings,
        "times_faster_cpu": round(ratio, 2), "scores": scores,
    }  # fmt: skip
    if arguments.json:
        print(json.dumps(result, indent=1))
        return
    print("units: " + ", ".join(f"{task} {size:,}" for task, size in sizes.items()))
    print(f"ours, {arguments.resamples:,} resamples: {timings['ours']}")
    print(f"seqeval + plain scripts, no intervals: {timings['plain']}")
    print(f"ours is {ratio:.2f} times as fast (CPU seconds)")
    for task in TASKS:
        print(f"  {task}: {scores['ours'][task]:.6f} | {scores['plain'][task]:.6f}")


if __name__ == "__main__":
    main()
