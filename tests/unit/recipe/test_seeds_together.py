"""``seeds_together``: where it applies, and what it cannot be combined with."""

from __future__ import annotations

import pytest

from adapterxfer.errors import RecipeError
from adapterxfer.recipe import parse_recipe, training_settings
from adapterxfer.recipe.checks import notes

TEXT = """\
recipe: 1
name: together
backbones: [world-nano]
intermediate_tasks: [none, world-nli, world-qa, multi]
target_tasks: [world-xnli]
variants: [full-ft, stack, fuse, head-only]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2]
train:
  default: {learning_rate: 1e-3, steps: 10, seeds_together: true}
"""


@pytest.mark.parametrize(
    ("phase", "mode", "task", "expected"),
    [
        ("target", "adapters", "world-xnli", True),
        ("target", "head-only", "world-xnli", True),
        ("intermediate", "adapters", "world-nli", True),
        ("intermediate", "adapters", "multi", None),
        ("target", "full-ft", "world-xnli", None),
        ("fusion", "fuse", "world-xnli", None),
        ("", "language", "", None),
    ],
)
def test_where_it_applies(phase: str, mode: str, task: str, expected: bool | None) -> None:
    def settings(text: str) -> dict[str, object]:
        return training_settings(parse_recipe(text), phase=phase, mode=mode, task=task, backbone="world-nano")

    found = settings(TEXT)
    assert found.get("seeds_together") is expected
    without = {name: value for name, value in found.items() if name != "seeds_together"}
    for other in (TEXT.replace("true}", "false}"), TEXT.replace(", seeds_together: true", "")):
        assert settings(other) == without


def test_one_seed_has_no_group() -> None:
    recipe = parse_recipe(TEXT.replace("[1, 2]", "[1]"))
    found = training_settings(recipe, phase="target", mode="adapters", task="world-xnli", backbone="world-nano")
    assert "seeds_together" not in found
    assert "seeds_together has no effect: the recipe has one seed" in notes(recipe)
    assert not any("seeds_together" in note for note in notes(parse_recipe(TEXT)))


def problems(*changes: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(TEXT, "r.yaml", changes)
    return [line for line in str(caught.value).splitlines() if "seeds_together" in line]


def test_what_cannot_be_combined_is_told_at_once() -> None:
    found = problems(
        "train.default.selection=dev",
        "train.default.compile=true",
        "train.head-only.cache_bottom=true",
        "variants=[stack, head-only]",
        "adapters=[{method: lora, rank: 2}]",
        "resources.world-nano.head-only.gpus=2",
        "oracle=true",
    )
    for part in (
        "seeds_together and compile cannot be combined",
        "seeds_together and cache_bottom cannot be combined",
        "selection: dev would evaluate every seed by itself",
        "the weights of adapter 'lora/2' cannot be stacked; use seq_bn, double_seq_bn, par_bn",
        "resources of 'world-nano' ask for 2 GPUs",
        "the oracle evaluates every seed by itself",
    ):
        assert sum(part in line for line in found) == 1, (part, found)
    assert len(found) == 6
    assert all(line.lstrip().startswith("r.yaml:10:") for line in found)


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ("full-ft", "a backbone for each seed"),
        ("fuse", "seed by seed"),
        ("fusion", "seed by seed"),
        ("world-xnli.fuse", "seed by seed"),
        ("default.language", "has one seed"),
    ],
)
def test_blocks_of_what_is_trained_one_by_one(block: str, why: str) -> None:
    (line,) = problems(f"train.{block}.seeds_together=true")
    assert "has no effect here" in line
    assert why in line


def test_adapters_above_languages_are_refused() -> None:
    changes = ("adapters=[{method: seq_bn, reduction_factor: 2, language: true}]", "variants=[stack]")
    more = (
        "language_adapters={texts: world, lines: 100, method: seq_bn_inv, reduction_factor: 2}",
        "train.language.steps=5",
    )
    assert any("lies above language adapters" in line for line in problems(*changes, *more))
