"""How much a score with labelled data in the target language varies, as one row of a report."""

from __future__ import annotations

from dataclasses import dataclass

from adapterxfer.recipe.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnRow(Axes):
    """One system on one supervised target: components of the deviation of its mean score over the target languages.

    Attributes:
        draw: standard deviation over draws within a run, in points; None with one draw in each.
        run: standard deviation over runs beyond that; with one draw in each, what draws add is in it.
        mean: standard error of the mean over all runs; None with one run.
        runs: how many there are.
        draws: of each.
    """

    draw: float | None
    run: float | None
    mean: float | None
    runs: int
    draws: int
