"""What the engines of libraries share: modules that a library puts inside an encoder, called at the places of ours.

A library builds its modules around something that shares all weights with the backbone; what trains of them is stored
by name, a layer at a time, and the rest (frozen weights, random parts) stays outside of every file.

Everything random that does not train is drawn from one fixed seed, so that no file has to keep it; start values of what
trains come from the seed of the training.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from adapterxfer.errors import VariantError

FIXED_SEED = 0
"""Of random parts that do not train."""

ADAPTER = "default"
"""The name of the only adapter inside what a library built; left out of names in files."""

FAULTS = (ValueError, TypeError, RuntimeError, AttributeError, KeyError, AssertionError)
"""What libraries raise where a configuration does not fit."""

Layer = tuple[Any, dict[str, nn.Parameter]]
"""What acts in one layer, and what trains of it by name."""


class LibraryModules(nn.Module):
    """What a library computes in one layer.

    Args:
        modules: the library's modules of this layer. Not registered: their state holds frozen weights.
        weights: what trains of them, and is stored, by name.
        tuned: everything that the library built, for its random parts; given to the lowest layer alone.
    """

    places: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, modules: tuple[nn.Module, ...], weights: Mapping[str, nn.Parameter], tuned: nn.Module | None
    ) -> None:
        super().__init__()
        self.weights = nn.ParameterDict({stored_name(name): weight for name, weight in weights.items()})
        self._modules_there = modules
        self._tuned = (tuned,)

    @property
    def tuned(self) -> Any:
        """What the library built for all layers; the lowest layer has it."""
        return self._tuned[0]

    def train(self, mode: bool = True) -> Self:
        """Switch the library's own dropout too."""
        super().train(mode)
        for module in self._modules_there:
            module.train(mode)
        return self

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        """Move the random parts that do not train along with the weights."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for tuned in filter(None, self._tuned):
            for module in tuned.modules():
                for name, buffer in module.named_buffers(recurse=False):
                    module._buffers[name] = fn(buffer)
            for name, parameter in tuned.named_parameters():
                if ADAPTER in name.split(".") and not parameter.requires_grad:
                    parameter.data = fn(parameter.data)
        return self


def drawn(wrap: Callable[[int], nn.Module], *, seed: int) -> Any:
    """What a library builds, its random parts from the fixed seed and the start values of what trains from ``seed``.

    Args:
        wrap: builds it once, all random numbers from the given seed.
    """
    tuned = wrap(FIXED_SEED)
    start = dict(trained(wrap(seed)))
    with torch.no_grad():
        for name, weight in trained(tuned):
            weight.copy_(start[name])
    return tuned.eval()


def trained(tuned: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """What trains of what a library built, without the name that the library gives to its only adapter."""
    for name, weight in tuned.named_parameters():
        if weight.requires_grad:
            yield plain_name(name), weight


def plain_name(name: str) -> str:
    """A name without the step that says which adapter."""
    return ".".join(step for step in name.split(".") if step != ADAPTER)


def stored_name(name: str) -> str:
    """A name as a dictionary of parameters can hold it."""
    return name.replace(".", "/")


def seed_of(generator: torch.Generator) -> int:
    """A seed for the global generator, which libraries draw from."""
    return int(torch.randint(2**31, (), generator=generator))


@contextmanager
def inside_library(seed: int) -> Iterator[None]:
    """Quietly and with the global generator at a seed, which comes back afterwards.

    Libraries remark, in warnings and in their logs, on names and devices that are not those of a whole model.
    """
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            torch.manual_seed(seed)
            yield
    finally:
        logging.disable(before)


@contextmanager
def frozen(parameters: list[nn.Parameter], subject: str, fix: str) -> Iterator[Callable[[nn.Module], None]]:
    """A library may neither write into the backbone nor train it: what it wrote is taken back, and it is refused.

    Args:
        parameters: of the backbone, which other systems share.
        subject: what is being built, for messages.
        fix: what to change then.

    Yields:
        A function that judges what was built.

    Raises:
        VariantError: the library refuses the configuration, or has changed or would train the backbone.
    """
    before = [(parameter, parameter.data, parameter.detach().clone()) for parameter in parameters]
    theirs = {id(parameter) for parameter in parameters}

    def judge(tuned: nn.Module) -> None:
        changed = any(not torch.equal(parameter, copied) for parameter, _, copied in before)
        if changed or any(id(weight) in theirs for _, weight in trained(tuned)):
            for parameter, data, copied in before:
                parameter.data = data.copy_(copied)
                parameter.requires_grad_(False)
            raise VariantError(
                f"{subject}: it changes or trains weights of the backbone, which other systems of the study share",
                fix=fix,
            )

    try:
        yield judge
    except FAULTS as error:
        raise VariantError(f"{subject}: {error}", fix="change its config") from None


def as_change(now: Tensor, base: Tensor, changed: Tensor) -> Tensor:
    """Add to ``now`` what an adapter changes of the frozen map's output ``base``."""
    return changed if now is base else now + (changed - base)
