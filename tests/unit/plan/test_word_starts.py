"""Which stages a plan takes for changed by the marks of words: those that read words with tokenizers that gave none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from adapterxfer.plan import Sources, build_plan
from adapterxfer.plan.backbones import Backbones
from adapterxfer.plan.generations import WORD_STARTS
from adapterxfer.recipe import parse_recipe

STUDY = """\
recipe: 1
name: study
backbones: [mine, mmbert-small, xlm-r-base, other, world-nano]
backbone_sources:
  mine: {folder: FOLDER}
  mmbert-small: {revision: abcdef0123abcdef0123abcdef0123abcdef0123}
  xlm-r-base: {revision: abcdef0123abcdef0123abcdef0123abcdef0123}
  other: {hub: some/encoder, revision: abcdef0123abcdef0123abcdef0123abcdef0123}
intermediate_tasks: [none, world-ccg, world-nli]
target_tasks: [world-pos, world-xnli]
variants: [full-ft, fuse]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1]
train: {default: {learning_rate: 1e-3, steps: 1}}
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def byte_level(folder: Path, *, prefix: bool) -> Path:
    """A folder with a tokenizer of single bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_the_tokenizer_of_a_folder_decides_and_the_catalogue_for_the_hub(tmp_path: Path) -> None:
    recipe = parse_recipe(STUDY.replace("FOLDER", str(byte_level(tmp_path / "one", prefix=False))))
    table = Backbones(recipe)
    assert {name: table.lacks_word_starts(name) for name in recipe.backbones} == {
        "mine": True,
        "mmbert-small": True,
        "xlm-r-base": False,
        "other": True,  # nothing is known of it, and the key may not depend on whether it was downloaded
        "world-nano": False,
    }
    recipe = parse_recipe(STUDY.replace("FOLDER", str(byte_level(tmp_path / "two", prefix=True))))
    assert not Backbones(recipe).lacks_word_starts("mine")
    recipe = parse_recipe(STUDY.replace("FOLDER", str(tmp_path / "none")))
    assert not Backbones(recipe).lacks_word_starts("mine")


def test_a_changed_tokenizer_is_looked_at_again(tmp_path: Path) -> None:
    folder = byte_level(tmp_path / "one", prefix=False)
    recipe = parse_recipe(STUDY.replace("FOLDER", str(folder)))
    assert Backbones(recipe).lacks_word_starts("mine")
    byte_level(folder, prefix=True)
    os.utime(folder / "tokenizer.json", ns=(1, 1))
    assert not Backbones(recipe).lacks_word_starts("mine")


def test_stages_that_read_words_are_marked_and_no_others(tmp_path: Path) -> None:
    recipe = parse_recipe(STUDY.replace("FOLDER", str(byte_level(tmp_path / "one", prefix=False))))
    plan = build_plan(recipe, sources=Sources(recipe, world=lambda: "generator"))
    for stage in plan.stages.values():
        identity = stage.identity
        backbone = (identity.get("backbone") or {}).get("name")
        formats = {identity.get("format"), *(task["format"] for task in identity.get("tasks", ()))}
        expected = backbone in ("mine", "mmbert-small", "other") and "tagging" in formats
        assert (WORD_STARTS in identity) is expected, (stage.kind, identity)
    kinds = {stage.kind for stage in plan.stages.values() if WORD_STARTS in stage.identity}
    assert kinds == {"train_target", "train_intermediate", "train_fusion", "predict"}
    earlier = build_plan(recipe, sources=Sources(recipe, world=lambda: "generator"), generation=1)
    assert not any(WORD_STARTS in stage.identity for stage in earlier.stages.values())


def test_no_tokenizer_is_read_for_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapterxfer.plan.backbones.file_lacks_word_starts", None)
    text = STUDY.replace("FOLDER", str(byte_level(tmp_path / "one", prefix=False)))
    recipe = parse_recipe(text.replace("world-ccg, ", "").replace("world-pos, ", ""))
    plan = build_plan(recipe, sources=Sources(recipe, world=lambda: "generator"))
    assert not any(WORD_STARTS in stage.identity for stage in plan.stages.values())
