"""Deterministic SVG from matplotlib, for a file of its own and for a page with a light and a dark scheme.

A figure is drawn in a few marker colours. In a file they stay as they are, on white; inside the page they become CSS
variables, so the page decides what they look like on a dark ground.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapterxfer.report.svg_inline import Inline, inline

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

INK = "#1b1d21"
GRID = "#d9dce1"
MUTED = "#6b7280"
SERIES = ("#2563eb", "#d9570f", "#11845b", "#8b3fd1", "#c2185b", "#0e7490", "#8a6d00", "#57534e")
"""Series colours; at least 4.5 to 1 on white, and replaced by lighter ones on a dark ground."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

_VARIABLES = {INK: "currentColor", GRID: "var(--grid)", MUTED: "var(--muted)"} | {
    color: f"var(--series-{index})" for index, color in enumerate(SERIES, start=1)
}

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing of a figure; several stand side by side.

    Attributes:
        name: of its file, without the ending.
        alt: what it shows, for readers who cannot see it.
        svg: a document of its own.
    """

    name: str
    alt: str
    svg: str

    @property
    def inline(self) -> Inline:
        """The drawing for a page: small, with the page's colours and ids of its own."""
        return inline(self.svg, name=self.name, alt=self.alt, colours=_VARIABLES)


@dataclass(frozen=True, slots=True)
class Figure:
    """Panels with one title and one caption.

    Attributes:
        shown: whether the page shows it; the others are files beside it.
    """

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    shown: bool = False


@contextmanager
def drawing(name: str, *, width_inches: float, height_inches: float) -> Iterator[Canvas]:
    """An empty figure in the style of the report; nothing global is changed after the block."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Drawing

    style: Any = {**_STYLE, "svg.hashsalt": name}
    with mpl.rc_context(style):
        figure = Drawing(figsize=(width_inches, height_inches))
        FigureCanvasSVG(figure)
        yield figure


def finish(figure: Canvas, name: str, alt: str) -> Panel:
    """Write a figure drawn inside `drawing` as SVG without a date, a creator or any outside reference."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = re.sub(r"<!DOCTYPE.*?>\n?", "", buffer.getvalue(), flags=re.DOTALL)
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)
    ground = '<rect class="ground" width="100%" height="100%" fill="#ffffff"/>'
    text = re.sub(r"(<svg[^>]*>)", rf"\1\n <title>{_escape(alt)}</title>\n {ground}", text, count=1)
    return Panel(name, alt, "\n".join(line.rstrip() for line in text.splitlines()) + "\n")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
