"""How the model of a target training begins, one function for each variant: `VariantSpec.builder` names them.

Each takes what there is and returns the backbone to use and the adapters of tasks, bottom first. The adapter of the
task at hand has the id `TARGET_ID`, that of an intermediate `INTERMEDIATE_ID`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from adapterxfer.backbones.loaded import LoadedBackbone, with_own_weights
from adapterxfer.errors import VariantError
from adapterxfer.training.seeds import torch_generator
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.composition import TARGET_ID
from adapterxfer.variants.storage import StoredModel, load_adapter, load_backbone_weights

INTERMEDIATE_ID = "i00"


@dataclass(frozen=True, slots=True)
class Given:
    """What a training begins with.

    Attributes:
        backbone: frozen and shared.
        before: the model of the intermediate training; None without one.
        shape: of the adapter that the recipe asks for; None where the variant has none.
        seed: of all start values.
    """

    backbone: LoadedBackbone
    before: StoredModel | None
    shape: AdapterShape | None
    seed: int


class Start(NamedTuple):
    """The backbone, a copy where its weights train, and the adapters of tasks by id."""

    backbone: LoadedBackbone
    adapters: dict[str, Adapter]


def whole_backbone(sources: Given) -> Start:
    """A copy of the backbone, with the weights of the intermediate training where there was one."""
    backbone, before = sources.backbone, sources.before
    return Start(with_own_weights(backbone) if before is None else load_backbone_weights(before, backbone), {})


def head_alone(sources: Given) -> Start:
    """The frozen backbone."""
    return Start(sources.backbone, {})


def fresh_adapter(sources: Given) -> Start:
    """A fresh adapter alone."""
    return Start(sources.backbone, {TARGET_ID: _fresh(sources)})


def stacked_adapter(sources: Given) -> Start:
    """The intermediate's adapter, and a fresh one above it."""
    return Start(sources.backbone, {INTERMEDIATE_ID: _before(sources), TARGET_ID: _fresh(sources)})


def continued_adapter(sources: Given) -> Start:
    """The intermediate's adapter, to be trained further.

    Raises:
        VariantError: it is not of the shape that the recipe asks for.
    """
    adapter = _before(sources)
    if adapter.shape != sources.shape:
        assert sources.before is not None
        raise VariantError(
            f"{sources.before.folder}: adapter {adapter.shape}; the recipe asks to continue {sources.shape}",
            fix="use one adapter for both phases of the variant",
        )
    return Start(sources.backbone, {TARGET_ID: adapter})


def new_adapter(backbone: LoadedBackbone, shape: AdapterShape, *, seed: int) -> Adapter:
    """A fresh adapter; equal seeds give equal start values whatever else the model has."""
    generator = torch_generator(seed, "adapter")
    return Adapter(
        backbone.layers,
        backbone.hidden_size,
        shape,
        generator=generator,
        linears=backbone.linears,
        encoder=backbone.model,
    )


def _fresh(sources: Given) -> Adapter:
    assert sources.shape is not None, "a variant with adapters is asked for with one"
    return new_adapter(sources.backbone, sources.shape, seed=sources.seed)


def _before(sources: Given) -> Adapter:
    assert sources.before is not None, "only after an intermediate training"
    return load_adapter(sources.before, TARGET_ID, sources.backbone)
