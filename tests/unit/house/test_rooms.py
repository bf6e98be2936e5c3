"""The walls of the house: which room may import which, who may import a heavy library, and what stays torch-free."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import adapterxfer

PACKAGE = Path(adapterxfer.__file__).parent
HEAVY = ("torch", "transformers", "adapters", "peft", "datasets", "accelerate", "ray", "submitit", "rich", "matplotlib")

FACTS = {"errors", "catalog", "world"}
"""What any room may know: errors, the catalogue, and the literal facts of the world."""

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "catalog": {"errors", "world"},
    "world": {"errors", "data", "pretraining"},
    "recipe": {"errors", "catalog", "store"},  # store.keys: the digest of a recipe
    "durable": {"errors"},
    "store": {"errors", "durable"},  # durable.files: torch-free
    "plan": FACTS | {"recipe", "store", "data", "backbones"},  # backbones.describing: torch-free
    "data": {"errors", "catalog"},
    "metrics": {"errors", "catalog"},
    "statistics": {"errors"},
    "pretraining": {"errors", "data", "durable"},
    "backbones": FACTS | {"pretraining"},
    "formats": {"errors", "data", "metrics"},
    "variants": {"errors", "catalog", "backbones", "formats", "durable"},  # durable.tensors: how weights are written
    "training": {"errors", "catalog", "durable", "data", "formats", "metrics", "variants", "backbones"},
    "predict": FACTS | {"data", "formats", "metrics", "variants", "backbones", "store"},
    "report": FACTS | {"store", "metrics", "statistics", "predict", "plan", "recipe", "data"},
    "stages": FACTS
    | {"store", "durable", "data", "pretraining", "backbones", "variants", "formats", "training", "predict"}
    | {"metrics", "report"},
    "hub": FACTS
    | {"store", "recipe", "plan", "data", "backbones", "variants", "formats", "training", "predict", "metrics"}
    | {"report", "statistics", "stages"},
    "engines": {"errors", "store", "stages", "plan", "recipe"},
    "advice": FACTS
    | {"recipe", "plan", "store", "data", "backbones", "formats", "variants", "training", "predict", "report"}
    | {"statistics"},
    "exchange": FACTS | {"metrics", "predict", "recipe", "report", "statistics", "store"},
    "api": FACTS
    | {"recipe", "plan", "store", "engines", "report", "hub", "advice"}  # hub.early: torch-free
    | {"exchange"},
    "__main__": {"cli"},
    "cli": FACTS
    | {"api", "recipe", "plan", "store", "engines", "report", "data", "metrics", "hub", "advice"}
    | {"exchange"},
}

ONLY_IN: dict[str, set[str]] = {
    "adapters": {"variants"},  # the engine of methods adapters:CONFIG (extra "adapters"); an oracle of the tests too
    "peft": {"variants"},  # the engine of methods peft:TYPE (extra "peft"); an oracle of the tests too
    "bitsandbytes": {"backbones"},
    "torchao": {"backbones"},
    "datasets": {"data"},
    "accelerate": {"training"},
    "ray": {"engines"},
    "submitit": {"engines"},
    "tensorboard": {"api"},
    "trackio": {"api"},
    "wandb": {"api"},
    "rich": {"cli"},
    "matplotlib": {"report"},
    "huggingface_hub": {"hub", "backbones"},
}

TORCH_FREE = {"errors", "catalog", "recipe", "store", "plan", "statistics", "metrics", "report", "exchange", "cli"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(tree: ast.AST) -> list[str]:
    modules: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide which room is meant"
            module = node.module or ""
            modules += [f"{module}.{alias.name}" if module == "adapterxfer" else module for alias in node.names]
    return modules


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__init__.py" or path.parent != PACKAGE]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_the_rooms_below_it(path: Path) -> None:
    room = room_of(path)
    modules = imported_modules(ast.parse(path.read_text(encoding="utf-8")))
    rooms = {module.split(".")[1] for module in modules if module.startswith("adapterxfer.")}
    assert rooms - {room} <= MAY_IMPORT[room], f"{room} may not import {sorted(rooms - {room} - MAY_IMPORT[room])}"
    for module in modules:
        library = module.split(".")[0]
        assert room in ONLY_IN.get(library, {room}), f"{library} belongs to {sorted(ONLY_IN[library])}, not to {room}"
        if room in TORCH_FREE:
            assert library not in {"torch", "transformers"}, f"{room} must stay torch-free"


def test_the_rules_name_every_room() -> None:
    rooms = {room_of(path) for path in FILES}
    assert rooms == set(MAY_IMPORT), "a room without rules, or rules without a room"


@pytest.mark.parametrize(
    "code",
    [
        "import adapterxfer",
        "from adapterxfer.cli.main import build_parser; build_parser()",
        "from adapterxfer import load_recipe, build_plan",
        "from adapterxfer import run, Results, compare",
        "import adapterxfer.hub.card, adapterxfer.hub.bundle_results, adapterxfer.hub.pushing, adapterxfer.hub.pulling",
        "import adapterxfer.hub.early, adapterxfer.hub.choosing, adapterxfer.hub.collection",
    ],
)
def test_imports_stay_light(code: str) -> None:
    """`import torch` alone takes seconds; the light commands must not pay for it."""
    check = f"import sys; {code}; print([name for name in {HEAVY[:6]!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_files_stay_readable() -> None:
    long = {
        str(path.relative_to(PACKAGE)): lines
        for path in FILES
        if room_of(path) != "catalog"  # tables of facts
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > 600
    }
    assert not long, "over 600 lines: more than one idea"
