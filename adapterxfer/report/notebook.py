"""A few facts as a small table of HTML, for notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


def facts_html(title: str, facts: Mapping[str, object]) -> str:
    """A title and one row per fact, escaped, without style: a notebook brings its own."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in facts.items())
    return f"<p><strong>{escape(title)}</strong></p><table>{rows}</table>"


def progress_html(done: int, total: int) -> str:
    """A bar, as a browser draws it."""
    return f'<progress value="{done}" max="{total}" style="width: 20em">{done} of {total}</progress>'
