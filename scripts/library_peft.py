"""What the library `peft` itself computes with the weights of our adapters, and reads from the files of our bundles.

from library_peft import library_states, read_by_library
"""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from engine_trials import hidden_of
from safetensors.torch import save_file
from torch import Tensor

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.catalog.methods.peft_types import OURS, PREFIX
from adapterxfer.variants.adapter import Adapter
from adapterxfer.variants.peft_engine import configuration
from adapterxfer.variants.peft_files import engine_config, engine_to_peft


def library_states(loaded: LoadedBackbone, name: str, config: str, adapters: list[Adapter]) -> Tensor:
    """Hidden states of the library's own model of the whole encoder, with the weights of our adapters, all active."""
    import peft

    names = [f"a{number}" for number in range(len(adapters))]
    model: Any = copy.deepcopy(loaded.model)
    wrapped = None
    for adapter_name in names:
        settings = configuration(PREFIX + name, config, roles=loaded.linears[0])
        for key in OURS:
            roles = getattr(settings, key, None) or []
            if any(role.startswith("ffn") for role in roles):  # others are called so in the encoder too
                paths = "|".join(loaded.architecture.linears[role] for role in roles)
                setattr(settings, key, rf".*layer\.\d+\.({paths})")
        torch.manual_seed(0)
        if wrapped is None:
            wrapped = peft.get_peft_model(model, settings, adapter_name=adapter_name)
        else:
            wrapped.add_adapter(adapter_name, settings)
    assert wrapped is not None
    wrapped.base_model.set_adapter(names)
    theirs = dict(wrapped.named_parameters())
    with torch.no_grad():
        for adapter_name, adapter in zip(names, adapters, strict=True):
            copied = 0
            for theirs_name, weight in theirs.items():
                parts = theirs_name.split(".")
                if adapter_name not in parts:
                    continue
                plain = ".".join(part for part in parts if part != adapter_name)
                if (ours := _ours(adapter, plain)) is not None:
                    weight.copy_(ours)
                    copied += 1
            assert copied == len(list(adapter.parameters())), f"{copied} tensors of {len(list(adapter.parameters()))}"
    return hidden_of(wrapped.base_model)


def read_by_library(loaded: LoadedBackbone, adapter: Adapter) -> Tensor:
    """Hidden states after the library has read the files that a bundle would hold."""
    import peft

    architecture = loaded.architecture
    with tempfile.TemporaryDirectory() as folder:
        content = engine_config(adapter, architecture, base="tiny", revision=None)
        (Path(folder) / "adapter_config.json").write_text(json.dumps(content), encoding="utf-8")
        tensors = {n: t.detach().contiguous().clone() for n, t in engine_to_peft(adapter, architecture).items()}
        save_file(tensors, str(Path(folder) / "adapter_model.safetensors"), metadata={"format": "pt"})
        torch.manual_seed(12)
        return hidden_of(peft.PeftModel.from_pretrained(copy.deepcopy(loaded.model), folder).base_model)


def _ours(adapter: Adapter, name: str) -> Tensor | None:
    """Our tensor of a name in the library's model of a whole encoder."""
    inner = name.removeprefix("base_model.model.")
    if inner.startswith("encoder.layer."):
        index, _, rest = inner.removeprefix("encoder.layer.").partition(".")
        layer: Any = adapter[int(index)]
        rest = (
            rest.removeprefix("attention.self.")
            .replace("intermediate.dense", "ffn_in")
            .replace("output.dense", "ffn_out")
        )
        key = rest.replace(".", "/")
    else:
        layer, key = adapter[0], f"shared.{name}".replace(".", "/")
    weight: Tensor | None = layer.weights.get(key, None)
    return weight
