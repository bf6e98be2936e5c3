"""Settings that development data choose: what a recipe may say, and what a stage holds."""

from __future__ import annotations

import pytest

from adapterxfer.errors import RecipeError
from adapterxfer.recipe import parse_recipe, training_settings
from adapterxfer.recipe.checks import notes
from adapterxfer.recipe.common_rates import common_blocks
from adapterxfer.recipe.settings import choices_of

TEXT = """\
recipe: 1
name: chosen
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [full-ft, stack, fuse]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2]
train:
  default: {learning_rate: {choose: [3e-3, 1e-3], by: dev}, steps: 10}
  full-ft: {learning_rate: 1e-4}
"""


def with_default(options: str, text: str = TEXT) -> str:
    return text.replace("{learning_rate: {choose: [3e-3, 1e-3], by: dev}, steps: 10}", options)


def problem(text: str) -> str:
    with pytest.raises(RecipeError) as refused:
        parse_recipe(text)
    return str(refused.value)


def settings(text: str, mode: str = "adapters") -> dict[str, object]:
    return training_settings(
        parse_recipe(text),
        phase="target",
        mode=mode,
        task="world-xnli",
        backbone="world-nano",  # type: ignore[arg-type]
    )


def test_a_stage_holds_the_grid_in_order() -> None:
    assert settings(TEXT)["learning_rate"] == {"choose": [1e-3, 3e-3]}
    assert settings(TEXT, "full-ft")["learning_rate"] == 1e-4
    assert settings(TEXT)["steps"] == 10
    reordered = TEXT.replace("[3e-3, 1e-3]", "[1e-3, 3e-3]")
    assert settings(reordered) == settings(TEXT)


def test_a_later_block_replaces_a_grid_by_a_number_and_back() -> None:
    text = TEXT + "  world-xnli: {full-ft: {steps: {choose: [5, 9], by: dev, per: intermediate, seeds: [7, 8]}}}\n"
    assert settings(text, "full-ft")["steps"] == {"choose": [5, 9]}
    chosen = choices_of(parse_recipe(text), phase="target", mode="full-ft", task="world-xnli", backbone="world-nano")
    assert list(chosen) == ["steps"]
    assert (chosen["steps"].per, chosen["steps"].seeds) == ("intermediate", (7, 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{learning_rate: fast, steps: 10}", "learning_rate = 'fast': input should be a valid number"),
        ("{learning_rate: {choose: [1e-3], by: dev}, steps: 10}", "at least 2 items"),
        ("{learning_rate: {choose: [1e-3, 1e-3], by: dev}, steps: 10}", "names a value twice"),
        ("{learning_rate: {choose: [1e-3, 3], by: dev}, steps: 10}", "choose.1 = 3: input should be less than 1"),
        ("{learning_rate: {choose: [1e-3, 3e-3], by: test}, steps: 10}", "by = 'test': input should be 'dev'"),
        ("{learning_rate: {choose: [1e-3, 3e-3]}, steps: 10}", "key 'train.default.learning_rate.by' is missing"),
        ("{learning_rate: {chose: [1e-3, 3e-3], by: dev}, steps: 10}", "did you mean 'choose'?"),
        ("{learning_rate: 1e-3, steps: {choose: [1, 2.5], by: dev}}", "choose.1 = 2.5: input should be a valid int"),
        (
            "{learning_rate: {choose: [1e-3, 3e-3], by: dev}, steps: {choose: [1, 2], by: dev, per: intermediate}}",
            "give them the same per and seeds",
        ),
        (
            "{learning_rate: 1e-3, steps: 10, early_stopping: {patience: 2, every: 5}}",
            "early_stopping stops by the English dev score: set selection: dev for full-ft",
        ),
        (
            "{learning_rate: 1e-3, steps: 10, selection: dev, seeds_together: true, "
            "early_stopping: {patience: 2, every: 5}}",
            "early_stopping and seeds_together cannot be combined",
        ),
    ],
)
def test_what_is_refused(options: str, message: str) -> None:
    assert message in problem(with_default(options))


def test_common_rates_are_as_many_in_every_grid() -> None:
    text = with_default("{learning_rate: {choose: [1e-3, 3e-3], by: dev, also: each}, steps: 10}")
    other = text.replace(
        "full-ft: {learning_rate: 1e-4}", "full-ft: {learning_rate: {choose: [1e-4, 2e-4, 3e-4], by: dev, also: each}}"
    )
    assert parse_recipe(text).chooses
    assert "3 values, another grid with also: each has 2" in problem(other)


BY_TASK = """\
recipe: 1
name: by-task
backbones: [world-nano, world-mini, world-mini-untrained]
intermediate_tasks: [none, world-nli, world-qa]
target_tasks: [world-xnli, world-pos]
variants: [full-ft, stack, fuse, head-only]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1]
train:
  default: {steps: 10}
  full-ft: {learning_rate: {choose: [1e-4, 3e-4, 1e-3], by: dev, also: each}}
  adapters: {learning_rate: {choose: [1e-3, 3e-3, 1e-2], by: dev, also: each}}
  fuse: {learning_rate: {choose: [3e-4, 1e-3, 3e-3], by: dev, also: each}}
  head-only: {learning_rate: {choose: [1e-2, 1e-1], by: dev}}
  world-nli: # a task that diverges at the rates of the others
    full-ft: {learning_rate: {choose: [3e-5, 1e-4, 3e-4], by: dev, also: each}}
    adapters: {learning_rate: {choose: [3e-4, 1e-3, 3e-3], by: dev, also: each}}
"""


def test_tasks_may_have_grids_of_their_own_for_common_rates() -> None:
    assert common_blocks(parse_recipe(BY_TASK)) == {
        "full-ft": ["world-nli.full-ft", "full-ft"],
        "stack": ["world-nli.adapters", "adapters"],
        "fuse": ["world-nli.adapters", "adapters", "fuse"],
    }
    number = BY_TASK.replace("{choose: [3e-5, 1e-4, 3e-4], by: dev, also: each}", "1e-4")
    assert common_blocks(parse_recipe(number))["full-ft"] == ["full-ft"], "a number serves every size as it is"
    alone = BY_TASK.replace(", also: each", "")
    assert common_blocks(parse_recipe(alone)) == {}
    twin = BY_TASK + "  world-mini-untrained: {full-ft: {learning_rate: 1e-4}}\n"
    assert common_blocks(parse_recipe(twin)) == common_blocks(parse_recipe(BY_TASK)), "no trend has an untrained twin"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "3e-5, 1e-4, 3e-4], by: dev, also: each",
            "3e-5, 1e-4, 3e-4], by: dev",
            ":16:30: a grid without also: each for full-ft on world-nli (intermediate phase), while full-ft has it for "
            "full-ft on world-qa (intermediate phase)",
        ),
        (
            "[3e-4, 1e-3, 3e-3], by: dev, also: each}}\n  head-only",
            "[3e-4, 1e-3, 3e-3], by: dev}}\n  head-only",
            ":13:25: a grid without also: each for fuse on world-xnli (fusion phase), while world-nli.adapters has it",
        ),
        (
            "  head-only:",
            "  world-mini: {full-ft: {learning_rate: 1e-4}}\n  head-only:",
            ":14:41: also: each trains full-ft on world-nli (intermediate phase) with one rate for every size, but "
            "world-mini has other rates than world-nano",
        ),
        (
            "  head-only:",
            "  world-mini: {adapters: {learning_rate: {choose: [1e-4, 2e-4, 3e-4], by: dev, also: each}}}\n"
            "  head-only:",
            "also: each trains adapters on world-nli (intermediate phase) with one rate for every size",
        ),
        ("[3e-5, 1e-4, 3e-4]", "[3e-5, 1e-4]", "2 values, another grid with also: each has 3"),
    ],
)
def test_rates_that_would_be_common_in_part_are_refused(before: str, after: str, message: str) -> None:
    text = BY_TASK.replace(before, after)
    assert text != BY_TASK
    said = problem(text)
    assert message in said
    assert said.startswith("recipe: 1 problem\n")


def test_language_adapters_have_no_score_to_choose_by() -> None:
    text = TEXT.replace("reduction_factor: 2}]", "reduction_factor: 2, language: true}]")
    text = text.replace("[full-ft, stack, fuse]", "[stack]")
    text += "language_adapters: {reduction_factor: 2, texts: world}\n"
    assert "learning_rate of language adapters cannot be chosen" in problem(text)
    assert "cannot be chosen" not in str(parse_recipe(text.replace("full-ft: {", "language: {")))


def test_what_is_trained_before_is_chosen_with_it() -> None:
    text = TEXT.replace("world-xnli]", "xcopa]").replace("world-nano", "xlm-r-base").replace("world-nli", "mnli")
    assert parse_recipe(text).chooses
    other = text + "  siqa: {learning_rate: {choose: [1e-3, 5e-3], by: dev}}\n"
    assert "learning_rate for 'siqa', which is trained before" in problem(other)
    parse_recipe(text + "  siqa: {learning_rate: 1e-3}\n")


STOPPED = """\
recipe: 1
name: stopped
backbones: [world-nano, world-mini]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli, world-pos, world-retrieval]
variants: [full-ft, fuse]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1]
train:
  default: {learning_rate: 1e-3, steps: 2000, selection: dev, early_stopping: {patience: 2, every: 500}}
  fusion: {steps: 100}
"""


def stopping_said(text: str, *changes: str) -> list[str]:
    return [note for note in notes(parse_recipe(text, "r", changes)) if "early_stopping" in note]


def test_early_stopping_that_comes_too_late_is_a_note() -> None:
    """No mistake: a rule for all trainings may be for the long ones, and `--set train.default.steps=5` is a trial."""
    assert stopping_said(STOPPED) == [
        "train.default.early_stopping never ends fuse on world-xnli (fusion phase, 100 steps), fuse on world-pos "
        "(fusion phase, 100 steps): with patience 2 and every 500 the earliest end is step 1,500; make them smaller, "
        "or leave it out"
    ]
    assert stopping_said(STOPPED, "train.fusion.steps=1501") == []
    (said,) = stopping_said(STOPPED, "train.fusion.steps=1500")
    assert "fuse on world-pos (fusion phase, 1,500 steps)" in said
    assert stopping_said(STOPPED, "train.fusion={steps: 100, early_stopping: {patience: 1, every: 40}}") == []
    (said,) = stopping_said(STOPPED, "train.fusion={steps: 100, early_stopping: {patience: 1, every: 50}}")
    assert said.startswith("train.fusion.early_stopping never ends fuse on world-xnli (fusion phase, 100 steps), ")


def test_a_grid_of_steps_is_judged_by_its_smallest() -> None:
    grid = "train.fusion.steps={choose: [5000, 600], by: dev}"
    (said,) = stopping_said(STOPPED, grid)
    assert (
        "never ends fuse on world-xnli (fusion phase, 600 steps), fuse on world-pos (fusion phase, 600 steps):" in said
    )
    assert stopping_said(STOPPED, grid.replace("600", "1600")) == []


def test_a_block_of_a_mode_or_backbone_has_its_own_note_and_long_lists_are_cut() -> None:
    late = "{patience: 9, every: 400}"
    said = stopping_said(
        STOPPED,
        f"train.world-mini={{early_stopping: {late}}}",
        f"train.world-xnli={{fuse: {{early_stopping: {late}}}}}",
    )
    assert [note.partition(" ")[0] for note in said] == [
        "train.default.early_stopping", "train.world-mini.early_stopping", "train.world-xnli.fuse.early_stopping",
    ]  # fmt: skip
    assert "full-ft on world-pos (target phase, 2,000 steps) and 5 more: with patience 9 and every 400" in said[1]
    # What has epochs is as long as its data are, which no recipe says.
    assert stopping_said(STOPPED, "train.default={learning_rate: 1e-3, epochs: 1, selection: dev, "
                         "early_stopping: {patience: 2, every: 500}}", "train.fusion={epochs: 1}") == []  # fmt: skip
