"""Metrics that installed packages add: found by their entry points, checked by the function that their tests call."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapterxfer.catalog.scores import scores_of
from adapterxfer.errors import DataError, RecipeError
from adapterxfer.metrics import METRICS, Metric, check_metric, count_predictions, get_metric, is_metric, read_metric
from adapterxfer.recipe import parse_recipe

PAGE = (Path(__file__).parents[3] / "docs" / "own-tasks.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """``install(module, code)`` puts a package on the path whose entry point `near` is its object ``NEAR``."""

    def put(module: str, code: str) -> None:
        (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
        facts = tmp_path / f"{module}-1.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
        (facts / "entry_points.txt").write_text(f"[adapterxfer.metrics]\nnear = {module}:NEAR\n", encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))

    return put


def test_the_metric_of_the_page_is_found_and_keeps_to_the_contract(install: Install) -> None:
    install("near_by_page", CODE[0])
    names: dict[str, Any] = {}
    exec(CODE[1], names)
    names["test_near"]()
    metric = get_metric("near", format_name="sequence_classification")
    sums = count_predictions(metric, ["3", "1", "5"], ["3", "2", "1"]).sum(axis=0)
    assert float(metric.score(sums)) == pytest.approx(200 / 3)
    assert is_metric("near")
    assert read_metric("near", metric.columns) is metric
    assert "near" in scores_of("sequence_classification")
    assert "near" not in scores_of("tagging")


RECIPE = """
recipe: 1
name: r
backbones: [world-nano]
intermediate_tasks: [none]
target_tasks: [stars]
variants: [full-ft]
seeds: [1]
data_root: data
train: {{default: {{steps: 1, learning_rate: 1e-3}}}}
tasks:
  stars:
    format: {form}
    labels: {labels}
    metric: near
    languages: [sw]
    layout: {{train: {{path: a.csv}}, test: {{path: b.csv}}}}
"""


def test_a_recipe_may_name_it_for_its_formats_alone(install: Install) -> None:
    text = RECIPE.format(form="sequence_classification", labels='["1", "2"]')
    with pytest.raises(RecipeError, match="'near' is not one of: accuracy"):
        parse_recipe(text)
    install("near_in_recipe", CODE[0])
    assert parse_recipe(text).task("stars").metric == "near"
    with pytest.raises(RecipeError, match="'near' scores sequence_classification, not tagging"):
        parse_recipe(RECIPE.format(form="tagging", labels="[O, B-X]"))


@pytest.mark.parametrize(
    ("module", "code", "message"),
    [
        ("near_absent", "", "cannot be loaded .AttributeError"),
        ("near_raises", "raise RuntimeError('no')", "cannot be loaded .RuntimeError: no"),
        ("near_number", "NEAR = 3", "is a int, no Metric named 'near'"),
        ("near_other", CODE[0].replace('name="near"', 'name="far"'), "is a Metric, no Metric named 'near'"),
    ],
)
def test_what_is_no_metric_is_said(install: Install, module: str, code: str, message: str) -> None:
    install(module, code)
    with pytest.raises(DataError, match=message):
        get_metric("near", format_name="sequence_classification")
    with pytest.raises(RecipeError, match=message):
        parse_recipe(RECIPE.format(form="sequence_classification", labels='["1", "2"]'))


def changed(**parts: Any) -> Metric:
    return Metric(
        **{
            "name": "m",
            "columns": ("right", "total"),
            "protocol": "m",
            "score": METRICS["accuracy"].score,
            "count": METRICS["accuracy"].count,
            **parts,
        }
    )


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"columns": ("right", "right")}, "columns right, right"),
        ({"protocol": ""}, "no protocol"),
        ({"count": lambda _p, _g: (1.0,)}, "count gives .1.0,., no row of 2 numbers"),
        ({"count": lambda p, g: (-1.0, 1.0)}, "no counts of 'm'"),
        ({"count": lambda p, g: (0.5, 1.0)}, "'right' holds fractions"),
        ({"count": lambda p, g: (float(np.random.default_rng().integers(9)), 9.0)}, "two counts of one example differ"),
        ({"score": lambda sums: 100.0 * sums[0] / sums[1]}, "rows of sums get other scores|cannot be computed"),
        ({"score": lambda sums: np.asarray(sums)[..., 0]}, "three times every count gives another score"),
        ({"score": lambda sums: np.asarray(sums)[..., 0] * np.nan}, "all examples together score nan"),
        ({"score": lambda sums: -METRICS["accuracy"].score(sums)}, "a score is below 0"),
    ],
    ids=range(10),
)
def test_a_broken_contract_is_named(parts: dict[str, Any], message: str) -> None:
    answers = [("a", "a"), ("b", "a"), ("a", "b"), ("b", "b"), ("b", "a"), ("a", "a")]
    assert check_metric(changed(), answers)
    with pytest.raises(DataError, match=message):
        check_metric(changed(**parts), answers)
