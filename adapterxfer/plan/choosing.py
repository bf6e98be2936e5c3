"""Makes the stages that choose settings on English development data: one training per value, and the choice.

The key of a training that uses a choice is known before anything is trained: its identity holds the grid, its inputs
the stage that chooses, and the value is read when it runs. A candidate has the identity of the training that it tries,
with one value in place of the grid, so grids that overlap share their candidates.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from adapterxfer.plan.seed_groups import SETTING, TAKING, Training
from adapterxfer.plan.templates import SEED
from adapterxfer.plan.workbench import Workbench
from adapterxfer.recipe.choices import CHOOSE, Choice
from adapterxfer.store.keys import Stage
from adapterxfer.store.kinds import CANDIDATE, CHOICE

ROLE = "choice"
"""Role of the choice among the inputs of a training that uses it."""

TRIED = "candidate."
"""Beginning of the roles of the trainings that a choice compares; a number follows."""


class ChoiceMaker:
    """Builds and remembers these stages."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._memo: dict[tuple[Any, ...], str] = {}

    def inputs(
        self, choices: Mapping[str, Choice], memo: tuple[Any, ...], trial: Callable[[], Training]
    ) -> dict[str, str]:
        """Inputs by which a training waits for the choice of its settings; none where nothing is chosen.

        Args:
            choices: setting -> how it is chosen.
            memo: what the choice is for: trainings of the same memo share it.
            trial: gives the training that tries a value; its settings hold grids.
        """
        if not choices:
            return {}
        memo = (*memo, *((name, choice.grid, choice.seeds) for name, choice in choices.items()))
        if memo not in self._memo:
            self._memo[memo] = self._choose(choices, trial())
        return {ROLE: self._memo[memo]}

    def _choose(self, choices: Mapping[str, Choice], trial: Training) -> str:
        tried: list[dict[str, Any]] = []
        inputs: dict[str, str] = {}
        seeds = next(iter(choices.values())).seeds
        for values in combinations({name: choice.grid for name, choice in choices.items()}):
            for seed in seeds:
                inputs[f"{TRIED}{len(tried):02d}"] = self._candidate(trial, seed, values)
                tried.append({**values, "seed": seed})
        identity = {
            "by": "dev",
            "grid": {name: list(choice.grid) for name, choice in choices.items()},
            "candidates": tried,
        }
        labels = {**trial.labels, SEED: seeds[0]}
        return self._bench.add(CHOICE, identity, inputs, f"{trial.slug}-choice", labels, {"cost": TAKING})

    def _candidate(self, trial: Training, seed: int, values: Mapping[str, Any]) -> str:
        whole, inputs = trial.whole(seed)
        settled = concrete(whole, values)
        identity = {"phase": {"kind": trial.kind, "version": self._bench.version(trial.kind, settled)}, **settled}
        words = "-".join(f"{value:g}" for value in values.values())
        share = _share_of_steps(trial.identity["settings"], values)
        resources = trial.resources | {"cost": trial.resources["cost"] * share}
        slug = f"{trial.slug}-s{seed}-{words}"
        labels = {
            **trial.labels,
            SEED: seed,
            "candidate": ", ".join(f"{name} {value:g}" for name, value in values.items()),
        }
        return self._bench.add(CANDIDATE, identity, inputs, slug, labels, resources)


@dataclass(frozen=True, slots=True)
class MadeChoice:
    """A choice of a plan: what it is for, its grid, and the chosen values where it is made."""

    name: str
    grid: Mapping[str, tuple[float, ...]]
    chosen: Mapping[str, float] | None

    def __str__(self) -> str:
        words = []
        for setting, values in self.grid.items():
            listed = ", ".join(f"{value:g}" for value in values)
            made = "not chosen yet," if self.chosen is None else f"{self.chosen[setting]:g}"
            words.append(f"{setting} {made} of {listed}")
        return f"{self.name}: {'; '.join(words)}"


def choices_made(stages: Iterable[Stage], completed: Mapping[str, Path]) -> list[MadeChoice]:
    """What choices are for, and what is chosen.

    Args:
        stages: of choices.
        completed: short key -> folder of every finished stage of the store.
    """
    choices = []
    for stage in stages:
        labels, chosen = stage.labels, None
        if (folder := completed.get(stage.short_key)) is not None:
            chosen = dict(json.loads((folder / "choice.json").read_text(encoding="utf-8"))["chosen"])
        where = [str(labels[name]) for name in ("intermediate", "target") if labels.get(name) not in (None, "", "none")]
        name = f"{labels['backbone']} {labels['variant']} {'>'.join(where)}"
        choices.append(MadeChoice(name, {key: tuple(values) for key, values in stage.identity["grid"].items()}, chosen))
    return choices


def combinations(grids: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """All combinations of values, in the order of the grids."""
    for values in product(*grids.values()):
        yield dict(zip(grids, values, strict=True))


def concrete(identity: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of a training with values in place of its grids, also in what it trains before; alone, not in a
    group of seeds.
    """

    def settled(settings: Mapping[str, Any]) -> dict[str, Any]:
        named = {name: value for name, value in settings.items() if name != SETTING}
        return named | {name: value for name, value in values.items() if _is_grid(named.get(name))}

    changed = {**identity, "settings": settled(identity["settings"])}
    if "before" in identity:
        changed["before"] = [{**first, "settings": settled(first["settings"])} for first in identity["before"]]
    return changed


def _is_grid(value: Any) -> bool:
    return isinstance(value, Mapping) and CHOOSE in value


def _share_of_steps(settings: Mapping[str, Any], values: Mapping[str, Any]) -> float:
    return float(values["steps"]) / max(settings["steps"][CHOOSE]) if "steps" in values else 1.0
