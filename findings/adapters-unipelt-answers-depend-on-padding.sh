#!/usr/bin/env bash
# adapters 1.3.0 with transformers 4.57.6: the configuration "unipelt" on an encoder.
#
# Behaviour: UniPELT's gates, of its bottleneck, its LoRA and its prefix, are means over all positions of a text, padding
# included, so the hidden states of a text depend on how far it is padded, which is to say on the longest text of its batch.
# The attention mask is given and right; "mam" (the library's other mixture), bottlenecks, LoRA and prefixes alone do
# not have this. A score then moves with the size and order of evaluation batches.
#
# Seen: weights drawn at random, 6 tokens alone against the same 6 with 6 padded places: the states of the real tokens move by
# 0.084 with unipelt, and by at most 0.000001 with seq_bn, lora, prefix_tuning and mam.
# Ends with 0 while that is so, with 1 once it has changed.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check adapters==1.3.0 transformers==4.57.6
"$folder/venv/bin/python" - <<'PY'
import sys

import adapters
import torch
from torch.nn.functional import pad
from transformers import XLMRobertaConfig, XLMRobertaModel, logging

logging.set_verbosity_error()
SIZES = {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def moved_by_padding(configuration):
    """Largest change of a real token's state when the text is padded to twice its length."""
    torch.manual_seed(0)
    model = XLMRobertaModel(XLMRobertaConfig(**SIZES, max_position_embeddings=64), add_pooling_layer=False)
    adapters.init(model)
    model.add_adapter("tried", config=configuration)
    model.set_active_adapters("tried")
    model.eval()
    with torch.no_grad():
        for parameter in model.parameters():  # as after a training: nothing is zero any more
            parameter.add_(0.1 * torch.randn_like(parameter))
        text = torch.tensor([[0, 11, 12, 13, 14, 2]])
        longer = pad(text, (0, 6), value=1)
        alone = model(text, attention_mask=torch.ones_like(text))[0]
        beside = model(longer, attention_mask=longer.ne(1).long())[0][:, :6]
    return float((alone - beside).abs().max())


moved = {name: moved_by_padding(name) for name in ("seq_bn", "lora", "prefix_tuning", "mam", "unipelt")}
print(adapters.__version__, {name: f"{value:.6f}" for name, value in moved.items()})
others = max(value for name, value in moved.items() if name != "unipelt")
sys.exit(0 if others < 1e-5 and moved["unipelt"] > 1e-3 else 1)
PY
