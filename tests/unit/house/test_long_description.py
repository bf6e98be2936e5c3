"""What an index of packages shows: the README without links that lead nowhere there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HOOK = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]


def description() -> str:
    """The README as the hook of the build writes it."""
    (fragment,) = HOOK["fragments"]
    text = (ROOT / fragment["path"]).read_text(encoding="utf-8")
    for change in HOOK["substitutions"]:
        text = re.sub(change["pattern"], change["replacement"], text)
    return text


def test_its_links_are_absolute() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(re.findall(r"\]\((?!https?:)", readme)) > 30
    assert re.findall(r"\]\((?!https?:)[^)]*\)", description()) == []


def test_a_link_leaves_the_name_of_its_file() -> None:
    text = description()
    assert "Concepts (docs/concepts.md)" in text
    assert "Security (SECURITY.md)" in text
    named = re.findall(r" \(((?:docs/|[A-Z]+\.md)[^)#]*)", text)
    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_pictures_go_with_the_line_below_them() -> None:
    readme, text = (ROOT / "README.md").read_text(encoding="utf-8"), description()
    for words in ("![Gain from intermediate training", "*Synthetic demonstration:"):
        assert words in readme
        assert words not in text
    assert "say what they resampled.\n\n## Try it\n" in text
