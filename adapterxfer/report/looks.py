"""A study that is judged more than once: which level counts at which number of seeds, and looks nobody declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapterxfer.report.model import Caution
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
        f"declares no such look. Who stops at the first significant result finds a difference that is not there in up "
        f"to {rate:.0%} of studies, not in {alpha:.0%}. Declare statistics.looks before the first run.",
    )


def _times(looks: Sequence[int]) -> str:
    return "a report" if len(looks) == 1 else f"{len(looks)} reports"


def _listed(looks: Sequence[int]) -> str:
    return ", ".join(map(str, looks))
