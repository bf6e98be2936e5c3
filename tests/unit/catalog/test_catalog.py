"""The catalogue is complete, agrees with the rooms that implement it, and states no unverified number as a fact."""

from __future__ import annotations

import pytest

from adapterxfer.catalog import (
    CONTROLS,
    METHODS,
    VARIANTS,
    backbones,
    controls_of,
    known_languages,
    languages,
    overlaps,
    task_names,
    tasks,
    world_languages,
)
from adapterxfer.catalog import backbones as backbone_table
from adapterxfer.data.examples import EXAMPLE_TYPES
from adapterxfer.formats.registry import FORMATS
from adapterxfer.world.backbones import backbone_index
from adapterxfer.world.task_list import TASKS as WORLD_TASKS


def test_fifty_languages_with_the_coverage_of_xtreme_r() -> None:
    table = languages()
    assert len(table) == 50
    coverage = {
        task: sum(code in table for code in tasks()[task].languages)
        for task in ("xnli", "xcopa", "udpos", "panx", "xquad", "mlqa", "tydiqa", "tatoeba", "mewslix", "lareqa")
    }
    # Source: XTREME_R_TASK2LANGS of the official evaluation script; LAReQA has the 11 languages of XQuAD-R
    assert coverage == {
        "xnli": 15, "xcopa": 11, "udpos": 38, "panx": 48, "xquad": 12, "mlqa": 7, "tydiqa": 9, "tatoeba": 41,
        "mewslix": 11, "lareqa": 11,
    }  # fmt: skip
    unseen = {code for code, entry in table.items() if entry.cc100_gib == 0.0}
    assert unseen == {"ht", "qu", "wo", "yo"}
    assert {entry.resource for entry in table.values()} == {"high", "mid", "low"}


def test_world_languages_cross_family_and_tier() -> None:
    pairs = {(entry.family, entry.resource) for code, entry in world_languages().items() if code != "en"}
    assert len(pairs) == 12
    assert all(entry.synthetic for entry in world_languages().values())


@pytest.mark.parametrize("name", tasks())
def test_every_task(name: str) -> None:
    task = tasks()[name]
    assert task.name == name
    assert task.format in FORMATS
    assert task.format in EXAMPLE_TYPES
    assert task.protocol
    assert task.licence
    assert task.kin
    known = known_languages() | world_languages()
    assert task.languages
    assert set(task.languages) <= set(known)
    if task.role == "target":
        assert task.trained == (name not in ("tatoeba", "bucc2018", "world-retrieval"))
        assert controls_of(task) or task.format == "retrieval"
    else:
        assert task.languages == ("en",)
        assert task.trained


def test_world_tasks_agree_with_the_world() -> None:
    assert {name for name, task in tasks().items() if task.synthetic} == set(WORLD_TASKS)
    for name, world in WORLD_TASKS.items():
        task = tasks()[name]
        assert (task.format, task.metric, task.role, task.kin) == (world.format, world.metric, world.role, world.kin)
        assert task.test_examples == world.test_examples


def test_the_study_is_named_completely() -> None:
    nine = {"anli+", "mnli", "qqp", "squad-v1", "squad-v2", "hellaswag", "ccg", "cosmosqa", "commonsenseqa"}
    assert nine <= set(task_names("intermediate"))
    xtreme = {"xnli", "pawsx", "udpos", "panx", "xquad", "mlqa", "tydiqa", "bucc2018", "tatoeba"}
    assert xtreme | {"xcopa", "mewslix", "lareqa"} <= set(task_names("target"))
    assert {"full-ft", "sequential", "stack", "fuse", "merge"} <= set(VARIANTS)
    runs = ["seq_bn", "double_seq_bn", "par_bn", "seq_bn_inv", "compacter", "prefix", "loreft"]
    runs += ["lora", "rslora", "dora", "ia3", "vera"]
    assert [name for name in METHODS if name in runs] == runs
    assert {"xlm-r-base", "xlm-r-large", "xlm-r-xl", "xlm-r-xxl", "mdeberta-v3-base", "rembert"} <= set(backbones())


def test_overlaps_are_flagged_and_one_sided() -> None:
    assert overlaps("squad-v1", "xquad")
    assert overlaps("squad-gold-sentence", "xquad-gold-sentence")
    assert overlaps("squad-gold-sentence", "tydiqa-xquad-gold-sentence")
    assert not overlaps("squad-gold-sentence", "tydiqa-gold-sentence")
    assert not overlaps("squad-v1", "tydiqa")
    assert not overlaps("none", "xquad")


def test_controls_exist_where_predictions_are_made() -> None:
    from adapterxfer.predict.controls import CONTROLS as IMPLEMENTED
    from adapterxfer.predict.controls import EMBEDDING_LAYER

    assert set(CONTROLS) == set(IMPLEMENTED) | {EMBEDDING_LAYER}


def test_unverified_counts_are_marked() -> None:
    for entry in backbone_table().values():
        if entry.kind == "hub":
            assert not entry.verified
            assert not entry.fingerprint  # known once a revision or folder is named
        elif entry.available:
            assert entry.verified
            assert entry.parameters
            assert entry.fingerprint


def test_world_backbones_come_from_their_index() -> None:
    names = [name for name in backbones() if name.startswith("world-")]
    assert "world-nano" in names
    assert all(f"{name}-untrained" in names for name in names if not name.endswith("-untrained"))
    for name, record in backbone_index().items():
        assert backbones()[name].parameters == record["parameters"]
        assert backbones()[name].available
