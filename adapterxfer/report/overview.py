"""What every report shows beside verdicts: variance components and ranks of intermediate tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.hypotheses import Hypothesis, Selection
from adapterxfer.report.claims import Claim, ClaimBuilder
from adapterxfer.report.declared import Ranked
from adapterxfer.report.display import NONE
from adapterxfer.report.selection import Selector, average, plain
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import Study
from adapterxfer.statistics import Contrast, macro, rank_intervals, resample

COMPONENTS = "components"


def component_claims(select: Selector) -> list[Claim]:
    """The gain of every variant on every target, for the variance components; these tests get no verdict."""
    study = select.study
    if not study.arms:
        return []
    hypothesis = Hypothesis(
        id=COMPONENTS,
        text="Gain",
        family=COMPONENTS,
        contrast="gain",
        over=Selection(variant=tuple(arm.label for arm in study.arms), target=study.targets),
        each=("variant", "target"),
    )
    built = ClaimBuilder(select, hypothesis).claims()
    return [replace(claim, subject=_on_target(claim)) for claim in built if claim.contrast is not None]


def _on_target(claim: Claim) -> str:
    return f"Gain on {claim.about.target}, {claim.about.variant}"


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
    all_ranked: list[Ranked] = []
    first = 0
    for label, names in owners:
        chosen = range(first, first + len(names))
        rows = rank_intervals(replicates, list(chosen), level=settings.level)
        ranked = [Ranked(label, row.name, row.value, row.rank, row.low, row.high) for row in rows]
        all_ranked += sorted(ranked, key=lambda row: (row.rank, names.index(row.intermediate)))
        first += len(names)
    return tuple(all_ranked)


def _scores(study: Study, label: str) -> dict[str, Contrast]:
    """Intermediate task -> mean zero-shot score on the cells that all of them have."""
    names = tuple(dict.fromkeys([NONE, *study.intermediates]))
    select = Selector(study)
    numbers = select.numbers({"variant": (label,), "intermediate": names}, "score")
    numbers = {key: c for key, c in numbers.items() if (key.intermediate, key.target) not in study.overlaps}
    return _on_shared(numbers, [name for name in names if any(key.intermediate == name for key in numbers)])


def _on_shared(numbers: dict[Axes, Contrast], names: Sequence[str]) -> dict[str, Contrast]:
    shared = (
        set.intersection(
            *({(key.backbone, key.target) for key in numbers if key.intermediate == name} for name in names)
        )
        if names
        else set()
    )
    kept = {key: c for key, c in numbers.items() if (key.backbone, key.target) in shared}
    means = average(kept, ("variant", "backbone", "target"))
    return {name: macro([c for key, c in means.items() if key.intermediate == name]) for name in names} if kept else {}
