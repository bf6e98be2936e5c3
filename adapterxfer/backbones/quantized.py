"""Linear maps of a frozen backbone in 8 or 4 bits, through the modules of libraries that quantize.

    int8   torchao: one scale for each output of a map (its `Int8WeightOnlyConfig`)
    nf4    bitsandbytes: 4-bit NormalFloat, one scale for each 64 numbers (Dettmers et al. 2023, section 3; without
           double quantization, as `BitsAndBytesConfig` by default)

Both hold weights alone in few bits; states stay in the number format of the backbone. So what becomes of a text hangs
neither on the texts beside it nor on whether a model trains, which LLM.int8() (Dettmers et al. 2022) cannot say: it
looks for large states in the whole batch.

Every `nn.Linear` inside the layers is quantized. Embeddings, their projection, norms, biases and what the library
always keeps whole (``wo`` of mT5) are not.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from adapterxfer.errors import BackboneError, MissingDependency

if TYPE_CHECKING:
    import torch
    from torch import nn

    from adapterxfer.catalog.architectures import Architecture

EXTRA = "quantized"
"""The extra of this package that installs the libraries."""

LIBRARIES: Mapping[str, str] = {"int8": "torchao", "nf4": "bitsandbytes"}
"""Value of ``quantize`` -> the library whose modules hold such weights."""

HUB_KERNELS = "kernels"
"""With this package, bitsandbytes fetches code from the Hub while it is imported; no backbone runs fetched code."""


def quantize(model: Any, kind: str, architecture: Architecture) -> None:
    """Put the linear maps inside the layers of a frozen encoder into few bits, in place.

    Args:
        model: with its weights, in the number format that it computes in, on the CPU.
        kind: one of `LIBRARIES`.
        architecture: of the model.

    Raises:
        BackboneError: another kind.
        MissingDependency: the library is not installed.
    """
    if kind not in LIBRARIES:
        raise BackboneError(f"quantize {kind!r}; expected one of {', '.join(LIBRARIES)}", fix="change the recipe")
    layers = model.get_submodule(architecture.layers)
    paths = linear_maps(layers, whole=getattr(model, "_keep_in_fp32_modules", None) or ())
    match kind:
        case "int8":
            _int8(layers, frozenset(paths))
        case _:
            dtype = model.get_input_embeddings().weight.dtype
            for path in paths:
                parent, _, name = path.rpartition(".")
                setattr(layers.get_submodule(parent), name, _nf4(layers.get_submodule(path), dtype))


def linear_maps(layers: nn.Module, *, whole: Any = ()) -> list[str]:
    """Paths of the maps that are quantized, relative to the layers.

    Args:
        whole: last parts of the names of those that are not.
    """
    from torch import nn

    named = layers.named_modules()
    return [path for path, module in named if isinstance(module, nn.Linear) and path.rpartition(".")[2] not in whole]


def shared_parts(model: nn.Module) -> dict[int, Any]:
    """What copies of an encoder's modules share with it, by its address, for `copy.deepcopy`: all that weights are."""
    tensors: list[Any] = [*model.parameters(), *model.buffers()]
    tensors += [module.quant_state for module in model.modules() if hasattr(module, "quant_state")]
    return {id(tensor): tensor for tensor in tensors}


def computes_in(linear: Any) -> torch.dtype:
    """Number format of what a linear map reads and gives, which packed weights do not show."""
    dtype: torch.dtype = getattr(linear, "compute_dtype", linear.weight.dtype)
    return dtype


def _int8(layers: nn.Module, paths: frozenset[str]) -> None:
    with _importing("int8"):
        from torchao.quantization import Int8WeightOnlyConfig, quantize_
    quantize_(layers, Int8WeightOnlyConfig(), filter_fn=lambda _, path: path in paths)
    layers.requires_grad_(False)


def _nf4(linear: nn.Linear, dtype: torch.dtype) -> Any:
    with _importing("nf4"):
        from bitsandbytes.nn import Linear4bit, Params4bit
    settings: dict[str, Any] = {"quant_type": "nf4", "compress_statistics": False}
    packed = Linear4bit(
        linear.in_features,
        linear.out_features,
        bias=linear.bias is not None,
        compute_dtype=dtype,
        device="meta",
        **settings,
    )
    weight = Params4bit(linear.weight.data, requires_grad=False, module=packed, **settings)
    packed.weight, packed.bias = weight.to("cpu"), linear.bias
    # On a processor with bfloat16, a model that is asked and not trained would get its weights rewritten and compute
    # with them in bfloat16; version 0.50.2 fails on narrow maps then, and its fingerprint is another one.
    packed.support_avx512bf16_for_cpu = False
    return packed.requires_grad_(False).eval()


@contextmanager
def _importing(kind: str) -> Iterator[None]:
    """While a library is imported: without what it logs about accelerators that are not there."""
    with _muted(), _without(HUB_KERNELS):
        try:
            yield
        except ImportError:
            raise MissingDependency(f"backbones with quantize: {kind}", EXTRA) from None


@contextmanager
def _muted() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def _without(module: str) -> Iterator[None]:
    """Let an import of a module fail, as if it were not installed."""
    absent: Any = None
    if module in sys.modules:
        yield
        return
    sys.modules[module] = absent
    try:
        yield
    finally:
        del sys.modules[module]
