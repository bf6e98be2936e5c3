"""What every report shows beside declared hypotheses: ladders, variance components and ranks of intermediate tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapterxfer.recipe.hypotheses import Hypothesis, Selection
from adapterxfer.report.cells import NONE
from adapterxfer.report.declared import Judged, Ranked, Spending
from adapterxfer.report.selection import Key, Selector, average, plain
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import Study
from adapterxfer.report.verdicts import judge
from adapterxfer.statistics import Contrast, macro, rank_intervals, resample

LADDERS = "ladders"
COMPONENTS = "components"


@dataclass(frozen=True, slots=True)
class Overview:
    """Ladders of the main questions, variance components per target, and rank intervals."""

    ladders: tuple[Judged, ...]
    spending: tuple[Spending, ...]
    ranks: tuple[Ranked, ...]


def overview(study: Study, settings: ReportSettings) -> Overview:
    """The parts of a report that need no declaration."""
    questions = _questions(study)
    judged = judge(study, questions, settings)
    names = {question.id: question.text for question in questions}
    ladders = tuple(test for test in judged.tests if test.family == LADDERS and test.estimate is not None)
    spent = tuple(replace(row, subject=names[row.subject]) for row in judged.spending)
    return Overview(ladders, spent, ranks(study, settings))


def _questions(study: Study) -> list[Hypothesis]:
    """Gain and trend of every variant, and its gain on every target."""
    found = []
    several = len({backbone.size for backbone in study.backbones}) > 1
    trained = {(label, target) for _, label, intermediate, target in study.systems if intermediate != NONE}
    for number, arm in enumerate(study.arms):
        over = Selection(variant=(arm.label,))
        found.append(
            Hypothesis(id=f"gain-{number}", text=f"Gain, {arm.label}", family=LADDERS, contrast="gain", over=over)
        )
        if several:
            text = f"Trend of the gain, {arm.label}"
            found.append(Hypothesis(id=f"trend-{number}", text=text, family=LADDERS, contrast="slope", over=over))
        for place, target in enumerate(study.targets):
            if (arm.label, target) not in trained:
                continue
            narrowed = Selection(variant=(arm.label,), target=(target,))
            text = f"Gain on {target}, {arm.label}"
            found.append(
                Hypothesis(id=f"gain-{number}-{place}", text=text, family=COMPONENTS, contrast="gain", over=narrowed)
            )
    return found


def ranks(study: Study, settings: ReportSettings) -> tuple[Ranked, ...]:
    """Which intermediate task may be the best for every variant, `none` among them.

    Scores are means over the (backbone, target) pairs that all intermediate tasks of the variant have, without pairs
    whose data overlap; the trained models are held fixed.
    """
    columns: list[Contrast] = []
    owners: list[tuple[str, list[str]]] = []
    for arm in study.arms:
        by_task = _scores(study, arm.label)
        if len(by_task) < 2:
            continue
        owners.append((arm.label, list(by_task)))
        columns += [plain(contrast, name) for name, contrast in by_task.items()]
    if not columns:
        return ()
    replicates = resample(study.table, columns, resamples=settings.resamples, seed=settings.seed)
    found: list[Ranked] = []
    first = 0
    for label, names in owners:
        chosen = range(first, first + len(names))
        rows = rank_intervals(replicates, list(chosen), level=settings.level)
        ranked = [Ranked(label, row.name, row.value, row.rank, row.low, row.high) for row in rows]
        found += sorted(ranked, key=lambda row: (row.rank, names.index(row.intermediate)))
        first += len(names)
    return tuple(found)


def _scores(study: Study, label: str) -> dict[str, Contrast]:
    """Intermediate task -> mean zero-shot score on the cells that all of them have."""
    names = tuple(dict.fromkeys([NONE, *study.intermediates]))
    select = Selector(study)
    numbers = select.numbers({"variant": (label,), "intermediate": names}, "score")
    numbers = {key: c for key, c in numbers.items() if (key.intermediate, key.target) not in study.overlaps}
    return _on_shared(numbers, [name for name in names if any(key.intermediate == name for key in numbers)])


def _on_shared(numbers: dict[Key, Contrast], names: Sequence[str]) -> dict[str, Contrast]:
    shared = (
        set.intersection(
            *({(key.backbone, key.target) for key in numbers if key.intermediate == name} for name in names)
        )
        if names
        else set()
    )
    kept = {key: c for key, c in numbers.items() if (key.backbone, key.target) in shared}
    means = average(kept, ("arm", "backbone", "target"))
    return {name: macro([c for key, c in means.items() if key.intermediate == name]) for name in names} if kept else {}
