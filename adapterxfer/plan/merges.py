"""Makes the stages that join weights of trained models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapterxfer.plan.inputs import InputMaker
from adapterxfer.plan.workbench import Workbench
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.model_options import AdapterSpec, Merge
from adapterxfer.store.kinds import MERGED


class MergeMaker:
    """Builds these stages."""

    def __init__(self, bench: Workbench, inputs: InputMaker) -> None:
        self._bench, self._inputs = bench, inputs

    def merge(
        self, axes: Axes, adapter: AdapterSpec | None, how: Merge, members: Sequence[str], weights: Sequence[float]
    ) -> str:
        """Weights of trained models joined into one; the first one gives the head.

        Args:
            axes: of the cell; the start values that task arithmetic counts from depend on its seed.
            members: keys of the models.
            weights: one for each.
        """
        who, inputs = self._inputs.backbone(axes.backbone)
        identity = {
            "backbone": who,
            "kind": how.kind,
            "weights": list(weights),
            "adapter": adapter.identity() if adapter else None,
            "seed": axes.seed,
        }
        inputs = {**{f"model.{number:02d}": key for number, key in enumerate(members)}, **inputs}
        labels = replace(axes, adapter=adapter.label if adapter else "").values()
        slug = f"{axes.backbone}-{axes.variant}-{axes.intermediate}-{axes.target}-s{axes.seed}"
        return self._bench.add(MERGED, identity, inputs, slug, labels, {})
