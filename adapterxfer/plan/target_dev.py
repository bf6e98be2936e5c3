"""Makes the stages of development data in the target languages, which only the oracle reads."""

from __future__ import annotations

from typing import Any

from adapterxfer.catalog.controls import BY_LANGUAGE
from adapterxfer.plan.sources import Source
from adapterxfer.plan.workbench import DATA_SEED, Workbench
from adapterxfer.recipe.language_adapters import SOURCE


class TargetDevMaker:
    """Builds and remembers these stages."""

    def __init__(self, bench: Workbench) -> None:
        self._bench, self._recipe = bench, bench.recipe
        self._memo: dict[str, str] = {}
        self._described: dict[str, tuple[Source, tuple[str, ...]]] = {}

    def add_to(self, task: str, identity: dict[str, Any], inputs: dict[str, str]) -> None:
        """Selection by development data in the target languages, in place of what the recipe selects by."""
        settings = {key: value for key, value in identity["settings"].items() if key != "mean_of"}
        identity["settings"] = {**settings, "selection": "oracle"}
        identity["selected_by"] = BY_LANGUAGE
        inputs["target_dev"] = self.target_dev(task)

    def without(self, name: str) -> tuple[str, ...]:
        """Languages a task is tested in that have no development data; English is none of them."""
        with_data = self._describe(name)[1]
        return tuple(code for code in self._tested(name) if code not in with_data)

    def target_dev(self, name: str) -> str:
        """Development data of a task in the languages it is tested in, without English."""
        if name not in self._memo:
            task, options = self._recipe.task(name), self._recipe.tasks.get(name)
            source, languages = self._describe(name)
            identity = {
                "what": "target-dev",
                "task": name,
                "format": task.format,
                "source": source,
                "languages": list(languages),
                "dev_examples": (options and options.dev_examples) or task.dev_examples,
                "seed": DATA_SEED,
            }
            if source["kind"] != "world":
                identity["protocol"] = self._recipe.protocol_of(name)
            if options and options.test_seed:
                identity["test_seed"] = options.test_seed
            slug = f"{name}-target-dev"
            self._memo[name] = self._bench.add("prepare", identity, {}, slug, {"task": slug}, {})
        return self._memo[name]

    def _tested(self, name: str) -> list[str]:
        return [code for code in self._recipe.languages_of(name) if code != SOURCE]

    def _describe(self, name: str) -> tuple[Source, tuple[str, ...]]:
        """Where the development data are, and the languages that have some."""
        if name not in self._described:
            self._described[name] = self._bench.sources.of_target_dev(self._recipe.task(name), self._tested(name))
        return self._described[name]
