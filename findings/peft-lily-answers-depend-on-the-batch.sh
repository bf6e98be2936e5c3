#!/usr/bin/env bash
# peft 0.21.2: an encoder with a LILY adapter, asked about one text alone, beside another text, and padded further.
#
# Behaviour: LILY mixes its shared up-projections by a router whose shares are averaged over all places of all texts of a
# batch, padding included (tuners/lily/layer.py). So what an encoder says about a text changes with the texts that happen to stand
# beside it and with the length of the longest: scores depend on the batch size and on the order of the test set. The
# attention mask, given correctly each time, is not asked. LoRA, set up the same way, does not do that.
#
# Seen: weights moved at random; the states of a text change by 0.77 beside another text and by 0.80 with eight places of
# padding with LILY, and by less than 0.00001 with LoRA.
# Ends with 0 while that is so, with 1 once it has changed.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check peft==0.21.2 transformers==5.24.0
"$folder/venv/bin/python" - <<'PY'
import sys

import peft
import torch
from transformers import XLMRobertaConfig, XLMRobertaModel, logging

logging.set_verbosity_error()
SIZES = {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
TEXT, OTHER = [0, 11, 12, 13, 14, 2], [0, 31, 32, 33, 34, 35, 36, 37, 2]


def encoder(configuration):
    torch.manual_seed(0)
    config = XLMRobertaConfig(**SIZES, max_position_embeddings=64, initializer_range=0.2)
    model = peft.get_peft_model(XLMRobertaModel(config, add_pooling_layer=False), configuration).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:  # as after a training
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def states(model, rows, width):
    """States of the first text, in a batch of these texts padded to a width."""
    tokens = torch.tensor([row + [1] * (width - len(row)) for row in rows])
    with torch.no_grad():
        return model(input_ids=tokens, attention_mask=tokens.ne(1).long())[0][0, : len(rows[0])]


found = {}
for name, configuration in (
    ("LILY", peft.LilyConfig(target_modules=["query", "value"])),
    ("LoRA", peft.LoraConfig(target_modules=["query", "value"])),
):
    model = encoder(configuration)
    alone = states(model, [TEXT], len(TEXT))
    beside = states(model, [TEXT, OTHER], len(OTHER))
    padded = states(model, [TEXT], len(TEXT) + 8)
    found[name] = [float((other - alone).abs().max()) for other in (beside, padded)]
print("peft", peft.__version__, {name: [f"{value:.6f}" for value in values] for name, values in found.items()})
holds = min(found["LILY"]) > 0.01 and max(found["LoRA"]) < 1e-4
print("as described" if holds else "this has changed")
sys.exit(not holds)
PY
