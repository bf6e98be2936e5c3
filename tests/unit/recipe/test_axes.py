"""The six axes of a study are one record, and every record in the grid is one."""

from __future__ import annotations

import ast
from pathlib import Path

import adapterxfer
from adapterxfer.plan import Cell
from adapterxfer.recipe.axes import AXES, Axes, within
from adapterxfer.report.content import Effect, Score
from adapterxfer.report.display import Cell as ReportCell
from adapterxfer.report.results import ScoreRow

PACKAGE = Path(adapterxfer.__file__).parent


def test_axes_are_named_in_order_and_read_back() -> None:
    axes = Axes(
        backbone="tiny", variant="stack", adapter="seq_bn/2+language", intermediate="nli", target="xnli", seed=3
    )
    assert tuple(axes.values()) == AXES
    assert Axes(**axes.values()) == axes
    assert axes.method == "seq_bn"
    assert Axes(adapter="ia3").method == "ia3"


def test_a_selection_narrows_the_axes_that_it_names() -> None:
    axes = Axes(backbone="tiny", variant="stack", seed=3)
    assert within(axes, {})
    assert within(axes, {"variant": {"stack", "fuse"}, "seed": {3}})
    assert not within(axes, {"variant": {"stack"}, "seed": {1}})


def test_there_is_one_cell_and_it_stands_on_the_axes() -> None:
    assert ReportCell is Cell
    cell = Cell.from_labels(
        {"backbone": "tiny", "variant": "stack", "adapter": {"method": "lora", "rank": 8}, "seed": "2"}
    )
    assert cell.adapter == "lora/8"
    assert cell.intermediate == "none"
    assert Axes.of(cell) == Axes(backbone="tiny", variant="stack", adapter="lora/8", intermediate="none", seed=2)
    assert Cell.from_labels(cell.labels() | {"predict": ""}) == cell
    assert all(issubclass(kind, Axes) for kind in (Cell, Effect, Score, ScoreRow))


def test_no_other_record_spells_the_axes() -> None:
    """Four of the six names as fields of one class, or as one literal, are a second copy."""
    copies = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: set[str] = set()
            if isinstance(node, ast.ClassDef):
                lines = (line.target for line in node.body if isinstance(line, ast.AnnAssign))
                names = {target.id for target in lines if isinstance(target, ast.Name)}
            elif isinstance(node, ast.Tuple | ast.List | ast.Set):
                names = {str(item.value) for item in node.elts if isinstance(item, ast.Constant)}
            elif isinstance(node, ast.FunctionDef):
                names = {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}
            if len(names & set(AXES)) >= 4:
                copies.append(f"{path.relative_to(PACKAGE)}:{getattr(node, 'name', 'literal')}")
    assert sorted(copies) == sorted(ALLOWED)


ALLOWED = (
    "hub/collection.py:IndexRow",  # the index of published bundles: a format of its own
    "recipe/axes.py:Axes",
    "recipe/hypotheses.py:Selection",  # a schema: lists of values per axis
    "recipe/hypotheses.py:literal",  # the type that a recipe's `each` is checked against
    "recipe/schema.py:Exclusion",
    "training/building.py:build_single",  # parts of a model, not places in the grid
)
