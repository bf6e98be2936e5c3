"""The examples of CONTRIBUTING.md, as a reader would type them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """What stands below one heading."""
    (text,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    return str(text)


def blocks(title: str, language: str = "python") -> list[str]:
    """Fenced examples of a section, in order."""
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


def arguments(block: str, **names: Any) -> dict[str, Any]:
    """Keyword arguments of an example ``Record(...),`` that is put into a table.

    Args:
        names: what stands around the table in its file, by name.
    """
    record = block.partition("(")[0]
    (values,) = eval(block, {**names, record: dict})
    return dict(values)
