"""Makes what trainings with labelled data in the target language read, and says what they are.

A training has one language, but for several source languages together. What it draws follows from its backbone, seed
and draw, so no two runs share a draw, and everything that is compared within one run does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapterxfer.catalog.supervision import TRANSLATE_TRAIN
from adapterxfer.plan.arm_identity import ArmMaker
from adapterxfer.plan.inputs import declaration
from adapterxfer.plan.target_dev import TargetDevMaker
from adapterxfer.plan.workbench import DATA_SEED, Workbench
from adapterxfer.recipe.settings import add_block
from adapterxfer.recipe.supervision import SOURCE, Supervised
from adapterxfer.recipe.train_blocks import Mode

IDENTITY = "supervision"
"""Key in the identity of trainings and predictions, and role of the data among the inputs of a training."""

TOGETHER = ("seeds_together", "cache_bottom")
"""Settings that share work between trainings on the same examples, which these are not."""


@dataclass(frozen=True, slots=True)
class Taught:
    """One training of a supervised target.

    Attributes:
        regime: the target and its supervision.
        languages: that are trained on.
        draw: which of the draws of a run.
        pool: key of the stage with the examples.
        limit: most examples of a language where all there are are meant; None for no limit.
    """

    regime: Supervised
    languages: tuple[str, ...]
    draw: int
    pool: str
    limit: int | None

    @property
    def name(self) -> str:
        """Tells it from every other training of the same system and seed."""
        spoken = "" if self.regime.one_model else "-" + "+".join(self.languages)
        return f"{self.regime.label}{spoken}" + (f"-d{self.draw}" if self.draw else "")

    def identity(self) -> dict[str, Any]:
        """What the identity of its training says."""
        whole = {"limit": self.limit} if self.regime.examples is None else {}
        return {
            **described(self.regime, self.draw),
            "languages": list(self.languages),
            "split": self.regime.split,
            **whole,
        }


def described(regime: Supervised, draw: int) -> dict[str, Any]:
    """What the identity of a training or of predictions says of their supervision."""
    translated = {"by": regime.by} if regime.by else {}
    return {"kind": regime.kind, "label": regime.label, "examples": regime.examples, "draw": draw, **translated}


def taught_settings(settings: dict[str, Any], regime: Supervised, mode: Mode) -> dict[str, Any]:
    """Settings of a training in the target language: those of the English one, and what the arm says."""
    merged = {key: value for key, value in settings.items() if key not in TOGETHER}
    add_block(merged, regime.train, mode)
    merged = {key: value for key, value in merged.items() if key not in TOGETHER}
    if merged["selection"] != "mean":
        merged.pop("mean_of", None)
    return merged


class SupervisionMaker:
    """Builds and remembers the stages of these data."""

    def __init__(self, bench: Workbench, arms: ArmMaker, target_dev: TargetDevMaker) -> None:
        self._bench, self._recipe, self._arms, self._target_dev = bench, bench.recipe, arms, target_dev
        self._memo: dict[tuple[str, ...], str] = {}

    def taught(self, regime: Supervised, draw: int) -> Iterator[Taught]:
        """The trainings of one draw: one for each language, or one for all together."""
        pool, limit = self._pool(regime), self._whole(regime.task)
        for languages in (regime.languages,) if regime.one_model else ((code,) for code in regime.languages):
            yield Taught(regime, languages, draw, pool, limit)

    def _pool(self, regime: Supervised) -> str:
        if regime.kind == TRANSLATE_TRAIN:
            option = self._recipe.supervision.translate_train if self._recipe.supervision else None
            assert option is not None
            return self._arms.translations_of(regime.task, option.folder, regime.languages)
        if regime.split == "dev":
            return self._target_dev.target_dev(regime.task)
        return self._target_train(regime)

    def _target_train(self, regime: Supervised) -> str:
        languages = self._spoken(regime.task)
        memo = (regime.task, *languages)
        if memo not in self._memo:
            task, options = self._recipe.task(regime.task), self._recipe.tasks.get(regime.task)
            source = self._bench.sources.of_target_train(task, languages)
            identity = {
                "what": "target-train",
                "task": regime.task,
                "format": task.format,
                "source": source,
                "languages": languages,
                "examples": self._most(regime.task),
                "seed": DATA_SEED,
                "protocol": self._recipe.protocol_of(regime.task),
            }
            if options and options.test_seed:
                identity["test_seed"] = options.test_seed
            identity |= declaration(self._recipe, regime.task)
            slug = f"{regime.task}-target-train"
            self._memo[memo] = self._bench.add("prepare", identity, {}, slug, {"task": slug}, {})
        return self._memo[memo]

    def _spoken(self, task: str) -> list[str]:
        """Languages whose training data any arm of a target reads, so that all of them share a stage."""
        arms = [regime for regime in self._recipe.supervised_of(task) if regime.kind != TRANSLATE_TRAIN]
        spoken = {code for regime in arms if regime.split == "train" for code in regime.languages}
        return sorted(spoken - {SOURCE})

    def _whole(self, task: str) -> int | None:
        """Size of the English training set in this recipe, which a whole set in another language does not exceed."""
        options = self._recipe.tasks.get(task)
        return (options and options.train_examples) or self._recipe.task(task).train_examples

    def _most(self, task: str) -> int | None:
        """Most examples that an arm asks for in a language; None for all there are, which the world has no end of."""
        spec, whole = self._recipe.task(task), self._whole(task)
        if whole is None or not (spec.synthetic or spec.stand_in):
            return None
        return max([whole, *(regime.examples or 0 for regime in self._recipe.supervised_of(task))])
