"""Which trained model answers in a cell: variants in terms of trainings, fusions and merges."""

from __future__ import annotations

from adapterxfer.plan.stages import StageMaker
from adapterxfer.recipe.fields import NONE, POOL
from adapterxfer.recipe.models import AdapterSpec
from adapterxfer.recipe.recipe import Recipe

FUSE = "fuse"
MERGE = "merge"
SOUP_STEP = 1_000_000
"""The runs in a soup of seed s have the seeds s, s + 10^6, s + 2 x 10^6...: soups of different seeds share no run."""


class SystemMaker:
    """Makes the stages behind single cells."""

    def __init__(self, recipe: Recipe, maker: StageMaker) -> None:
        self._recipe, self._maker = recipe, maker

    def answering(self, backbone: str, target: str, variant: str, adapter: AdapterSpec | None, intermediate: str,
                seed: int) -> str:  # fmt: skip
        """Key of the model that answers in one cell; empty for the untouched backbone."""
        if variant == MERGE:
            return self._merged(backbone, target, adapter, intermediate, seed)
        return self.trained(backbone, target, variant, adapter, intermediate, seed)

    def trained(self, backbone: str, target: str, variant: str, adapter: AdapterSpec | None, intermediate: str,
               seed: int, *, oracle: bool = False) -> str:  # fmt: skip
        """Key of the trained model of one cell; empty for the untouched backbone."""
        maker = self._maker
        if not self._recipe.task(target).trained:
            if intermediate == NONE:
                return ""
            if variant == FUSE and adapter is not None and self._recipe.fusion_task:
                fused = self._recipe.single_intermediates()
                task = self._recipe.fusion_task
                own = task not in fused
                return maker.fusion(backbone, adapter, intermediate, fused, task, seed, with_target=own)
            return maker.intermediate(backbone, adapter, intermediate, seed)
        if intermediate == NONE:
            return maker.target(backbone, adapter, "fresh", NONE, target, seed, oracle=oracle)
        if variant == FUSE and adapter is not None:
            fused = self._recipe.single_intermediates() if intermediate == POOL else (intermediate,)
            return maker.fusion(backbone, adapter, intermediate, fused, target, seed, oracle=oracle)
        composition = "stack" if variant == "stack" else "sequential"
        return maker.target(backbone, adapter, composition, intermediate, target, seed, oracle=oracle)

    def _merged(self, backbone: str, target: str, adapter: AdapterSpec | None, intermediate: str, seed: int) -> str:
        """Key of the merged model of one cell; empty for the untouched backbone."""
        how = self._recipe.merging
        if how.members is not None:
            seeds = [seed + SOUP_STEP * number for number in range(how.members)]
            members = [self.trained(backbone, target, how.of, adapter, intermediate, own) for own in seeds]
            if not members[0]:
                return ""
            weights = [1 / how.members] * how.members
        else:
            # The target's own model comes first: the merged one answers with its head.
            members = [self.trained(backbone, target, how.of, adapter, NONE, seed)]
            if intermediate == NONE:
                return members[0]
            parts = self._recipe.single_intermediates() if intermediate == POOL else (intermediate,)
            members += [self._maker.intermediate(backbone, adapter, part, seed) for part in parts]
            rest = 1 - how.intermediate if how.target is None else how.target
            weights = [rest, *([how.intermediate / len(parts)] * len(parts))]
        return self._maker.merge(backbone, adapter, how, members, weights, intermediate, target, seed)
