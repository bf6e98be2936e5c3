"""Whatever a file holds, reading it ends in a recipe or in one RecipeError that can be printed."""

from __future__ import annotations

import contextlib
from pathlib import Path

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapterxfer.errors import RecipeError
from adapterxfer.recipe import parse_recipe

QUICKSTART = (Path(__file__).parents[3] / "recipes" / "quickstart.yaml").read_text(encoding="utf-8")
REAL_TEXT = (Path(__file__).parents[3] / "recipes" / "real-text.yaml").read_text(encoding="utf-8")
KEYS = tuple(yaml.safe_load(QUICKSTART)) + tuple(yaml.safe_load(REAL_TEXT)) + ("exclude", "multi", "fusion_task")

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["none", "multi", "pool", "world-nano", "full-ft", "stack", "auto", "world-xnli", "en"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)


def check(text: str | bytes, *set_: str) -> None:
    caught: RecipeError | None = None
    try:
        parse_recipe(text, "r.yaml", set_)
    except RecipeError as error:
        caught = error
    if caught is not None:
        assert caught.problems
        assert str(caught).startswith("r.yaml: ")
        assert all(problem.line >= 1 and problem.column >= 1 for problem in caught.problems)


@few
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    check(text)


@few
@given(st.binary(max_size=100))
def test_any_bytes(text: bytes) -> None:
    check(text)


@few
@given(st.text(alphabet="{}[]:,-#&*!|>'\"%@`? \nab01.\t\\", max_size=60))
def test_yaml_punctuation(text: str) -> None:
    check(text)


@few
@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=4))
@example({"controls": [{}], "pretrain": {"tokens": {"a": True}}})
def test_a_good_recipe_with_some_keys_replaced(changes: dict[str, object]) -> None:
    check(yaml.safe_dump({**yaml.safe_load(QUICKSTART), **changes}, allow_unicode=True))


@few
@given(st.integers(0, len(REAL_TEXT)), st.text(max_size=4), st.integers(0, 5))
def test_a_good_recipe_with_a_typing_slip(position: int, inserted: str, removed: int) -> None:
    check(REAL_TEXT[:position] + inserted + REAL_TEXT[position + removed :])


@few
@given(st.text(max_size=30), st.sampled_from(KEYS))
def test_any_change(text: str, key: str) -> None:
    check(QUICKSTART, text)
    check(QUICKSTART, f"{key}={text}")
    with contextlib.suppress(RecipeError):
        parse_recipe(QUICKSTART, "r.yaml", [f"{key}.{text}"])
