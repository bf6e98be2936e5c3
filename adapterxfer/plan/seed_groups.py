"""Makes the stages of trainings whose seeds are trained in one pass: the group, and one stage for each seed.

The group has all seeds of the recipe in its identity, since rounding and the masks of dropout follow from all of them:
neither `--only` nor an exclusion makes it smaller. The stage of a single seed is what it is without a group, with one
more input: predictions, fusions and bundles need not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapterxfer.plan.workbench import Workbench

SETTING = "seeds_together"
ROLE = "together"

TAKING = 1e-3
"""Cost of taking one seed out of its group, in GFLOP: next to nothing, but known."""


class TogetherMaker:
    """Adds a training, and the group of its seeds where the settings ask for one."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def add(
        self, kind: str, identity: dict[str, Any], inputs: dict[str, str], slug: str, labels: dict[str, Any],
        resources: dict[str, Any], *, intermediates: Mapping[int, str] | None = None, ending: str = "",
    ) -> str:  # fmt: skip
        """Add one training, with the group of its seeds where one is asked for, and give the key of its stage.

        Args:
            slug: what comes before the seed in the names of folders.
            intermediates: seed -> what it was trained on before.
            ending: what comes after the seed.
        """
        seed = identity["seed"]
        before = intermediates or {}
        intermediate = {"intermediate": before[seed]} if before else {}
        if identity["settings"].get(SETTING) and seed not in self._bench.recipe.seeds:
            # A run that chooses settings is none of the study's: it is trained by itself.
            alone = {name: value for name, value in identity["settings"].items() if name != SETTING}
            identity = {**identity, "settings": alone}
        if not identity["settings"].get(SETTING):
            return self._bench.add(
                kind, identity, {**inputs, **intermediate}, f"{slug}-s{seed}{ending}", labels, resources
            )
        seeds = self._bench.recipe.seeds
        shared = {name: value for name, value in identity.items() if name != "seed"}
        group = self._bench.add(
            "train_together",
            {"phase": {"kind": kind, "version": self._bench.version(kind, identity)}, "seeds": list(seeds), **shared},
            {**inputs, **{f"intermediate.{number}": key for number, key in before.items()}},
            f"{slug}-{len(seeds)}-seeds{ending}",
            labels | {"seed": "+".join(map(str, seeds))},
            resources | {"cost": resources["cost"] * len(seeds)},
        )
        inputs = {**inputs, **intermediate, ROLE: group}
        return self._bench.add(kind, identity, inputs, f"{slug}-s{seed}{ending}", labels, {"cost": TAKING})
