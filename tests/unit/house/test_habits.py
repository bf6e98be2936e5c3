"""Files that tools and people look for at the root agree with the project."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins() -> dict[str, str]:
    """Exact versions of the extra ``dev``."""
    pinned = [line.split("==") for line in PROJECT["project"]["optional-dependencies"]["dev"] if "==" in line]
    return {name: version for name, version in pinned}  # noqa: C416 - pairs


def test_hooks_check_with_the_versions_of_the_project() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    assert [hook["id"] for hook in hooks] == ["ruff", "ruff-format", "mypy"]
    for hook in hooks[:2]:
        assert hook["additional_dependencies"] == [f"ruff=={pins()['ruff']}"]
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert {f"{name}=={version}" for name, version in pins().items()} <= set(constraints)


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == PROJECT["project"]["version"]
    assert citation["license"] == PROJECT["project"]["license"]
    assert citation.keys() >= {"message", "title", "authors", "type"}


def test_the_changelog_has_this_version_and_what_comes_next() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", text, flags=re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    assert PROJECT["project"]["version"] in [version for version, date in headings if date]
    kinds = set(re.findall(r"^### (\w+)$", text, flags=re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "adapterxfer" / "py.typed").is_file()
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["only-include"] == ["adapterxfer", "recipes", "docs"]
    assert wheel["sources"] == {"recipes": "adapterxfer/recipes", "docs": "adapterxfer/docs"}
