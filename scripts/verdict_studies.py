"""Studies to draw for `simulate_verdicts.py`: designs with known effects and run spreads, and what is asked of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adapterxfer.metrics import METRICS
from adapterxfer.plan.cells import Cell
from adapterxfer.report.display import LanguageFacts
from adapterxfer.report.reading import Frame
from adapterxfer.report.results import Results
from adapterxfer.report.target_results import TargetResults

Floats = npt.NDArray[np.float64]
PARAMETERS = (60_000, 150_000, 450_000, 1_200_000)
POINTS = 39.9
"""Points of accuracy per unit of the latent scale near 50 %: 100 times the normal density at 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A study to draw. Spreads are on the latent scale, where 0.1 is about 4 points.

    Attributes:
        run_sd: spread of one training run of one cell.
        shared: share of the run variance that cells of a seed have in common.
        shared_by: which cells do: all of a `backbone`, or all targets of one `system`.
        noise: (backbone, variant, intermediate, target) -> factor of the run spread.
        tail: distribution of run effects: `normal`, `t3` (heavy tails), `skewed` or `collapse` (one run in ten falls).
        gain: planted gain in points.
        language_sd: spread of the gain over languages.
        parallel: languages share their test items.
        alike: what a system finds easy or hard is the same in all languages.
        items_of: target -> its number of test items per language, where it is not `items`.
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
    shared_by: str = "backbone"
    noise: Callable[[int, str, str, str], float] = lambda *_: 1.0
    tail: str = "normal"
    gain: float = 0.0
    language_sd: float = 0.0
    parallel: bool = True
    alike: bool = False
    items_of: Mapping[str, int] = field(default_factory=dict)


def draw(design: Design, rng: np.random.Generator) -> Results:
    """One study as finished results."""
    codes = ["en", *(f"x{number}" for number in range(design.languages))]
    known = {code: LanguageFacts(code, code, "A" if n % 2 else "B", "high") for n, code in enumerate(codes)}
    systems = list(product(range(design.backbones), design.variants, ("none", *design.intermediates)))
    common = {
        system: _effects(rng, (design.seeds,), design.tail)
        for system in (range(design.backbones) if design.shared_by == "backbone" else systems)
    }
    cells: list[Cell] = []
    targets: dict[str, TargetResults] = {}
    for target in design.targets:
        items = design.items_of.get(target, design.items)
        difficulty = rng.normal(size=(1 if design.parallel else len(codes), items)) * 0.7
        frame = _frame(codes, items, target, parallel=design.parallel)
        counts: dict[str, Floats] = {}
        chosen: list[Cell] = []
        for backbone, variant, intermediate in systems:
            shared = intermediate == "none" and variant != "full-ft"
            lift = 0.0 if intermediate == "none" else design.gain / POINTS
            by_language = lift + (0.0 if intermediate == "none" else 1.0) * rng.normal(
                0.0, design.language_sd, (len(codes), 1)
            )
            taste = rng.normal(size=(1 if design.alike else len(codes), items)) * 0.5
            single = _effects(rng, (design.seeds,), design.tail)
            spread = design.run_sd * design.noise(backbone, variant, intermediate, target)
            together = common[backbone if design.shared_by == "backbone" else (backbone, variant, intermediate)]
            runs = spread * (math.sqrt(design.shared) * together + math.sqrt(1 - design.shared) * single)
            for seed in range(design.seeds):
                latent = difficulty + taste + by_language + runs[seed]
                right = latent + rng.normal(size=(len(codes), items)) * 0.5 > 0.0
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
                counts.setdefault(
                    cell.predict, np.stack([right.ravel(), np.ones(right.size)], axis=1).astype(np.float64)
                )
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
    if tail == "collapse":
        return np.where(rng.random(shape) < 0.1, -3.0, 1.0 / 3.0)
    return np.asarray(rng.exponential(size=shape) - 1.0 if tail == "skewed" else rng.normal(size=shape))


def _frame(codes: Sequence[str], items: int, target: str, *, parallel: bool) -> Frame:
    ids = [f"{target}-{number:04d}" for number in range(items)]
    return Frame(
        languages=tuple(codes),
        language=np.repeat(np.arange(len(codes), dtype=np.int32), items),
        example=np.array(ids * len(codes), dtype=object),
        cluster=np.array([i if parallel else f"{code}-{i}" for code in codes for i in ids], dtype=object),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is asked of a design.

    Attributes:
        hypotheses: as in a recipe, without ids; each is counted by itself. None asks what every report asks, and counts
            by family.
    """

    design: Design
    hypotheses: tuple[Mapping[str, object], ...] = ()


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


ON_ONE_BACKBONE: Mapping[str, object] = {
    "contrast": "gain",
    "family": "backbone",
    "over": {"backbone": "tiny-0", "variant": "stack"},
}
LANGUAGES: Mapping[str, object] = {**MEAN, "family": "languages", "scope": "languages"}
MEANS = (MEAN, SLOPE, LANGUAGES, ON_ONE_BACKBONE)


def one_noisy(backbone: int, variant: str, intermediate: str, target: str) -> float:
    """One cell whose runs scatter five times as much."""
    return 5.0 if (backbone, variant, intermediate, target) == (0, "stack", "nli", "xnli") else 1.0


def two_noisy(backbone: int, variant: str, intermediate: str, target: str) -> float:
    """Two such cells, of two backbones."""
    other = (backbone, variant, intermediate, target) == (2, "stack", "qa", "pawsx")
    return 5.0 if other else one_noisy(backbone, variant, intermediate, target)


def by_target(_b: int, _v: str, _i: str, target: str) -> float:
    """Runs of one target scatter four times as much as those of the other."""
    return 0.4 if target == "xnli" else 1.6


def small_backbones(backbone: int, _v: str, _i: str, _t: str) -> float:
    """Small backbones scatter most."""
    return (2.0, 1.0, 0.3, 0.3)[backbone]


def one_backbone(backbone: int, _v: str, _i: str, _t: str) -> float:
    """One backbone scatters five times as much as the others."""
    return 5.0 if backbone == 0 else 1.0


def baselines(_b: int, _v: str, intermediate: str, _t: str) -> float:
    """Runs without an intermediate task scatter three times as much as those with one."""
    return 3.0 if intermediate == "none" else 1.0


KINDS: Mapping[str, Mapping[str, object]] = {
    "equal runs": {},
    "runs of a seed correlate .6": {"shared": 0.6},
    "runs of a seed correlate .9": {"shared": 0.9},
    "heavy-tailed runs": {"tail": "t3"},
    "by target x4": {"noise": by_target},
    "small backbones noisier": {"noise": small_backbones},
    "one cell x5": {"noise": one_noisy, "shared": 0.6},
    "two cells x5": {"noise": two_noisy},
    "one backbone x5": {"noise": one_backbone},
    "baselines x3": {"noise": baselines},
    "targets of a seed correlate .6": {"shared": 0.6, "shared_by": "system"},
    "same hard items in all languages": {"alike": True, "shared": 0.6},
    "one run in ten collapses": {"tail": "collapse", "run_sd": 0.2},
    "tests of 50 and 1,000 items": {"items_of": {"xnli": 50, "pawsx": 1000}, "languages": 2},
}
"""Kinds of run spread and of test items; the rules were chosen without the last six."""


def situations() -> Iterator[tuple[str, Situation]]:
    """Every situation of the page, by name."""
    yield "1 seed, scope languages", Situation(design=Design(seeds=1), hypotheses=({**MEAN, "scope": "languages"},))
    for seeds, (name, changes) in product((2, 3), KINDS.items()):
        design = Design(seeds=seeds, **changes)  # type: ignore[arg-type]
        yield f"{seeds} seeds, {name}, means", Situation(design=design, hypotheses=MEANS)
        yield f"{seeds} seeds, {name}, cells", Situation(design=design, hypotheses=(EACH_CELL,))
    few: dict[str, Any] = {"backbones": 1, "variants": ("stack",), "targets": ("xnli",)}
    for seeds in (2, 3):
        null, gains = Design(seeds=seeds), Design(seeds=seeds, gain=10.0)
        cells = {**EACH_CELL, "scope": "languages"}
        yield f"{seeds} seeds, family at scope languages", Situation(design=null, hypotheses=(cells,))
        wide = ({**SLOPE, "scope": "languages"}, {**SLOPE, "family": "b", "scope": "backbones"})
        yield f"{seeds} seeds, ladder of a slope", Situation(design=null, hypotheses=wide)
        yield f"{seeds} seeds, one declared cell", Situation(design=null, hypotheses=(SINGLE,))
        yield f"{seeds} seeds, general answers", Situation(design=null)
        yield f"{seeds} seeds, gain of 10 points", Situation(design=gains, hypotheses=(EACH_CELL, MEAN))
    for seeds in (2, 3, 5):
        one = Design(seeds=seeds, intermediates=tuple("abcdefgh"), **few)
        yield f"{seeds} seeds, 8 tasks over one baseline on one backbone", Situation(design=one, hypotheses=(MEAN,))
        shared = Design(seeds=seeds, shared=0.6)
        yield f"{seeds} seeds, stack minus full-ft, seeds correlate .6", Situation(design=shared, hypotheses=(SCORES,))
        best = Design(seeds=seeds, intermediates=tuple("abcdef"), **few)
        asked = {"contrast": "chosen", "across": "intermediate", "family": "best"}
        yield f"{seeds} seeds, best of 6 equal tasks", Situation(design=best, hypotheses=(asked,))
        several = replace(best, targets=("xnli", "pawsx", "third"))
        each = {**asked, "each": ["target"]}
        yield f"{seeds} seeds, best of 6 for each of 3 targets", Situation(design=several, hypotheses=(each,))
