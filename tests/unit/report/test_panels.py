"""What figures share: names that fit below a column, legends in the middle of a panel."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import matplotlib.figure
import pytest

from adapterxfer.report.panels import place_axes, place_legend, short_size


def findings(*names: str) -> Any:
    facts = [SimpleNamespace(name=n, untrained=False, non_embedding_parameters=1000, parameters=2000) for n in names]
    return SimpleNamespace(backbones=facts)


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (("world-nano", "world-micro"), ("nano", "micro")),
        (("e5-small-4bit-l3", "e5-small-4bit-l12"), ("l3", "l12")),
        (("xlm-r", "xlm-r-large"), ("xlm-r", "xlm-r-large")),
        (("xlm-r-base", "mt5-small"), ("xlm-r-base", "mt5-small")),
        (("alone-big",), ("alone-big",)),
    ],
)
def test_names_are_without_what_all_begin_with(names: tuple[str, ...], short: tuple[str, ...]) -> None:
    shown = [short_size(findings(*names), name).split("\n") for name in names]
    assert tuple(name for name, _ in shown) == short
    assert {size for _, size in shown} == {"1000"}


@pytest.mark.parametrize("left", [0.125, 0.5])
def test_a_legend_is_in_the_middle_of_its_panel(left: float) -> None:
    figure = matplotlib.figure.Figure(figsize=(4.7, 3.5))
    axes = place_axes(figure, left=left)
    axes.plot([], [], label="a family")
    place_legend(axes)
    middle = axes.get_legend().get_bbox_to_anchor()
    assert middle.x0 / figure.bbox.width == pytest.approx(0.5)
