"""Compare this package with XTREME's own scripts, from a checkout of its repository; ends with 1 if anything differs.

    python scripts/compare_with_xtreme.py CHECKOUT [--treebanks FOLDER] [--pairs 28000]

CHECKOUT is google-research/xtreme (at 838c13b). Its `evaluate.py` scores its mock submission, every language and every
average; needs seqeval 0.0.12, whose reading of tags the benchmark has. Its answer scripts score random pairs of
answers. With treebanks (`*.conllu`, packed or not), its converter joins their words; needs networkx 1.11.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import importlib
import json
import random
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapterxfer.data.examples import TaggingExample
from adapterxfer.data.fused import read_fused
from adapterxfer.metrics import METRICS, count_predictions
from adapterxfer.report.submission import score_submission

CLOSE = 1e-9
"""Largest difference, in points, that counts as none."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--treebanks", type=Path, help="folder with CoNLL-U files")
    parser.add_argument("--pairs", type=int, default=28_000, help="pairs of answers (default: 28000)")
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.checkout))
    warnings.simplefilter("ignore")
    failed = _say("figures of the mock submission", _figures(arguments.checkout))
    failed += _say("pairs of answers", _answers(arguments.pairs))
    if arguments.treebanks is not None:
        failed += _say("sentences with joined words", _sentences(arguments.checkout, arguments.treebanks))
    return int(failed > 0)


def _say(name: str, compared: Iterator[tuple[str, object, object]]) -> int:
    """Print how many of the compared values are equal, and the first that are not."""
    total = differing = 0
    for label, ours, theirs in compared:
        total += 1
        same = abs(ours - theirs) <= CLOSE if isinstance(ours, float) and isinstance(theirs, float) else ours == theirs
        differing += not same
        if not same and differing <= 5:
            print(f"  differs: {label}: {ours} here, {theirs} there")
    print(f"{name}: {total - differing:,} of {total:,} equal", flush=True)
    return differing


def _figures(checkout: Path) -> Iterator[tuple[str, object, object]]:
    official: Any = importlib.import_module("evaluate")
    folder = checkout / "mock_test_data"
    done: set[str] = set()
    for version, languages in official.XTREME_VERSIONS_LANG_DICT.items():
        for task, codes in languages.items():
            suffix = official.get_suffix(task, official.XTREME_VERSIONS_GROUP_DICT[version])
            files = {
                code: [folder / side / task / f"test-{code}.{suffix}" for side in ("predictions", "labels")]
                for code in codes
            }
            present = [code for code, paths in files.items() if all(path.is_file() for path in paths)]
            if task in done or not present:
                continue
            done.add(task)
            theirs = {code: official.evaluate_one_task(*map(str, files[code]), task, language=code) for code in present}
            ours = score_submission(
                version, folder / "labels", folder / "predictions", tasks=[task], subset=present, resamples=2,
                allow_missing=True,
            ).tasks[task]  # fmt: skip
            for code in present:
                for score, value in theirs[code].items():
                    yield f"{task} {code} {score}", ours.languages[code].scores[score].value, float(value)
            for score in theirs[present[0]]:
                mean = sum(values[score] for values in theirs.values()) / len(present)
                mine = ours.averages[score].value if score in ours.averages else ours.average.value
                yield f"{task} {score}", mine, float(mean)


def _answers(count: int) -> Iterator[tuple[str, object, object]]:
    """Answers of words in several scripts with articles, signs and spaces, half of them changed a little."""
    squad: Any = importlib.import_module("third_party.evaluate_squad")
    mlqa: Any = importlib.import_module("third_party.evaluate_mlqa")
    draws = random.Random(0)
    words = [
        "the", "The", "a", "An", "der", "das", "ein", "el", "la", "un", "một", "الكتاب", "कलम", "一", "条", "北京",
        "2,000", "U.S.", "x-ray", "“q”", "naïve", "Ünal",
        "\u2014", "।", "،", "cat", "Cats", "!", "'s", "nº5", "मुंबई", "\u200b",
    ]  # fmt: skip
    languages = ["en", "es", "de", "ar", "hi", "vi", "zh"]

    def text() -> str:
        return draws.choice([" ", "  ", "\u00a0", ""]).join(draws.choices(words, k=draws.randint(0, 6)))

    for number in range(count):
        gold = [text() for _ in range(draws.randint(1, 3))]
        found = draws.choice(gold) if draws.random() < 0.5 else text()
        found = found.swapcase() if draws.random() < 0.2 else found + draws.choice(["", ".", " the", " x"])
        code = languages[number % len(languages)]
        theirs = [
            max(squad.f1_score(found, answer) for answer in gold),
            float(max(squad.exact_match_score(found, answer) for answer in gold)),
            max(mlqa.f1_score(found, answer, code) for answer in gold),
            float(max(mlqa.exact_match_score(found, answer, code) for answer in gold)),
        ]
        golds = [json.dumps(gold)]
        ours = [
            *count_predictions(METRICS["qa_f1"], [found], golds)[0, :2].tolist(),
            *count_predictions(METRICS["mlqa_f1"], [found], golds, languages=[code])[0, :2].tolist(),
        ]
        equal = all(abs(mine - other) <= CLOSE for mine, other in zip(ours, theirs, strict=True))
        yield f"{code} {found!r} {gold}", ours if not equal else True, theirs if not equal else True


def _sentences(checkout: Path, treebanks: Path) -> Iterator[tuple[str, object, object]]:
    converter = checkout / "third_party" / "ud-conversion-tools" / "conllu_to_conll.py"
    for path in sorted(treebanks.rglob("*.conllu*")):
        code = path.name.split("_")[0]
        with tempfile.TemporaryDirectory() as folder:
            plain, joined = Path(folder) / path.name.partition(".conllu")[0], Path(folder) / "joined"
            plain = plain.with_suffix(".conllu")
            opener: Any = {".gz": gzip.open, ".bz2": bz2.open}.get(path.suffix, open)
            with opener(path, "rb") as packed:
                plain.write_bytes(packed.read())
            arguments = ["--lang", code, "--replace_subtokens_with_fused_forms", "--print_fused_forms"]
            subprocess.run([sys.executable, converter, plain, joined, *arguments], check=True, capture_output=True)
            theirs = list(_joined(joined))
            examples = read_fused(plain, code, Counter())
            ours = [(example.words, example.tags) for example in examples if isinstance(example, TaggingExample)]
        yield f"{path.name}: number of sentences", len(ours), len(theirs)
        for number, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
            yield f"{path.name} {number}", mine, other


def _joined(path: Path) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Sentences of the converted file that XTREME keeps, without the signs and blanks that it removes."""
    words: list[str] = []
    tags: list[str] = []
    for line in [*path.read_text(encoding="utf-8").split("\n"), ""]:
        cells = line.strip().split("\t")
        if len(cells) == 10:
            words.append("".join(cells[1].strip().replace("\u200c", "").split(" ")))
            tags.append(cells[3].strip())
            continue
        blank = sum(word == "_" for word in words)
        if words and (blank == 0 or blank < len(words) - 1):
            yield tuple(words), tuple(tags)
        words, tags = [], []


if __name__ == "__main__":
    sys.exit(main())
