"""A study with several seeds whose answers are planted, and bundles of all of it and of parts of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hub_study import RECIPE, StudyFiles, make_study

from adapterxfer.data.examples import PairExample
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.making import make_bundle
from adapterxfer.metrics import METRICS
from adapterxfer.plan import build_plan
from adapterxfer.predict.table import read_predictions, write_predictions
from adapterxfer.recipe import load_recipe
from adapterxfer.store.keys import SHORT_KEY
from adapterxfer.store.store import Store

META_RECIPE = (
    RECIPE.replace("name: hub-study", "name: meta-study")
    .replace("[world-xnli, world-pos, world-xqa, world-xmc, world-retrieval]", "[world-xnli]")
    .replace("variants: [full-ft, sequential, stack, fuse]", "variants: [stack]")
    .replace("seeds: [1]", "seeds: [1, 2, 3, 4, 5, 6]")
)
ITEMS = 300


class MetaStudy(NamedTuple):
    """One laboratory: its recipe, its store, and where its bundles go."""

    recipe: Path
    store: Path
    root: Path

    def bundle(self, name: str, *seeds: int, intermediate: str = "world-nli", **options: Any) -> Path:
        """The bundle of a study with these seeds only; made once for every name."""
        recipe = load_recipe(self.recipe, [f"seeds=[{', '.join(map(str, seeds))}]"])
        (wanted,) = choose(build_plan(recipe, only=[f"intermediate={intermediate}"]))
        folder = self.root / name / wanted.name
        if not folder.exists():
            make_bundle(build_plan(recipe), Store(self.store), wanted, folder.parent, **options)
        return folder


def make_laboratory(root: Path) -> StudyFiles:
    """The trained study, before any answer is planted."""
    return make_study(root, META_RECIPE)


def plant(
    files: StudyFiles, root: Path, *, gain: float, noise: int, item: Callable[[int], str] = lambda i: f"p{i}",
    gold: str = "yes",
) -> MetaStudy:  # fmt: skip
    """A copy of the study whose runs answer the same items, with a planted gain and noise of its own.

    Items are of different difficulty, the same in all laboratories; every seed is a bit better or worse.

    Args:
        gain: in points.
        noise: seed of the runs' noise.
        gold: the right answer of the first item; another one makes other test data.
    """
    store = root / "store"
    shutil.copytree(files.store, store)
    folders = Store(store).completed()
    for stage in files.plan().stages.values():
        if stage.kind == "report":
            shutil.rmtree(folders[stage.key[:SHORT_KEY]])  # of the answers before
        if stage.kind != "predict":
            continue
        folder = folders[stage.key[:SHORT_KEY]]
        metadata = dict(read_predictions(folder).metadata)
        treated, seed = stage.labels["intermediate"] != "none", int(stage.labels["seed"])
        rng = np.random.default_rng([noise, seed, int(treated)])
        ease = np.random.default_rng(7).normal(0.0, 0.25, ITEMS) + 0.55 + 0.01 * gain * treated + rng.normal(0, 0.02)
        examples, predictions = [], []
        for language in ("en", "a1", "c1"):
            right = rng.random(ITEMS) < ease
            for i in range(ITEMS):
                truth = gold if i == 0 else "yes"
                examples.append(PairExample(item(i), f"c{i // 2}", language, "a text", None, truth))
                predictions.append(truth if right[i] else "no")
        write_predictions(folder, examples, predictions, METRICS["accuracy"], metadata=metadata)
    return MetaStudy(files.recipe, store, root / "bundles")
