"""Do intervals of few-shot scores cover when the draws of examples vary? Simulated studies with a known truth.

    python scripts/simulate_draws.py --studies 10000 --minutes 15 --json FILE --page docs/simulations-draws.md

A study has runs (seeds) with their own deviation, draws of examples with theirs, one of every training beside both, and
test items that all systems answer. The truth is the mean over new runs, draws and items. A report averages the draws
of a run, has other draws in every run, and resamples runs; the other rows show what goes wrong otherwise. All through
the public functions of `adapterxfer.statistics`; studies are systems of one table, so that one set of weights serves
many of them.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np

from adapterxfer import statistics as st
from adapterxfer.statistics.vocabulary import Scope

ACCURACY = st.ratio_metric("accuracy", (1, 0), (0, 1))
ITEMS = 1000
OF_ALL, OF_SYSTEM = 0.5, 0.15
"""Shares of what makes an item difficult: for every system, and for one; the rest differs from training to training."""

RESAMPLES = 999
FEW_RESAMPLES = 99
"""Where intervals do not rest on resamples."""

LEVEL = 58.0
"""Points of the few-shot systems; zero-shot ones have `GAP` fewer, those after an intermediate task `GAIN` more."""
GAP = 5.0
GAIN = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One situation.

    Attributes:
        seeds, draws: how many runs, and draws of each.
        seed, draw, training: standard deviations in points: of runs, of draws, and of single trainings beyond both.
        backbones: over how many the mean goes; each is a series of runs of its own.
        alike: correlation of what a draw does before and after the intermediate task; what is not shared is in a gain.
    """

    seeds: int
    draws: int
    seed: float = 1.5
    draw: float = 5.0
    training: float = 1.0
    backbones: int = 1
    alike: float = 0.5


SITUATIONS: dict[str, Planted] = {
    "3 runs, 1 draw each": Planted(seeds=3, draws=1),
    "5 runs, 1 draw each": Planted(seeds=5, draws=1),
    "10 runs, 1 draw each": Planted(seeds=10, draws=1),
    "3 runs, 3 draws each": Planted(seeds=3, draws=3),
    "5 runs, 3 draws each": Planted(seeds=5, draws=3),
    "5 runs, 3 draws each, mean of 3 backbones": Planted(seeds=5, draws=3, backbones=3),
    "5 runs, 3 draws each, draws and runs 4 points": Planted(seeds=5, draws=3, seed=4.0, draw=4.0),
    "5 runs, 3 draws each, draws 1 point": Planted(seeds=5, draws=3, draw=1.0),
    "5 runs, 3 draws each, draws do the same to both": Planted(seeds=5, draws=3, alike=1.0),
}

Counts = np.ndarray
Cells = list[st.CellCounts]
Asked = list[st.Contrast]


@dataclass(slots=True)
class Trainings:
    """How the items of one study are answered: what is difficult is so for all systems, and more so for one of them."""

    rng: np.random.Generator
    difficulty: np.ndarray
    of_system: dict[tuple[int, str], np.ndarray]

    def answers(self, backbone: int, system: str, points: float) -> Counts:
        """Counts of one training whose expected score over all items is ``points``."""
        known = self.of_system.setdefault((backbone, system), self.rng.normal(0.0, math.sqrt(OF_SYSTEM), ITEMS))
        own = self.rng.normal(0.0, math.sqrt(1.0 - OF_ALL - OF_SYSTEM), ITEMS)
        right = self.difficulty + known + own < NormalDist().inv_cdf(min(max(points / 100.0, 0.001), 0.999))
        return np.stack([right, np.ones(ITEMS)], axis=1).astype(np.int64)


def study(
    rng: np.random.Generator, planted: Planted, number: int, *, nested: bool, shared_by_backbones: bool = False
) -> tuple[Cells, Cells, Asked]:
    """One study: its cells as a report has them, the same with every training as a run, and two questions.

    Args:
        nested: every run has draws of its own; else all runs share them.
        shared_by_backbones: all backbones have the same draws.
    """
    made = Trainings(rng, rng.normal(0.0, math.sqrt(OF_ALL), ITEMS), {})
    cells: Cells = []
    apart: Cells = []
    few_shot: Asked = []
    gains: Asked = []
    count = planted.seeds * planted.draws if nested else planted.draws
    common = rng.normal(0.0, planted.draw, count)
    for backbone in range(planted.backbones):
        drawn = common if shared_by_backbones else rng.normal(0.0, planted.draw, count)
        other = math.sqrt(1.0 - planted.alike**2) * rng.normal(0.0, planted.draw, count)
        moved = {"few": drawn, "after": planted.alike * drawn + other}
        deviation = rng.normal(0.0, planted.seed, planted.seeds)
        for system, level in (("zero", LEVEL - GAP), ("few", LEVEL), ("after", LEVEL + GAIN)):
            for seed in range(planted.seeds):
                if system == "zero":
                    points = level + 0.7 * deviation[seed] + rng.normal(0.0, planted.training)
                    counts = made.answers(backbone, system, points)
                    cells.append(_cell(number, backbone, system, seed, counts))
                    # As many as the other side has: the same model stands beside every draw.
                    apart += [
                        _cell(number, backbone, system, seed * planted.draws + k, counts) for k in range(planted.draws)
                    ]
                    continue
                trainings = []
                for k in range(planted.draws):
                    draw = moved[system][seed * planted.draws + k if nested else k]
                    points = level + deviation[seed] + draw + rng.normal(0.0, planted.training)
                    trainings.append(made.answers(backbone, system, points))
                    apart.append(_cell(number, backbone, system, seed * planted.draws + k, trainings[-1]))
                cells.append(_cell(number, backbone, system, seed, st.mean_counts(trainings)))
        zero, few, after = (_score(number, backbone, system) for system in ("zero", "few", "after"))
        few_shot.append(few - zero)
        gains.append(after - few)
    return cells, apart, [st.macro(few_shot), st.macro(gains)]


def _cell(number: int, backbone: int, system: str, seed: int, counts: Counts) -> st.CellCounts:
    return st.CellCounts(
        system={"study": number, "backbone": backbone, "system": system},
        seed=seed,
        target="t",
        language="en",
        domain="d",
        cluster_ids=IDS,
        counts=counts,
        run_group=f"{number}/{backbone}",
    )


IDS = [f"{index:05d}" for index in range(ITEMS)]


def _score(number: int, backbone: int, system: str) -> st.Contrast:
    return st.score(st.System.of({"study": number, "backbone": backbone, "system": system}), "t", "en")


TRUTHS = (GAP, GAIN)
QUESTIONS = ("few-shot minus zero-shot", "gain within few-shot")


def simulate(
    planted: Planted, rng: np.random.Generator, studies: int, seed: int, *, shortcuts: bool
) -> Iterator[tuple[str, list[bool]]]:
    """What was asked, and whether each interval covered; with ``shortcuts`` also of what a report does not do."""
    cells, apart, asked = _studies(planted, rng, studies, nested=True)
    yield from _covered(RECOMMENDED, cells, asked, seed, "items+runs")
    if not shortcuts:
        return
    yield from _covered("over items only", cells, asked, seed, "items")
    if planted.draws > 1:
        yield from _covered("every training as a run", apart, asked, seed, "items+runs")
    crossed, _, asked = _studies(planted, rng, studies, nested=False)
    yield from _covered("all runs share the draws", crossed, asked, seed, "items+runs")
    if planted.backbones > 1:
        crossed, _, asked = _studies(planted, rng, studies, nested=True, shared_by_backbones=True)
        yield from _covered("all backbones share the draws", crossed, asked, seed, "items+runs")


def _studies(
    planted: Planted, rng: np.random.Generator, studies: int, *, nested: bool, shared_by_backbones: bool = False
) -> tuple[Cells, Cells, Asked]:
    cells: Cells = []
    apart: Cells = []
    asked: Asked = []
    for number in range(studies):
        made = study(rng, planted, number, nested=nested, shared_by_backbones=shared_by_backbones)
        cells += made[0]
        apart += made[1]
        asked += made[2]
    return cells, apart, asked


def _covered(how: str, cells: Cells, asked: Asked, seed: int, scope: Scope) -> Iterator[tuple[str, list[bool]]]:
    table = st.build_table(cells, {"t": ACCURACY})
    draws = st.resample(table, asked, resamples=RESAMPLES if scope == "items" else FEW_RESAMPLES, seed=seed)
    rows = st.estimates(table, draws, scope=scope)
    for place, (question, truth) in enumerate(zip(QUESTIONS, TRUTHS, strict=True)):
        yield f"{question}: {how}", [row.low <= truth <= row.high for row in rows[place :: len(QUESTIONS)]]


SPARE = 5
"""The shortcuts are simulated in one batch of so many: they are further off than their error."""

RECOMMENDED = "draws averaged in their run"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=10_000, help="of every situation")
    parser.add_argument("--minutes", type=float, default=15.0, help="CPU minutes of all situations together")
    parser.add_argument("--batch", type=int, default=100, help="studies simulated together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write counts here, after every round")
    parser.add_argument("--page", type=Path, help="write the page here")
    arguments = parser.parse_args()
    results: dict[str, dict[str, list[int]]] = {name: {} for name in SITUATIONS}
    batch = 0
    while batch * arguments.batch < arguments.studies and time.process_time() < 60.0 * arguments.minutes:
        for place, (name, planted) in enumerate(SITUATIONS.items()):
            rng = np.random.default_rng([arguments.seed, place, batch])
            for asked, held in simulate(planted, rng, arguments.batch, batch, shortcuts=batch % SPARE == 0):
                counts = results[name].setdefault(asked, [0, 0])
                counts[0] += sum(held)
                counts[1] += len(held)
        batch += 1
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
        if arguments.page:
            arguments.page.write_text(page(results, time.process_time()), encoding="utf-8")
    print(page(results, time.process_time()))


def page(results: dict[str, dict[str, list[int]]], seconds: float) -> str:
    lines = [
        "# Simulated coverage with draws of examples",
        "",
        "Written by `scripts/simulate_draws.py --page FILE`. Nominal 95 % intervals of few-shot scores and gains, on",
        f"{ITEMS} test items; {seconds / 60:.1f} CPU minutes in all. Deviations in points, if a row says nothing else:",
        "runs 1.5, draws 5, single trainings 1; what a draw does after the intermediate task correlates .5 with what",
        "it does without. The error is one binomial standard error. Rows with a dagger show what goes wrong otherwise;",
        "[supervision](supervision.md) says what a report does.",
        "",
        "| situation | what | covered | error | studies |",
        "|---|---|---|---|---|",
    ]
    for name, asked in results.items():
        for what, (held, total) in asked.items():
            share = held / total
            error = math.sqrt(max(share * (1 - share), 1 / total) / total)
            mark = "" if what.endswith(RECOMMENDED) else " (dagger)"
            lines.append(f"| {name} | {what}{mark} | {share:.4f} | {error:.4f} | {total} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
