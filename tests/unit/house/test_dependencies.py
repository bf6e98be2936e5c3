"""What the package imports is declared, and what is declared is imported."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import adapterxfer

PACKAGE = Path(adapterxfer.__file__).parent
PROJECT: dict[str, Any] = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

MODULES = {"pyyaml": "yaml"}
"""Distribution -> module, where the names differ."""

NOT_IMPORTED = {
    "protobuf": "transformers reads SentencePiece models with it",
}

EXTRAS = ("adapters", "peft", "quantized", "ray", "slurm", "tensorboard", "trackio", "wandb")
"""Extras that add to the package; the others are for its tests."""


def module_of(requirement: str) -> str:
    name = re.split(r"[<>=!~ \[]", requirement, maxsplit=1)[0].lower().replace("-", "_")
    return MODULES.get(name, name)


def imported() -> set[str]:
    modules: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.split(".")[0])
    return modules - sys.stdlib_module_names - {"adapterxfer"}


def declared() -> set[str]:
    extras = [requirement for name in EXTRAS for requirement in PROJECT["optional-dependencies"][name]]
    return {module_of(requirement) for requirement in [*PROJECT["dependencies"], *extras]}


def test_what_is_imported_is_declared() -> None:
    assert imported() <= declared()


def test_what_is_declared_is_imported() -> None:
    assert declared() - imported() == NOT_IMPORTED.keys()


VERSIONS = {"constraints.txt": ("5.", "2."), "constraints-adapters.txt": ("4.57.", "0.")}
"""File -> beginnings of its versions of transformers and huggingface_hub."""


@pytest.mark.parametrize("name", VERSIONS)
def test_both_files_of_versions_are_allowed_by_the_declaration(name: str) -> None:
    lines = (PACKAGE.parent / name).read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {distribution.lower().replace("-", "_"): version for distribution, version in pinned.items()}
    assert pinned["transformers"].startswith(VERSIONS[name][0])
    assert pinned["huggingface_hub"].startswith(VERSIONS[name][1])
    assert ("adapters" in pinned) == (name == "constraints-adapters.txt")
    for requirement in map(Requirement, PROJECT["dependencies"]):
        version = pinned[requirement.name.lower().replace("-", "_")]
        assert requirement.specifier.contains(version), f"{name}: {requirement.name}=={version}"


@pytest.mark.parametrize("library", ["adapters", "peft"])
def test_the_libraries_that_are_compared_with_are_no_requirement(library: str) -> None:
    assert library not in {module_of(requirement) for requirement in PROJECT["dependencies"]}
    assert library in {module_of(requirement) for requirement in PROJECT["optional-dependencies"]["parity"]}
