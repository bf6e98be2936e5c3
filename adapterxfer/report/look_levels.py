"""A study that is judged more than once: which level counts at which number of seeds, and looks nobody declared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from adapterxfer.report.content import Caution, Effect
from adapterxfer.report.declared import Judged
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.statistics.looks import error_rate, spending_levels


@dataclass(frozen=True, slots=True)
class Look:
    """One declared look.

    Attributes:
        number: from 1.
        seeds: training runs of every system at this look.
        alpha: p-value, adjusted within its family, that decides at this look.
    """

    number: int
    seeds: int
    alpha: float


def declared_looks(settings: ReportSettings) -> tuple[Look, ...]:
    """The looks of a recipe with their levels; none where it declares none."""
    if not settings.looks:
        return ()
    levels = spending_levels(settings.looks, alpha=1.0 - settings.level)
    pairs = zip(settings.looks, levels, strict=True)
    return tuple(Look(number, seeds, alpha) for number, (seeds, alpha) in enumerate(pairs, start=1))


@dataclass(frozen=True, slots=True)
class Judging:
    """One time that a study is judged: with which runs, and at which level.

    Attributes:
        look: None where the recipe declares none, and before the first of them.
        results: those of the first seeds alone.
        settings: with the level of this look.
    """

    look: Look | None
    results: Results
    settings: ReportSettings


def judgings(results: Results, settings: ReportSettings) -> tuple[Judging, ...]:
    """The looks that the finished runs reach, in order; without declared looks the one time at the end.

    A look is about the first seeds of the recipe whatever else is finished, so that what was said at it can be said
    again from the store alone.
    """
    looks = declared_looks(settings)
    if not looks:
        return (Judging(None, results, settings),)
    seeds = results.trained_seeds
    finished = {cell.seed for cell in results.cells if not cell.is_control}
    reached = [look for look in looks if look.seeds <= len(seeds) and seeds[look.seeds - 1] in finished]
    if not reached:
        return (Judging(None, results, settings),)
    return tuple(
        Judging(look, results.of_seeds(seeds[: look.seeds]), replace(settings, level=1.0 - look.alpha))
        for look in reached
    )


Row = TypeVar("Row", Judged, Effect)


def first_decided(
    settings: ReportSettings, looks: Sequence[tuple[Look | None, Sequence[Row]]], key: Callable[[Row], Any]
) -> tuple[Row, ...]:
    """Every row of the last look as the look that decided it saw it; what is undecided stands as the last look saw it.

    Args:
        looks: the rows of each look, in order.
        key: what a row is about.
    """
    (last, rows) = looks[-1]
    if not settings.looks:
        return tuple(rows)
    if last is None:
        return tuple(_before_the_first(settings, row) for row in rows)
    told: dict[Any, Row] = {}
    for look, seen in looks:
        assert look is not None
        for row in seen:
            known = told.get(key(row))
            if known is not None and _decided(known):
                continue
            runs = row.runs if isinstance(row, Judged) else row.seeds
            if known is None or runs == 0 or runs >= look.seeds:
                told[key(row)] = _at(settings, row, look) if runs == 0 or runs >= look.seeds else _early(row, look)
    return tuple(told[key(row)] for row in rows)


def _decided(row: Judged | Effect) -> bool:
    return (row.outcome if isinstance(row, Judged) else row.verdict) != "inconclusive"


def _at(settings: ReportSettings, row: Row, look: Look) -> Row:
    """A row with the look it was judged at; trends of what is decided need no more seeds."""
    if not isinstance(row, Judged):
        return row
    said = f"Judged at look {look.number} of {len(settings.looks)}, with {look.seeds} seeds, at {look.alpha:.2g}."
    return replace(row, remark=f"{row.remark} {said}".strip())


def _early(row: Row, look: Look) -> Row:
    return _withheld(row, f"its systems do not have {look.seeds} seeds yet")


def _before_the_first(settings: ReportSettings, row: Row) -> Row:
    return _withheld(row, f"the first declared look is at {settings.looks[0]} seeds")


def _withheld(row: Row, reason: str) -> Row:
    """The row with its verdict taken away for the given reason."""
    if isinstance(row, Judged):
        remark = f"{row.remark} No verdict: {reason}.".strip()
        return replace(
            row, outcome="inconclusive", verdict=f"inconclusive ({reason})", p_adjusted=None, held="", remark=remark,
            not_inferior=None, adjusted_low=None, adjusted_high=None,
        )  # fmt: skip
    return replace(
        row, verdict="inconclusive", p_adjusted=None, items_p_adjusted=None, remark=reason, adjusted_low=None,
        adjusted_high=None,
    )  # fmt: skip


def undeclared(settings: ReportSettings, seeds: int) -> Caution | None:
    """What to say of a study that was judged before, with fewer seeds, without saying so beforehand.

    Args:
        seeds: training runs that are judged now.
    """
    earlier = [look for look in settings.earlier_looks if look < seeds and look not in settings.looks]
    if not earlier or seeds < 2:
        return None
    alpha = 1.0 - settings.level
    looks = [*earlier, seeds]
    rate = error_rate(looks, [alpha] * len(looks))
    return Caution(
        "undeclared looks",
        f"The store holds {_times(earlier)} of this study with fewer seeds ({_listed(earlier)}), and the recipe "
        "declares no such look. Who stops at the first significant result finds a difference that is not there in "
        f"{rate:.1%} of studies, in more of them where the runs are few, and not in {alpha:.0%}. "
        "Declare statistics.looks before the first run.",
    )


def _times(looks: Sequence[int]) -> str:
    return "a report" if len(looks) == 1 else f"{len(looks)} reports"


def _listed(looks: Sequence[int]) -> str:
    return ", ".join(map(str, looks))


def look_settings(settings: ReportSettings, look: Look | None) -> dict[str, Any]:
    """What report.json says of looks: those declared, and the one the page is about."""
    if not settings.looks:
        return {}
    at = None if look is None else {"number": look.number, "seeds": look.seeds, "alpha": look.alpha}
    return {"looks": list(settings.looks), "look": at}
