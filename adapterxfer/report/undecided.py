"""What is still undecided among the declared hypotheses, and which systems more seeds of would sharpen it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from adapterxfer.recipe.axes import Axes
from adapterxfer.report.claims import Claim
from adapterxfer.report.declared import Judged, Spending
from adapterxfer.report.judgements import declared_tests, judge_looks
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import Study
from adapterxfer.report.verdicts import columns_of


@dataclass(frozen=True, slots=True)
class Undecided:
    """One declared test without a verdict.

    Attributes:
        systems: what it compares, without seeds: a system that several variants share stands once for each.
        spending: where its uncertainty comes from; None where nothing is known.
    """

    test: Judged
    systems: frozenset[Axes]
    spending: Spending | None


def decided(test: Judged) -> bool:
    """Whether more seeds could not change what is said of a declared test."""
    return test.outcome != "inconclusive" or bool(test.not_inferior)


def undecided(results: Results, settings: ReportSettings) -> tuple[tuple[Judged, ...], tuple[Undecided, ...]]:
    """All declared tests, and those that are undecided though their systems are there.

    Raises:
        StatisticsError: systems of one target were scored on different examples.
    """
    judgements = judge_looks(results, settings, defaults=False)
    tests = declared_tests(settings, judgements)
    if not judgements:
        return tests, ()
    last = judgements[-1]
    spent = {row.subject: row for row in last.verdicts.spending}
    rows = [
        Undecided(test, _systems(last.study, claim), spent.get(test.name))
        for test, claim in zip(tests, last.verdicts.claims, strict=True)
        if not decided(test) and claim.contrast is not None
    ]
    return tests, tuple(rows)


def _systems(study: Study, claim: Claim) -> frozenset[Axes]:
    """The systems, as values of the axes, whose scores a claim adds up."""
    cells = {(cell.system, cell.target) for contrast in columns_of(claim) for cell in contrast.terms}
    arms = {arm.label: arm for arm in study.arms}
    all_axes = set()
    for key, system in study.systems.items():
        backbone, label, intermediate, target = key
        if (system, target) in cells:
            arm = arms[label]
            axes = Axes(backbone=backbone, variant=arm.variant, adapter=arm.adapter)
            all_axes.add(replace(axes, intermediate=intermediate, target=target))
    return frozenset(all_axes)
