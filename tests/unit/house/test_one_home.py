"""One concept, one home: in how many files the code names a given method, task, variant or encoder.

A file names it where a string literal is exactly the name, or holds it as a word of a table, of a pattern or of a cell
such as ``stack/lora``. Docstrings do not count, nor do sentences for people.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import adapterxfer
from adapterxfer.catalog import METHODS, VARIANTS, backbones, data_sets, task_specs
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.world.task_list import TASKS as WORLD_TASKS

PACKAGE = Path(adapterxfer.__file__).parent


class Concept(NamedTuple):
    """What is counted.

    Attributes:
        names: every one of the catalogue.
        limit: in how many files each may stand, whatever the reason.
        homes: folders or files of the specifications: exactly one file there names it.
        between: what stands between words of a table, a pattern or a cell.
    """

    names: Iterable[str]
    limit: int
    homes: tuple[str, ...]
    between: str


_WORDS = r"(?:[\s|/,=()]|\?:)+"
_CELLS = r"[\s|]+"
"""Slashes of tasks are those of repositories and protocols: ``google/xquad``, ``udpos/seqeval-0.0.12``."""

TASKS = (*task_specs(), *data_sets(), *WORLD_TASKS)

CONCEPTS = {
    "method": Concept(METHODS, 2, ("catalog/methods/",), _WORDS),
    "task": Concept(TASKS, 1, ("catalog/families/", "world/task_list.py"), _CELLS),
    "variant": Concept(VARIANTS, 3, ("catalog/variants.py",), _WORDS),
    "architecture": Concept(ARCHITECTURES, 2, ("catalog/architectures/",), _WORDS),
}

BACKBONES = "catalog/backbones.py"
"""The table of public backbones says of each which architecture it is."""

ELSEWHERE: dict[tuple[str, str], set[str]] = {
    **{("architecture", backbone.model_type): {BACKBONES} for backbone in backbones().values()},
    # A kind of stage, and a key of a stored model's description: both are older than the variant and mean the joining.
    ("variant", "merge"): {"store/kinds.py", "variants/storage.py"},
}
"""Names that stand in files beside their home, and in which; it may shrink, not grow."""

OTHER_MEANINGS: dict[tuple[str, str], set[str]] = {
    # Series of backbones, whose pretraining texts are listed there, are called like the architecture of all of them.
    ("architecture", "mt5"): {"catalog/pretraining.py"},
    **{("architecture", name): {"catalog/pretraining.py"} for name in ("rembert", "eurobert", "gte")},
    # Start values of the library `adapters` are called so.
    ("architecture", "bert"): {"hub/library_files.py"},
}
"""Equal words for something else; not counted."""


def words_of(text: str, between: str) -> set[str]:
    """A literal itself, and its words unless it is a sentence."""
    sentence = re.search(r"\s", text) and not re.search(r"[|\n]", text)
    return {text} if sentence else {text, *re.split(between, text)}


def literals_of(source: str) -> set[str]:
    """String literals of a file, those that are statements (docstrings) left out."""
    tree = ast.parse(source)
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements
    }


@cache
def literals() -> dict[str, set[str]]:
    """File of the package -> its string literals."""
    return {
        path.relative_to(PACKAGE).as_posix(): literals_of(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@cache
def package(between: str) -> dict[str, set[str]]:
    """File of the package -> the words of its string literals."""
    return {file: {word for text in texts for word in words_of(text, between)} for file, texts in literals().items()}


def problems_of(kind: str, name: str, files: Mapping[str, set[str]]) -> list[str]:
    """What is wrong with the files (with their words) that name one thing of a concept; empty if nothing is."""
    concept = CONCEPTS[kind]
    holding = {file for file, words in files.items() if name in words} - OTHER_MEANINGS.get((kind, name), set())
    homes = {file for file in holding if file.startswith(concept.homes)}
    listed = ELSEWHERE.get((kind, name), set())
    problems = [] if len(homes) == 1 else [f"its specification is in {sorted(homes) or 'no file that the count sees'}"]
    if holding - homes - listed:
        problems.append(f"also named in {sorted(holding - homes - listed)}: read its specification instead")
    if listed - holding:
        problems.append(f"not named any more in {sorted(listed - holding)}: take that out of ELSEWHERE")
    if len(holding) > concept.limit:
        problems.append(f"stands in {len(holding)} files, at most {concept.limit}: {sorted(holding)}")
    return problems


ALL = [(kind, name) for kind, concept in CONCEPTS.items() for name in dict.fromkeys(concept.names)]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_a_name_stands_in_its_home(kind: str, name: str) -> None:
    assert not problems_of(kind, name, package(CONCEPTS[kind].between))


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_one_more_file_is_one_too_many(kind: str, name: str) -> None:
    between = CONCEPTS[kind].between
    for text in (name, f"one | {name} | two"):
        more = {**package(between), "report/somewhere.py": words_of(text, between)}
        assert "also named in ['report/somewhere.py']: read its specification instead" in problems_of(kind, name, more)
    assert problems_of(kind, name, {}), "a name that is counted nowhere goes unnoticed"


def test_files_that_do_not_name_it_any_more_leave_the_list() -> None:
    fewer = {file: words for file, words in package(_WORDS).items() if file != BACKBONES}
    assert problems_of("architecture", "mt5", fewer) == [
        f"not named any more in ['{BACKBONES}']: take that out of ELSEWHERE"
    ]
    for (kind, name), files in OTHER_MEANINGS.items():
        assert all(name in package(CONCEPTS[kind].between)[file] for file in files)


def test_limits_hold_whatever_the_list_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ELSEWHERE, ("method", "lora"), {"a.py", "b.py"})
    more = {**package(_WORDS), "a.py": {"lora"}, "b.py": words_of(r"\.(?:lora|vera)_", _WORDS)}
    assert problems_of("method", "lora", more) == [
        "stands in 3 files, at most 2: ['a.py', 'b.py', 'catalog/methods/low_rank.py']"
    ]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('"""About xnli."""\nif task == "xnli":\n    x = "one | mnli"\n', {"xnli", "mnli"}),
        ('x = "train on xnli first"\ny = f"xnli {task}"\n', set()),
        ('x = "google/xnli"\n', set()),
        ('x = """\nudpos\nmnli 3\n"""\n', {"udpos", "mnli"}),
    ],
)
def test_what_counts_as_a_name(source: str, names: set[str]) -> None:
    counted = {word for text in literals_of(source) for word in words_of(text, _CELLS)}
    assert counted & {"xnli", "mnli", "udpos"} == names
    assert words_of("stack/lora", _WORDS) >= {"stack", "lora"}
    assert words_of(r"\.(?:lora|vera)_", _WORDS) >= {"lora", "vera"}
