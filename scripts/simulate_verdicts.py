"""Error rates and power of verdicts: whole studies with known effects, judged as a report judges them.

    python scripts/simulate_verdicts.py [--studies 400] [--minutes 10] [--only TEXT] [--json FILE] [--page FILE]

Every study draws new test items, training runs and languages, and is judged by the functions behind `adapterxfer report
--verdicts`: contrasts, moderated run variance, ladder, families, verdicts. Nothing is trained and no file is written. A
rate is the share of studies in which a verdict was wrong (without an effect) or right (with one).
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from adapterxfer.metrics import METRICS
from adapterxfer.plan.cells import Cell
from adapterxfer.recipe.hypotheses import read_hypotheses
from adapterxfer.report.declared import Judged
from adapterxfer.report.display import LanguageFacts
from adapterxfer.report.reading import Frame
from adapterxfer.report.results import Results, TargetResults
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import build_study
from adapterxfer.report.verdicts import judge

Floats = npt.NDArray[np.float64]
PARAMETERS = (60_000, 150_000, 450_000, 1_200_000)
POINTS = 39.9
"""Points of accuracy per unit of the latent scale near 50 %: 100 times the normal density at 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A study to draw. Spreads are on the latent scale, where 0.1 is about 4 points.

    Attributes:
        run_sd: spread of one training run of one cell.
        shared: share of the run variance that all cells of a backbone and seed have in common.
        noise: (backbone, variant, intermediate, target) -> factor of the run spread.
        tail: distribution of run effects: `normal`, `t3` (heavy tails) or `skewed`.
        gain: planted gain in points.
        language_sd: spread of the gain over languages.
        parallel: languages share their test items.
    """

    backbones: int = 3
    variants: tuple[str, ...] = ("full-ft", "stack", "fuse")
    intermediates: tuple[str, ...] = ("nli", "qa")
    targets: tuple[str, ...] = ("xnli", "pawsx")
    languages: int = 4
    items: int = 100
    seeds: int = 3
    run_sd: float = 0.1
    shared: float = 0.0
    noise: Callable[[int, str, str, str], float] = lambda *_: 1.0
    tail: str = "normal"
    gain: float = 0.0
    language_sd: float = 0.0
    parallel: bool = True


def draw(design: Design, rng: np.random.Generator) -> Results:
    """One study as finished results."""
    codes = ["en", *(f"x{number}" for number in range(design.languages))]
    known = {code: LanguageFacts(code, code, "A" if n % 2 else "B", "high") for n, code in enumerate(codes)}
    size = len(codes) * design.items
    systems = list(product(range(design.backbones), design.variants, ("none", *design.intermediates)))
    common = _effects(rng, (design.backbones, design.seeds), design.tail)
    cells: list[Cell] = []
    targets: dict[str, TargetResults] = {}
    for target in design.targets:
        difficulty = rng.normal(size=(1 if design.parallel else len(codes), design.items)) * 0.7
        frame = _frame(codes, design, target)
        counts: dict[str, Floats] = {}
        chosen: list[Cell] = []
        for backbone, variant, intermediate in systems:
            shared = intermediate == "none" and variant != "full-ft"
            lift = 0.0 if intermediate == "none" else design.gain / POINTS
            by_language = lift + (0.0 if intermediate == "none" else 1.0) * rng.normal(
                0.0, design.language_sd, (len(codes), 1)
            )
            taste = rng.normal(size=(len(codes), design.items)) * 0.5
            single = _effects(rng, (design.seeds,), design.tail)
            spread = design.run_sd * design.noise(backbone, variant, intermediate, target)
            runs = spread * (math.sqrt(design.shared) * common[backbone] + math.sqrt(1 - design.shared) * single)
            for seed in range(design.seeds):
                latent = difficulty + taste + by_language + runs[seed]
                right = latent + rng.normal(size=latent.shape) * 0.5 > 0.0
                cell = Cell(
                    backbone=f"tiny-{backbone}",
                    parameters=PARAMETERS[backbone],
                    non_embedding_parameters=PARAMETERS[backbone],
                    variant=variant,
                    adapter="" if variant == "full-ft" else "lora",
                    intermediate=intermediate,
                    target=target,
                    seed=seed,
                    # without an intermediate task all adapter variants are one training
                    predict=f"{backbone}/{'adapter' if shared else variant}/{intermediate}/{target}/{seed}",
                )
                chosen.append(cell)
                counts.setdefault(cell.predict, np.stack([right.ravel(), np.ones(size)], axis=1).astype(np.float64))
        targets[target] = TargetResults(
            target=target,
            metric=METRICS["accuracy"],
            protocol="simulated",
            frame=frame,
            gold_fingerprint="",
            cells=tuple(chosen),
            counts=counts,
            zero_shot=tuple(codes[1:]),
        )
        cells += chosen
    folders = {cell.predict: Path() for cell in cells}
    return Results(cells=tuple(cells), missing=(), folders=folders, languages=known, _targets=targets)


def _effects(rng: np.random.Generator, shape: tuple[int, ...], tail: str) -> Floats:
    """Standardised run effects."""
    if tail == "t3":
        return np.asarray(rng.standard_t(3, shape) / math.sqrt(3.0))
    return np.asarray(rng.exponential(size=shape) - 1.0 if tail == "skewed" else rng.normal(size=shape))


def _frame(codes: Sequence[str], design: Design, target: str) -> Frame:
    ids = [f"{target}-{number:04d}" for number in range(design.items)]
    return Frame(
        languages=tuple(codes),
        language=np.repeat(np.arange(len(codes), dtype=np.int32), design.items),
        example=np.array(ids * len(codes), dtype=object),
        cluster=np.array([i if design.parallel else f"{code}-{i}" for code in codes for i in ids], dtype=object),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is asked of a design.

    Attributes:
        hypotheses: as in a recipe, without ids; each is counted by itself.
    """

    design: Design
    hypotheses: tuple[Mapping[str, object], ...]


def outcomes(situation: Situation, rng: np.random.Generator, *, resamples: int = 400) -> list[Judged]:
    """Verdicts of one drawn study."""
    declared = [{"id": f"H{number}", **entry} for number, entry in enumerate(situation.hypotheses)]
    settings = ReportSettings(resamples=resamples, seed=1, hypotheses=read_hypotheses(declared))
    return list(judge(build_study(draw(situation.design, rng)), settings.hypotheses, settings).tests)


def rates(situation: Situation, studies: int, seed: int, *, seconds: float = math.inf) -> dict[str, Rates]:
    """Counts by hypothesis over studies that are drawn one after the other, until the CPU time is up."""
    counts: dict[str, Rates] = {}
    start = time.process_time()
    for number in range(studies):
        tests = outcomes(situation, np.random.default_rng([seed, number]))
        for position, asked in enumerate(situation.hypotheses):
            name = f"{asked.get('contrast')} ({asked['family']}, {asked.get('scope', 'items+runs')})"
            chosen = [test for test in tests if test.hypothesis == f"H{position}"]
            counts.setdefault(name, Rates()).add(chosen, situation.design.gain)
        if time.process_time() - start > seconds:
            break
    return counts


@dataclass(slots=True, kw_only=True)
class Rates:
    """Counts over studies.

    Attributes:
        any_found: studies with at least one difference found; without an effect the family-wise error.
        found, positive: tests found, and found above 0.
        covered: tests whose printed interval holds the planted gain, of those with an interval.
        errors: standard errors of all tests, to compare with the spread of their estimates.
    """

    studies: int = 0
    tests: int = 0
    any_found: int = 0
    found: int = 0
    positive: int = 0
    covered: int = 0
    withheld: int = 0
    estimates: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)

    def add(self, tests: Sequence[Judged], truth: float) -> None:
        """Count one study."""
        self.studies += 1
        self.tests += len(tests)
        hits = [test for test in tests if test.outcome == "difference found"]
        self.any_found += bool(hits)
        self.found += len(hits)
        self.positive += sum(test.estimate is not None and test.estimate > 0 for test in hits)
        self.withheld += sum("withheld" in test.adjustment or "cannot be had" in test.remark for test in tests)
        for test in tests:
            if test.estimate is None or test.low is None or test.high is None or test.standard_error is None:
                continue
            self.covered += test.low <= truth <= test.high
            self.estimates.append(test.estimate)
            self.errors.append(test.standard_error)
            self.widths.append((test.high - test.low) / 2.0)

    @property
    def summary(self) -> dict[str, float]:
        """Rates and means for a table."""
        known = max(len(self.estimates), 1)
        return {
            "studies": self.studies,
            "tests": self.tests / max(self.studies, 1),
            "any found": self.any_found / max(self.studies, 1),
            "found": self.found / max(self.tests, 1),
            "positive": self.positive / max(self.tests, 1),
            "covered": self.covered / known,
            "mean": float(np.mean(self.estimates)) if self.estimates else math.nan,
            "sd": float(np.std(self.estimates)) if self.estimates else math.nan,
            "error": float(np.sqrt(np.mean(np.square(self.errors)))) if self.errors else math.nan,
            "half width": float(np.median(self.widths)) if self.widths else math.nan,
            "withheld": self.withheld / max(self.tests, 1),
        }


EACH_CELL: Mapping[str, object] = {
    "contrast": "gain",
    "family": "cells",
    "each": ["backbone", "variant", "intermediate", "target"],
}
MEAN: Mapping[str, object] = {"contrast": "gain", "family": "mean", "over": {"variant": "stack"}}
SLOPE: Mapping[str, object] = {"contrast": "slope", "family": "slope", "over": {"variant": "stack"}}
SINGLE: Mapping[str, object] = {
    "contrast": "gain",
    "family": "one",
    "over": {"backbone": "tiny-0", "variant": "stack", "intermediate": "nli", "target": "xnli"},
}
SCORES: Mapping[str, object] = {"contrast": "difference", "of": "score", "a": "stack", "b": "full-ft", "family": "s"}


def one_noisy(backbone: int, variant: str, intermediate: str, target: str) -> float:
    """One cell whose runs scatter five times as much."""
    return 5.0 if (backbone, variant, intermediate, target) == (0, "stack", "nli", "xnli") else 1.0


def by_target(_b: int, _v: str, _i: str, target: str) -> float:
    """Runs of one target scatter four times as much as those of the other."""
    return 0.4 if target == "xnli" else 1.6


def small_backbones(backbone: int, _v: str, _i: str, _t: str) -> float:
    """Small backbones scatter most."""
    return (2.0, 1.0, 0.3, 0.3)[backbone]


def situations() -> Iterator[tuple[str, Situation]]:
    """Every situation of the page, by name."""
    languages = {**MEAN, "scope": "languages"}
    yield "1 seed, scope languages", Situation(design=Design(seeds=1), hypotheses=(languages,))
    kinds: dict[str, dict[str, object]] = {
        "equal runs": {},
        "runs of a seed correlate .6": {"shared": 0.6},
        "heavy-tailed runs": {"tail": "t3"},
        "one cell x5": {"noise": one_noisy, "shared": 0.6},
        "by target x4": {"noise": by_target},
        "small backbones noisier": {"noise": small_backbones},
    }
    both = (EACH_CELL, MEAN, SLOPE, {**MEAN, "family": "languages", "scope": "languages"})
    for seeds, (name, changes) in product((2, 3), kinds.items()):
        design = Design(seeds=seeds, **changes)  # type: ignore[arg-type]
        yield f"{seeds} seeds, {name}", Situation(design=design, hypotheses=both)
    for seeds in (2, 3):
        wide, gains = Design(seeds=seeds), Design(seeds=seeds, gain=10.0)
        others = ({**EACH_CELL, "scope": "languages"}, {**SLOPE, "scope": "backbones"}, SINGLE)
        yield f"{seeds} seeds, wider scopes and one cell", Situation(design=wide, hypotheses=others)
        one = Design(backbones=1, variants=("stack",), targets=("xnli",), seeds=seeds,
                     intermediates=("a", "b", "c", "d", "e", "f", "g", "h"))  # fmt: skip
        yield f"{seeds} seeds, 8 tasks over one baseline on one backbone", Situation(design=one, hypotheses=(MEAN,))
        yield f"{seeds} seeds, gain of 10 points", Situation(design=gains, hypotheses=(EACH_CELL, MEAN))
    for seeds in (2, 3, 5):
        shared = Design(seeds=seeds, shared=0.6)
        yield f"{seeds} seeds, stack minus full-ft, seeds correlate .6", Situation(design=shared, hypotheses=(SCORES,))
    for seeds in (3, 5):
        best = Design(backbones=1, variants=("stack",), targets=("xnli",), seeds=seeds,
                      intermediates=("a", "b", "c", "d", "e", "f"))  # fmt: skip
        asked = {"contrast": "chosen", "across": "intermediate", "family": "best"}
        yield f"{seeds} seeds, best of 6 equal tasks", Situation(design=best, hypotheses=(asked,))


HEAD = "| situation | any found | found | positive | covers | mean | sd | error | half width | withheld | studies |"


def main() -> None:
    """Simulate until the time is up, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400, help="of every situation")
    parser.add_argument("--minutes", type=float, default=10.0, help="CPU minutes of all situations together")
    parser.add_argument("--only", default="", metavar="TEXT", help="situations whose name contains it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write all rates here")
    parser.add_argument("--page", type=Path, help="write the table here")
    arguments = parser.parse_args()
    chosen = [(name, situation) for name, situation in situations() if arguments.only in name]
    results: dict[str, dict[str, float]] = {}
    for number, (name, situation) in enumerate(chosen):
        seconds = 60.0 * arguments.minutes / len(chosen)
        counts = rates(situation, arguments.studies, arguments.seed + number, seconds=seconds)
        for asked, count in counts.items():
            results[f"{name}: {asked}"] = count.summary
            print(row(f"{name}: {asked}", count.summary), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    if arguments.page:
        lines = [HEAD, "|---" * 11 + "|", *(row(name, summary) for name, summary in results.items())]
        arguments.page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def row(name: str, summary: Mapping[str, float]) -> str:
    """One line of the table."""
    numbers = [f"{summary[key]:.3f}" for key in ("any found", "found", "positive", "covered")]
    numbers += [f"{summary[key]:.2f}" for key in ("mean", "sd", "error", "half width", "withheld")]
    return f"| {name} | {' | '.join(numbers)} | {summary['studies']:.0f} |"


if __name__ == "__main__":
    main()
