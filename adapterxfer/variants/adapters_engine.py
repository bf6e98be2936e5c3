"""Configurations of the `adapters` library inside this project's encoders: its own modules compute every change.

The library puts its modules into a copy of the encoder that shares all weights; the copy never runs. What it put into a
layer is called where this project's own pass (or its hooks) has a place for it: bottlenecks on the sums of the blocks,
LoRA and its kin at the linear maps, prefixes before keys and values, ReFT after a layer, invertible maps on the
embeddings. So a configuration runs here as there, with everything around it that other methods have.

In a stack a bottleneck sees what the one below it made of the block's output, as in the library's ``Stack``;
``scripts/table_adapters.py`` compares both, and what is another function there is not stacked.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

from adapterxfer.backbones.library_model import as_library
from adapterxfer.catalog.architectures import Architecture, Place, architecture_of
from adapterxfer.catalog.methods.adapters_configs import ADAPTERS, FIXED
from adapterxfer.errors import MissingDependency, VariantError
from adapterxfer.variants.fusion import NEAR_IDENTITY
from adapterxfer.variants.library_modules import (
    ADAPTER,
    Layer,
    LibraryModules,
    drawn,
    frozen,
    inside_library,
    seed_of,
    trained,
)
from adapterxfer.variants.places import Norm

if TYPE_CHECKING:
    from adapterxfer.variants.adapter import Site

BLOCKS: Mapping[str, Place] = {"mh_adapter": "attention", "output_adapter": "ffn"}
"""The library's location of a bottleneck -> the sum that it acts on."""

ORTHOGONAL = "parametrizations.weight.original"
"""End of the name of a matrix whose diagonal has to stay at plus or minus one: torch reads it as whole numbers, so with
weight decay the first step would make the projection nothing."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the library put into one layer.

    Attributes:
        blocks: place -> bottleneck on a sum.
        maps: role -> the library's module around a linear map.
        prefix: layer of prefixes, and the group of all layers' prefixes.
        edit: of hidden states after the layer.
        invertible: map of the embeddings; in the lowest layer only.
    """

    blocks: dict[str, Any] = field(default_factory=dict)
    maps: dict[str, Any] = field(default_factory=dict)
    prefix: tuple[Any, Any] | None = None
    edit: Any = None
    invertible: Any = None

    @property
    def places(self) -> set[str]:
        """Where it acts."""
        others = {"keys_values": self.prefix, "layer": self.edit, "embedding": self.invertible}
        named = {place for place, module in others.items() if module is not None}
        return {*self.blocks, *(["linear"] if self.maps else []), *named}

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """All modules whose dropout follows the mode of the adapter."""
        prefixes = self.prefix[1:] if self.prefix else ()
        single = [module for module in (self.edit, self.invertible) if module is not None]
        return (*self.blocks.values(), *self.maps.values(), *prefixes, *single)


class AdaptersLayer(LibraryModules):
    """What the library computes in one layer.

    Args:
        parts: of this layer.
        weights, tuned: see `LibraryModules`; ``tuned`` is the library's model.
        model: the same in every layer.
        places: where something acts, in any layer.
        together: shared by the layers of one adapter: the prefixes of the current pass.
    """

    def __init__(
        self,
        parts: Parts,
        weights: Mapping[str, nn.Parameter],
        tuned: nn.Module | None,
        *,
        model: nn.Module,
        places: tuple[str, ...],
        together: dict[str, Any],
    ) -> None:
        super().__init__(parts.modules, weights, tuned)
        for name, weight in weights.items():
            if name.endswith(ORTHOGONAL):
                setattr(weight, NEAR_IDENTITY, True)
        self.places = places  # type: ignore[misc]  # what a configuration says, not the class
        self._parts, self._model, self._together = parts, (model,), together

    @classmethod
    def build(cls, site: Site, size: int, generator: torch.Generator) -> Self:  # noqa: ARG003 - one signature for all
        """The module of one layer; the library equips all layers at once, when the first one is built.

        Raises:
            VariantError: the configuration is wrong, or asks for what this encoder does not show.
            MissingDependency: `adapters` is not installed.
        """
        if "tuned" not in site.shared:
            tuned, architecture = tune(site.encoder, site.method.name, site.config, seed=seed_of(generator))
            layers = _by_layer(tuned, architecture)
            places = sorted({place for parts, _ in layers.values() for place in parts.places})
            site.shared.update(tuned=tuned, layers=layers, places=tuple(places), together={})
        parts, weights = site.shared["layers"][site.layer]
        lowest = site.layer == min(site.shared["layers"])
        return cls(
            parts,
            weights,
            site.shared["tuned"] if lowest else None,
            model=site.shared["tuned"],
            places=site.shared["places"],
            together=site.shared["together"],
        )

    def attention(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
        """Place ``attention``."""
        return self._on_sum("attention", total, residual, norm)

    def ffn(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
        """Place ``ffn``."""
        return self._on_sum("ffn", total, residual, norm)

    def _on_sum(self, block: str, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
        module = self._parts.blocks.get(block)
        if module is None:
            return total
        output = total - residual
        with self._inside():
            inputs, _, kept = module.pre_forward(output, residual, norm)
            changed = module(inputs, residual_input=kept)[0]
            # Without the norm, which comes after this place: what is left of it adds the residual.
            added: Tensor = module.post_forward(changed, output, residual, None)
        return added

    def mixed_in(self, total: Tensor, norm: Norm) -> Tensor:
        """What the bottleneck of the feed-forward block adds, residual left out, for a fusion of several."""
        module = self._parts.blocks["ffn"]
        with self._inside():
            outputs: Tensor = module(norm(total), residual_input=total)[2]
        return outputs

    def linear_input(self, role: str, states: Tensor) -> Tensor:  # noqa: ARG002 - signature of the place
        """Inputs are changed inside the library's module."""
        return states

    def linear_output(self, role: str, linear: nn.Linear, states: Tensor, base: Tensor, now: Tensor) -> Tensor:  # noqa: ARG002
        """Place ``linear``: the library's own call computes the frozen map too, which is known already."""
        module = self._parts.maps.get(role)
        if module is None:
            return now
        from adapters.methods.lora import LoRAState, compute_dora_deltaw, compute_dora_norm

        with self._inside():
            update = module.loras[ADAPTER]
            hidden = module.compose(module.get_active_setup(), LoRAState(states, None, now, None)).hidden_states
            if update.use_dora:
                lengths = compute_dora_norm(module.weight, update.delta_w)
                changed: Tensor = compute_dora_deltaw(now, hidden, update.m, lengths)
            else:
                changed = update.com(now, hidden, scaling=1.0)  # it is in the update
        return changed

    def keys_values(self) -> tuple[Tensor, Tensor]:
        """Place ``keys_values``; a layer without prefix has one of length 0."""
        if self._parts.prefix is None:
            model: Any = self._model[0]
            nothing = next(model.parameters()).new_zeros(0, int(model.config.hidden_size))
            return nothing, nothing
        layer, group = self._parts.prefix
        known = self._together.get("prefixes")
        # All layers' prefixes come out of one network: the lowest computes them, the others take them. What was
        # computed without gradients is of no use where gradients are asked for.
        if self._tuned[0] is not None or known is None or (torch.is_grad_enabled() and not known[0].requires_grad):
            with self._inside():
                known = group(1)[layer.location_key]
            self._together["prefixes"] = known
        keys, values = known[layer.prefixes[ADAPTER]]  # each (1, heads, length, width of a head)
        return keys[0].transpose(0, 1).flatten(1), values[0].transpose(0, 1).flatten(1)

    def layer(self, states: Tensor) -> Tensor:
        """Place ``layer``."""
        if self._parts.edit is None:
            return states
        with self._inside():
            edited: Tensor = self._parts.edit(states)
        return edited

    def embedding(self, states: Tensor) -> Tensor:
        """Place ``embedding``."""
        mapped: Tensor = self._parts.invertible(states)
        return mapped

    def invert(self, states: Tensor) -> Tensor:
        """What `embedding` made this of, shape ``(..., hidden)``."""
        flat = states.reshape(1, -1, states.shape[-1])
        restored: Tensor = self._parts.invertible(flat, rev=True)
        return restored.view(states.shape)

    def neutralise(self) -> None:
        """Set the weights so that nothing changes: of bottlenecks, edits and invertible maps; others have none."""
        with torch.no_grad():
            for module in self._parts.blocks.values():
                _silence(module.adapter_up)
            for unit in self._parts.edit.units if self._parts.edit is not None else ():
                unit.learned_source.bias.zero_()
                neutral = unit.projection.weight if unit.subtract_projection else torch.zeros(())
                unit.learned_source.weight.copy_(neutral.expand_as(unit.learned_source.weight))
            if self._parts.invertible is not None:
                for name, module in self._parts.invertible.named_children():
                    assert name in ("F", "G"), "the halves of an additive coupling"
                    _silence(module[-1])

    @contextmanager
    def _inside(self) -> Iterator[None]:
        """What the library's own forward pass would have told its modules."""
        from adapters.context import ForwardContext

        context = ForwardContext.__new__(ForwardContext)
        for name in ForwardContext.context_args:
            setattr(context, name, None)
        context.shared_parameters = self._model[0].shared_parameters
        with context:
            yield


def tune(encoder: nn.Module | None, method: str, config: str, *, seed: int) -> tuple[Any, Architecture]:
    """The library's model around a copy of the encoder, whose weights it shares.

    Args:
        encoder: stays as it is.
        method: ``adapters:CONFIG``.
        config: keys that differ from it, as JSON.
        seed: of the start values.

    Raises:
        VariantError: the library does not have this encoder, or the configuration is wrong.
        MissingDependency: `adapters` is not installed.
    """
    if encoder is None:
        raise VariantError(f"adapter method '{method}' needs the whole encoder", fix="build it for a loaded backbone")
    model: Any = as_library(encoder)
    architecture = architecture_of(model.config.model_type)
    if not architecture.in_adapters:
        raise VariantError(
            f"adapter method '{method}': the library has no encoder {architecture.model_type} with the places of ours",
            fix="use a method of this project",
        )
    return drawn(lambda number: _equipped(model, architecture, method, config, seed=number), seed=seed), architecture


def _equipped(encoder: Any, architecture: Architecture, method: str, config: str, *, seed: int) -> Any:
    library, settings = _library(), configuration(method, config)
    layers = list(encoder.get_submodule(architecture.layers).parameters())
    subject = f"adapter method '{method}', config {config or '{}'}"
    with frozen(layers, subject, "change its config") as judge:
        tensors = (*encoder.parameters(), *encoder.buffers())
        model = copy.deepcopy(encoder, {id(tensor): tensor for tensor in tensors})
        with inside_library(seed):
            # It makes modules for all maps and then gives them the weights: on no device that costs nothing.
            with torch.device("meta"):
                library.init(model)
            model.add_adapter(ADAPTER, config=settings)
            model.train_adapter(ADAPTER)
        judge(model)
    return model


def configuration(method: str, config: str) -> Any:
    """The library's configuration of a method.

    Raises:
        VariantError: the library has no such configuration, or a key is unknown, or one that the engine sets.
        MissingDependency: `adapters` is not installed.
    """
    _library()
    from adapters.configuration.adapter_config import ADAPTER_CONFIG_MAP

    name = method.removeprefix(ADAPTERS.prefix)
    keys: dict[str, Any] = json.loads(config or "{}")
    plain = ADAPTER_CONFIG_MAP.get(name)
    if plain is None:
        raise VariantError(
            f"adapter method '{method}': the installed adapters has no such configuration",
            fix=f"use one of {', '.join(ADAPTER_CONFIG_MAP)}",
        )
    fields = getattr(plain, "__dataclass_fields__", {})
    if wrong := sorted(key for key in keys if key not in fields or key in FIXED):
        raise VariantError(
            f"adapter method '{method}': it has no key '{wrong[0]}' that a recipe can set",
            fix=f"it has {', '.join(sorted(set(fields) - FIXED)) or 'none'}",
        )
    if not keys:
        return plain
    if isinstance(keys.get("scaling"), int):
        keys["scaling"] = float(keys["scaling"])  # the library takes a whole number for an unknown word
    try:
        return plain.replace(**keys)
    except (ValueError, TypeError) as error:
        raise VariantError(f"adapter method '{method}', config {config}: {error}", fix="change its config") from None


def _by_layer(model: Any, architecture: Architecture) -> dict[int, Layer]:
    """Layer -> what the library put there, and what trains of it; what all layers share belongs to the lowest."""
    from adapters.methods.bottleneck import BottleneckLayer
    from adapters.methods.lora import LoRALayer
    from adapters.methods.prefix_tuning import PrefixTuningLayer

    roles = {path: role for role, path in architecture.linears.items()}
    layers: dict[int, Layer] = {}
    for index, layer in enumerate(model.get_submodule(architecture.layers)):
        parts = Parts(
            edit=_of(layer.reft_layer.refts),
            invertible=_of(getattr(model, "invertible_adapters", {})) if index == 0 else None,
            prefix=next(
                (
                    (module, module.pool.get_prefix(ADAPTER))
                    for module in layer.modules()
                    if isinstance(module, PrefixTuningLayer) and ADAPTER in module.prefixes
                ),
                None,
            ),
        )
        for path, module in layer.named_modules():
            if isinstance(module, BottleneckLayer) and ADAPTER in module.adapters:
                parts.blocks[BLOCKS[module.location_key]] = module.adapters[ADAPTER]
            if isinstance(module, LoRALayer) and ADAPTER in module.loras:
                if path not in roles:
                    raise VariantError(
                        f"the adapters library changes the map {path}, which this encoder does not show",
                        fix="leave it out in the config of the adapter",
                    )
                parts.maps[roles[path]] = module
        layers[index] = (parts, {})
    inside = f"{architecture.layers}."
    for name, weight in trained(model):
        rest = name.removeprefix(inside)
        number, _, key = rest.partition(".") if rest != name else ("0", "", f"shared.{name}")
        layers[int(number)][1][key] = weight
    return layers


def _of(modules: Any) -> Any:
    """The adapter's module among those of all adapters; None where it has none."""
    return modules[ADAPTER] if ADAPTER in modules else None  # noqa: SIM401 - a dictionary of modules has no `get`


def _silence(layer: nn.Module) -> None:
    """Set the last map of a network to zero, whatever its factors are called."""
    for name, parameter in layer.named_parameters():
        if name in ("weight", "bias", "b", "W", "W_left"):
            parameter.zero_()


def _library() -> Any:
    try:
        with inside_library(0):
            import adapters
    except ImportError:
        raise MissingDependency("adapter methods 'adapters:...'", "adapters", versions=ADAPTERS.versions) from None
    return adapters
