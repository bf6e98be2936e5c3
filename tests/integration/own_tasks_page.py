"""The examples of docs/own-tasks.md, as a test runs them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).parents[2] / "docs" / "own-tasks.md"


def blocks(language: str) -> list[str]:
    """Fenced blocks of a language, in the order of the page."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(text) for _, text in found]


def recipe() -> str:
    """The complete recipe of the page."""
    return blocks("yaml")[0]


def declarations() -> dict[str, str]:
    """Name -> the text of every declaration of the page beside that of the complete recipe."""
    texts = blocks("yaml")[1:]
    return {next(iter(yaml.safe_load(text))): text for text in texts}


def study(names: list[str], *, targets: list[str], intermediates: list[str], root: Path | None, **more: Any) -> str:
    """A small recipe with some declarations of the page, as text."""
    values: dict[str, Any] = {
        "recipe": 1,
        "name": "own",
        "backbones": ["world-nano"],
        "intermediate_tasks": ["none", *intermediates],
        "target_tasks": targets,
        "variants": ["full-ft"],
        "seeds": [1],
        "train": {"default": {"batch_size": 8, "steps": 4, "learning_rate": 0.001}},
        "statistics": {"resamples": 200},
        **({"data_root": str(root)} if root is not None else {}),
        **more,
    }
    head = yaml.safe_dump(values, sort_keys=False)
    return head + "tasks:\n" + "".join(textwrap.indent(declarations()[name], "  ") for name in names)
