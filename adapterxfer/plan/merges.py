"""Makes the stages that join weights of trained models."""

from __future__ import annotations

from collections.abc import Sequence

from adapterxfer.plan.inputs import InputMaker
from adapterxfer.plan.workbench import Workbench, labels_of
from adapterxfer.recipe.models import AdapterSpec, Merge


class MergeMaker:
    """Builds these stages."""

    def __init__(self, bench: Workbench, inputs: InputMaker) -> None:
        self._bench, self._inputs = bench, inputs

    def merge(self, backbone: str, adapter: AdapterSpec | None, how: Merge, members: Sequence[str],
              weights: Sequence[float], intermediate: str, target: str, seed: int) -> str:  # fmt: skip
        """Weights of trained models joined into one; the first one gives the head.

        Args:
            members: keys of the models.
            weights: one for each.
            seed: of the cell; the start values that task arithmetic counts from depend on it.
        """
        who, inputs = self._inputs.backbone(backbone)
        label = adapter.label if adapter else ""
        identity = {
            "backbone": who,
            "kind": how.kind,
            "weights": list(weights),
            "adapter": adapter.identity() if adapter else None,
            "seed": seed,
        }
        inputs = {**{f"model.{number:02d}": key for number, key in enumerate(members)}, **inputs}
        labels = labels_of(backbone, "merge", label, intermediate, target, seed)
        slug = f"{backbone}-merge-{intermediate}-{target}-s{seed}"
        return self._bench.add("merge", identity, inputs, slug, labels, {})
