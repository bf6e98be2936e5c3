"""Which trained model answers in a cell: variants in terms of trainings, fusions and merges."""

from __future__ import annotations

from dataclasses import replace

from adapterxfer.catalog import VARIANTS
from adapterxfer.catalog.variants import alone
from adapterxfer.plan.seed_groups import KeyOfSeed
from adapterxfer.plan.stages import StageMaker
from adapterxfer.plan.supervised import Taught
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.fields import NONE, POOL
from adapterxfer.recipe.model_options import AdapterSpec
from adapterxfer.recipe.recipe import Recipe

SOUP_STEP = 1_000_000
"""The runs in a soup of seed s have the seeds s, s + 10^6, s + 2 x 10^6...: soups of different seeds share no run."""


class SystemMaker:
    """Makes the stages behind single cells."""

    def __init__(self, recipe: Recipe, maker: StageMaker) -> None:
        self._recipe, self._maker = recipe, maker

    def answering(self, axes: Axes, adapter: AdapterSpec | None) -> KeyOfSeed:
        """Key of the model that answers in the cells of one row, by seed; empty for the untouched backbone."""
        return self._merged(axes, adapter) if VARIANTS[axes.variant].joins else self.trained(axes, adapter)

    def supervised(self, axes: Axes, adapter: AdapterSpec | None, taught: Taught) -> KeyOfSeed:
        """Key of the model of one row that saw labelled data in a target language, by seed."""
        if not taught.regime.continues:
            return self.trained(axes, adapter, taught=taught)
        variant = VARIANTS[axes.variant]
        if axes.intermediate == NONE:
            variant = alone(adapter=adapter is not None)
        return self._maker.further(axes, adapter, variant, taught, self.trained(axes, adapter))

    def trained(
        self, axes: Axes, adapter: AdapterSpec | None, *, oracle: bool = False, taught: Taught | None = None
    ) -> KeyOfSeed:
        """Key of the trained model of one row, by seed; empty for the untouched backbone.

        Args:
            oracle: select the weights by development data in the target languages.
            taught: train on labelled data in other languages in place of English.
        """
        maker, recipe = self._maker, self._recipe
        backbone, intermediate = axes.backbone, axes.intermediate
        # Merging names the variant of its members; "adapters" are those of an adapter alone.
        variant = VARIANTS.get(axes.variant, alone(adapter=adapter is not None))
        if not recipe.task(axes.target).trained:
            if intermediate == NONE:
                return _untouched
            if variant.fuses and adapter is not None and recipe.fusion_task:
                fused = recipe.single_intermediates()
                return maker.fusion(
                    replace(axes, target=recipe.fusion_task),
                    adapter,
                    fused,
                    with_target=recipe.fusion_task not in fused,
                )
            return maker.intermediate(backbone, adapter, intermediate)
        if intermediate == NONE:
            return maker.target(axes, adapter, alone(adapter=adapter is not None), oracle=oracle, taught=taught)
        if variant.fuses and adapter is not None:
            fused = recipe.single_intermediates() if intermediate == POOL else (intermediate,)
            return maker.fusion(axes, adapter, fused, oracle=oracle, taught=taught)
        return maker.target(axes, adapter, variant, oracle=oracle, taught=taught)

    def _merged(self, axes: Axes, adapter: AdapterSpec | None) -> KeyOfSeed:
        """Key of the merged model of one row, by seed; empty for the untouched backbone."""
        how = self._recipe.merging
        if (size := how.members) is not None:
            member = self.trained(replace(axes, variant=how.of), adapter)

            def soup(seed: int) -> str:
                members = [member(seed + SOUP_STEP * number) for number in range(size)]
                if not members[0]:
                    return ""
                return self._maker.merge(axes.with_seed(seed), adapter, how, members, [1 / size] * size)

            return soup
        # The target's own model comes first: the merged one answers with its head.
        answers = self.trained(replace(axes, variant=how.of, intermediate=NONE), adapter)
        if axes.intermediate == NONE:
            return answers
        parts = self._recipe.single_intermediates() if axes.intermediate == POOL else (axes.intermediate,)
        joined = [self._maker.intermediate(axes.backbone, adapter, task) for task in parts]
        rest = 1 - how.intermediate if how.target is None else how.target
        weights = [rest, *([how.intermediate / len(parts)] * len(parts))]

        def merged(seed: int) -> str:
            members = [answers(seed), *(key_of(seed) for key_of in joined)]
            return self._maker.merge(axes.with_seed(seed), adapter, how, members, weights)

        return merged


def _untouched(_seed: int) -> str:
    """There is no trained model."""
    return ""
