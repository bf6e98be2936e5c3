"""What an arm adds to the stage of an intermediate training: keys of its identity, inputs, and length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapterxfer.catalog.arms import split_arm
from adapterxfer.plan.workbench import Workbench

TEXT_SEED = 0
"""Every system of a study reads the same texts and translations."""


@dataclass(frozen=True, slots=True)
class ArmParts:
    """What an arm adds to the stage of its training; everything is empty for a training without an arm.

    Attributes:
        identity: keys beside those of a plain training.
        inputs: role -> key of a prepare stage.
        length: steps relative to the plain training, for the cost.
    """

    identity: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    length: float = 1.0


class ArmMaker:
    """Makes the prepare stages of arms."""

    def __init__(self, bench: Workbench) -> None:
        self._recipe, self._sources, self._add = bench.recipe, bench.sources, bench.add
        self._memo: dict[str, str] = {}
        self._translated: dict[tuple[str, ...], str] = {}

    def of(self, name: str, parts: Sequence[str]) -> ArmParts:
        """Additions for one name on the axis of intermediate tasks, whose tasks are ``parts``."""
        match split_arm(name).arm:
            case "mlm":
                mix = self._recipe.mlm_mix
                assert mix is not None, "the check of the recipe asks for the option"
                identity = {
                    "share": mix.share,
                    "mask": mix.mask,
                    "languages": list(self._recipe.arm_languages("mlm")),
                    "sampling": mix.sampling.model_dump(exclude_none=True),
                }
                return ArmParts({"mlm": identity}, {"texts": self._texts()}, 1 / (1 - mix.share))
            case "translated":
                languages = list(self._recipe.arm_languages("translated"))
                inputs = {f"translated.{task}": self._translations(task) for task in parts}
                return ArmParts({"translated": {"languages": languages}}, inputs)
            case _:
                return ArmParts()

    def _texts(self) -> str:
        mix = self._recipe.mlm_mix
        assert mix is not None
        return self._prepared(mix.texts, list(self._recipe.arm_languages("mlm")), mix.lines, "mlm_mix", "texts")

    def texts_of(self, folder: str, code: str, lines: int) -> str:
        """The text of one language, on which its adapter is trained; a stage of its own, so others can come later."""
        return self._prepared(folder, [code], lines, "language_adapters", f"texts-{code}")

    def _prepared(self, folder: str, languages: list[str], lines: int, option: str, slug: str) -> str:
        if slug not in self._memo:
            source = self._sources.of_texts(folder, languages, option)
            identity = {
                "what": "texts",
                "source": source,
                "folder": None if source["kind"] == "world" else folder,
                "languages": languages,
                "lines": lines,
                "seed": TEXT_SEED,
            }
            self._memo[slug] = self._add("prepare", identity, {}, slug, {"task": slug}, {})
        return self._memo[slug]

    def _translations(self, name: str) -> str:
        option = self._recipe.translated
        assert option is not None
        return self.translations_of(name, option.folder, self._recipe.arm_languages("translated"))

    def translations_of(self, name: str, folder: str, languages: Sequence[str]) -> str:
        """The training examples of a task in translation.

        Args:
            folder: below the data root, or that of the world.
        """
        memo = (name, folder, *languages)
        if memo not in self._translated:
            task, options = self._recipe.task(name), self._recipe.tasks.get(name)
            source = self._sources.of_translations(task, folder, languages)
            sizes = {
                key: (options and getattr(options, key)) or getattr(task, key)
                for key in ("train_examples", "dev_examples")
            }
            identity = {
                "what": "translated",
                "task": name,
                "format": task.format,
                "source": source,
                "folder": None if source["kind"] == "world" else folder,
                "languages": list(languages),
                **sizes,
                "seed": TEXT_SEED,
            }
            if options and options.test_seed:
                identity["test_seed"] = options.test_seed
            slug = f"{name}-translated"
            self._translated[memo] = self._add("prepare", identity, {}, slug, {"task": slug}, {})
        return self._translated[memo]
