"""Keys that templates write are those that `Stage` computes of the same content."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapterxfer.plan import build_plan
from adapterxfer.plan.templates import Template, Texts
from adapterxfer.recipe import load_recipe
from adapterxfer.store.keys import Stage, canonical_json

RECIPES = sorted((Path(__file__).parents[3] / "recipes").glob("*.yaml"))
NAMES = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\0%"), min_size=1, max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10**9) | st.floats(0, 1) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
KEYS = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(
    st.dictionaries(NAMES, VALUES, max_size=4), st.dictionaries(NAMES, KEYS, max_size=3),
    st.dictionaries(NAMES, KEYS, max_size=3), st.booleans(), st.integers(0, 10**7),
)  # fmt: skip
def test_same_key_as_a_stage_of_the_same_content(
    identity: dict[str, object], inputs: dict[str, str], others: dict[str, str], seeded: bool, seed: int
) -> None:
    template = Template("merge", 3, identity, inputs, roles=tuple(others), seeded=seeded)
    keys = tuple(others.values())
    stage = template.stage(template.key(seed, keys), seed, keys, slug="s", labels={}, resources={})
    whole = {**identity, "seed": seed} if seeded else identity
    expected = Stage(kind="merge", version=3, identity=whole, inputs={**inputs, **others})
    assert (stage.key, stage.identity, stage.inputs) == (expected.key, expected.identity, expected.inputs)


def test_texts_of_values_are_canonical_json() -> None:
    texts = Texts()
    for value in ("a", "%s\0", 1, 1.0, True, None, 0, False, [1], {"b": 1, "a": [None]}, [1.0]):
        assert texts.of(value) == texts.of(value) == canonical_json(value)
    for number in range(100):
        assert texts.of([number]) == f"[{number}]"  # the list before is gone, and its id may be this one's


@pytest.mark.parametrize("set_", [(), ("world=true",), ("world=true", "oracle=true", "seeds=[1, 2]")], ids=str)
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_key_of_the_shipped_recipes_belongs_to_its_content(path: Path, set_: tuple[str, ...]) -> None:
    if path.stem == "xtreme-r-scaling" and "world=true" not in set_:
        set_ = (*set_, "seeds=[1]", "backbones=[xlm-r-base]")
    try:
        stages = build_plan(load_recipe(path, set_)).stages
    except Exception as error:
        pytest.skip(f"not for this recipe: {error}")
    before: set[str] = set()
    for key, stage in stages.items():
        assert Stage.from_json(stage.as_json()).key == key
        assert before.issuperset(stage.inputs.values())
        before.add(key)
