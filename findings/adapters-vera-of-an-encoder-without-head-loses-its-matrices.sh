#!/usr/bin/env bash
# adapters 1.3.0 with transformers 4.57.6: the configurations "vera" and "dvora" on an encoder without a head.
#
# Behaviour: VeRA trains two vectors for each layer around a pair of random matrices that all layers share. For an encoder
# without a head, save_adapter writes the vectors alone: neither the matrices nor a seed to draw them from
# (init_weights_seed is null unless it was set by hand). load_adapter draws new matrices, so the trained vectors belong to other
# ones, without an error or a warning. With a head for classification on the same encoder both matrices are written. LoRA
# and DoRA, which share nothing, come back as they were.
#
# Seen: weights moved at random; a state moves by 0.046 with vera, 0.009 with dvora, and 0 with lora and dora.
# Ends with 0 while that is so, with 1 once it has changed.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check adapters==1.3.0 transformers==4.57.6
"$folder/venv/bin/python" - <<'PY'
import sys
import tempfile

import adapters
import torch
from transformers import XLMRobertaConfig, XLMRobertaModel, logging

logging.set_verbosity_error()
SIZES = {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
TEXT = torch.tensor([[0, 11, 12, 13, 14, 2]])


def encoder():
    torch.manual_seed(0)
    model = XLMRobertaModel(XLMRobertaConfig(**SIZES, max_position_embeddings=64), add_pooling_layer=False)
    adapters.init(model)
    return model.eval()


def moved_by_reloading(configuration):
    """Largest change of a state between an adapter and the same adapter saved and loaded by the library."""
    first = encoder()
    first.add_adapter("tried", config=configuration)
    first.set_active_adapters("tried")
    first.eval()
    with torch.no_grad():
        for name, parameter in first.named_parameters():
            if ".tried." in name:  # as after a training
                parameter.add_(0.1 * torch.randn_like(parameter))
        before = first(TEXT)[0]
    with tempfile.TemporaryDirectory() as place:
        first.save_adapter(place, "tried")
        second = encoder()
        second.load_adapter(place, load_as="tried")
    second.set_active_adapters("tried")
    second.eval()
    with torch.no_grad():
        return float((before - second(TEXT)[0]).abs().max())


names = ("lora", "dora", "vera", "dvora")
moved = {name: moved_by_reloading(name) for name in names}
print(adapters.__version__, {name: f"{value:.6f}" for name, value in moved.items()})
others = max(value for name, value in moved.items() if name not in ("vera", "dvora"))
sys.exit(0 if others < 1e-6 and all(moved[name] > 1e-3 for name in ("vera", "dvora")) else 1)
PY
