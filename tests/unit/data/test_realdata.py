"""The readers on a folder of original files, named by ADAPTERXFER_REALDATA; skipped where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapterxfer.data.files import HashCache
from adapterxfer.data.original import read_original
from adapterxfer.data.sources import SOURCES_FILE, describe_sources
from adapterxfer.data.storage import check_task
from adapterxfer.recipe import load_recipe

ROOT = os.environ.get("ADAPTERXFER_REALDATA", "")
RECIPE = Path(__file__).parents[3] / "recipes" / "real-text.yaml"

pytestmark = pytest.mark.skipif(not ROOT, reason="ADAPTERXFER_REALDATA names no folder")


def test_the_shipped_recipe_finds_and_reads_all_its_tasks(tmp_path):
    recipe = load_recipe(RECIPE)
    assert recipe.pretrain is not None
    requests = [(name, recipe.languages_of(name)) for name in recipe.used_tasks()]
    requests.append(("corpus", recipe.pretrain.corpus.languages))
    sources = describe_sources(requests, ROOT, cache=HashCache(tmp_path / "hashes.json"))
    assert len(sources["corpus"]["files"]) in {len(recipe.pretrain.corpus.languages) + n for n in (0, 1)}
    assert all(SOURCES_FILE not in path for path in sources["udpos"]["files"])
    for name, languages in requests[:-1]:
        options = recipe.tasks[name]
        data = read_original(
            name,
            Path(ROOT),
            sources[name]["files"],
            languages,
            train_examples=options.train_examples,
            dev_examples=options.dev_examples,
            test_examples=options.test_examples,
            seed=0,
        )
        check_task(data)
        assert len(data.splits[("train", "en")]) == options.train_examples
        for language in data.languages("test"):
            assert len(data.splits[("test", language)]) == options.test_examples
