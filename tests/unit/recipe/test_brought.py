"""Names that people bring from other tools are refused where they stand, with this package's own name."""

from __future__ import annotations

import pytest

from adapterxfer.catalog import METHODS, VARIANTS, backbones, task_names
from adapterxfer.errors import RecipeError
from adapterxfer.recipe import parse_recipe
from adapterxfer.recipe.brought import _KEYS, _other_names, name_hint
from adapterxfer.recipe.model_options import AdapterSpec, BackboneSource
from adapterxfer.recipe.schema import RecipeModel
from adapterxfer.recipe.train_blocks import TrainOptions

RECIPE = """\
recipe: 1
name: study
backbones: [xlm-r-base]
intermediate_tasks: [none, mnli]
target_tasks: [xnli]
variants: [full-ft, stack]
adapters: [{method: seq_bn, reduction_factor: 16}]
seeds: [1]
train: {default: {learning_rate: 1e-3, steps: 10}}
"""


def problems(old: str, new: str) -> list[str]:
    """The lines of the error that a changed recipe gives."""
    assert old in RECIPE
    with pytest.raises(RecipeError) as caught:
        parse_recipe(RECIPE.replace(old, new), "r.yaml")
    return [line.strip() for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(
    ("old", "new", "position", "hint"),
    [
        ("learning_rate: 1e-3", "lr: 1e-3", "r.yaml:9:19", "'learning_rate'"),
        ("steps: 10", "steps: 10, fp16: true", "r.yaml:9:51", "'dtype'"),
        ("steps: 10", "num_train_epochs: 3", "r.yaml:9:40", "'epochs'"),
        ("steps: 10", "steps: 10, warmup: 500", "r.yaml:9:51", "'warmup_fraction': a share of the steps"),
        ("steps: 10", "steps: 10, per_device_train_batch_size: 8", "r.yaml:9:51", "'batch_size'"),
        ("train: {default", "train: {lr: 1e-3, default", "r.yaml:9:9", "belongs into a block: train: {default"),
        ("seeds: [1]", "seeds: [1]\nepochs: 3", "r.yaml:9:1", "'epochs' in a block of train"),
        ("seeds: [1]", "seed: 1", "r.yaml:8:1", "'seeds'"),
        ("backbones:", "models:", "r.yaml:3:1", "'backbones'"),
        ("seeds: [1]", "seeds: [1]\noutput_dir: x", "r.yaml:9:1", "run --store FOLDER"),
        ("method: seq_bn", "method: pfeiffer", "r.yaml:7:21", "'seq_bn'"),
        ("method: seq_bn", "method: houlsby", "r.yaml:7:21", "'double_seq_bn'"),
        ("method: seq_bn", "method: mad-x", "r.yaml:7:21", "'seq_bn_inv'"),
        ("method: seq_bn, reduction_factor: 16", "method: lora, r: 8", "r.yaml:7:27", "'rank'"),
        ("reduction_factor: 16", "reduction_factor: 16, non_sense: 1", "r.yaml:7:51", "unknown key"),
        ("[xnli]", "[POS]", "r.yaml:5:16", "'udpos'"),
        ("[xnli]", "[ner]", "r.yaml:5:16", "'panx'"),
        ("[none, mnli]", "[none, squad]", "r.yaml:4:28", "'squad-v1'"),
        ("[full-ft, stack]", "[full-ft, adapterfusion]", "r.yaml:6:21", "'fuse'"),
        ("[full-ft, stack]", "[full-ft, mad-x]", "r.yaml:6:21", "'stack'"),
        ("[xlm-r-base]", "[xlm-roberta-base]", "r.yaml:3:13", "'xlm-r-base'"),
        ("[xlm-r-base]", "[FacebookAI/xlm-roberta-base]", "r.yaml:3:13", "'xlm-r-base'"),
    ],
)  # fmt: skip
def test_the_message_stands_at_the_word_and_has_the_right_name(old: str, new: str, position: str, hint: str) -> None:
    lines = [line for line in problems(old, new) if line.startswith(f"{position}: ")]
    assert lines, problems(old, new)
    assert hint in lines[0]


def test_adapter_scaling_is_not_silently_something_else() -> None:
    line = next(line for line in problems("reduction_factor: 16", "reduction_factor: 16, alpha: 16") if "alpha" in line)
    assert "here it is 'alpha'" in line or "methods of peft take the library's own" in line


def test_every_key_that_a_hint_names_exists() -> None:
    models = (TrainOptions, RecipeModel, AdapterSpec, BackboneSource)
    known = {name for model in models for name in model.model_fields} | {"languages"}
    later = {"alpha", "dropout", "target_modules"}  # told otherwise where adapters have no such key
    assert {row.key for row in _KEYS.values() if row.key} <= known | later


def test_a_word_means_one_name_of_a_kind() -> None:
    for names in (tuple(METHODS), task_names("target"), task_names("intermediate"), tuple(VARIANTS)):
        words = [word for name in names for word in _other_names().get(name, ())]
        assert len(set(words)) == len(words)
        assert all(name_hint(word, names) for word in words)
    assert name_hint("FacebookAI/xlm-roberta-large", tuple(backbones())) == " (here it is 'xlm-r-large')"
    assert name_hint("google/xtreme", task_names("target")) == name_hint("xtreme", task_names("target"))


def test_no_hint_where_nothing_is_known() -> None:
    assert name_hint("something", tuple(METHODS)) == ""
    assert "did you mean 'learning_rate'" in problems("learning_rate", "learning_rat")[1]
