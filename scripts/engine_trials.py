"""A tiny encoder, and what is asked of every method that a library's own modules compute; used by the tables of both.

from engine_trials import encoder, fresh_adapter, states, train
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import count_parameters, state_fingerprint
from adapterxfer.catalog.methods import METHODS
from adapterxfer.catalog.methods.spec import MethodSpec
from adapterxfer.training.optimiser import decays
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.places import places_of

HIDDEN, LAYERS, STEPS = 32, 2, 30
TOLERANCE, MATTERS = 1e-5, 1e-4

PADDING = 1e-4
"""Largest relative change of an answer by more padding; as the assertion of every trained model has it."""


def encoder() -> LoadedBackbone:
    """A tiny random XLM-R."""
    from transformers import XLMRobertaConfig, XLMRobertaModel

    config = XLMRobertaConfig(
        vocab_size=50, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=32, initializer_range=0.15, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    torch.manual_seed(3)
    model = XLMRobertaModel(config, add_pooling_layer=False).eval().requires_grad_(False)
    return LoadedBackbone(
        model=model,
        tokenizer=None,  # type: ignore[arg-type]
        config=config,
        identity={"name": "tiny"},
        fingerprint=state_fingerprint(model.state_dict()),
        parameters=count_parameters(model),
    )


def batch() -> tuple[Tensor, Tensor]:
    tokens = torch.randint(5, 50, (8, 9), generator=torch.Generator().manual_seed(4))
    mask = torch.ones_like(tokens)
    tokens[1, 5:], mask[1, 5:] = 1, 0
    return tokens, mask


def states(loaded: LoadedBackbone, adapters: list[Adapter]) -> Tensor:
    tokens, mask = batch()
    with torch.no_grad():
        return encode(loaded.model, tokens, mask, places_of(adapters))[mask.bool()]


def change_by_padding(loaded: LoadedBackbone, adapter: Adapter) -> float:
    """Largest relative change of hidden states where texts are padded by three more places."""
    tokens, mask = batch()
    more = nn.functional.pad(tokens, (0, 3), value=1), nn.functional.pad(mask, (0, 3))
    with torch.no_grad():
        padded = encode(loaded.model, *more, places_of([adapter]))[:, :-3][mask.bool()]
    expected = states(loaded, [adapter])
    return largest(padded, expected) / float(expected.abs().max())


def train(loaded: LoadedBackbone, adapter: Adapter) -> tuple[float, float]:
    """Loss before and after some steps towards a random target."""
    tokens, mask = batch()
    head = nn.Linear(HIDDEN, 3)
    torch.manual_seed(6)
    nn.init.normal_(head.weight)
    wanted = torch.randint(3, (len(tokens),), generator=torch.Generator().manual_seed(5))
    groups = [
        {"params": [weight for weight in adapter.parameters() if decays(weight) == decayed], "weight_decay": decay}
        for decayed, decay in ((True, 0.01), (False, 0.0))
    ]
    optimiser = torch.optim.AdamW([group for group in groups if group["params"]], lr=1e-2)
    losses: list[float] = []
    for _ in range(STEPS + 1):
        logits = head(encode(loaded.model, tokens, mask, places_of([adapter]))[:, 0])
        loss = nn.functional.cross_entropy(logits, wanted)
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return losses[0], losses[-1]


class Allowed:
    """Lets a method be looked up that the tables of the package do not allow (yet), or not so."""

    def __init__(self, spec: MethodSpec) -> None:
        self.spec = spec

    def __enter__(self) -> None:
        dict.__setitem__(METHODS, self.spec.name, self.spec)

    def __exit__(self, *error: object) -> None:
        dict.pop(METHODS, self.spec.name)


def fresh_adapter(loaded: LoadedBackbone, spec: MethodSpec, config: str, *, seed: int) -> Adapter:
    """A fresh adapter of a method, in evaluation mode."""
    with Allowed(spec):
        return Adapter(
            loaded.layers, loaded.hidden_size, AdapterShape(spec.name, 1, config=config),
            generator=torch.Generator().manual_seed(seed), linears=loaded.linears, encoder=loaded.model,
        ).eval()  # fmt: skip


def hidden_of(model: Any) -> Tensor:
    """Hidden states of the library's model at real tokens."""
    tokens, mask = batch()
    with torch.no_grad():
        states: Tensor = model.eval()(input_ids=tokens, attention_mask=mask).last_hidden_state
    return states[mask.bool()]


def distance(observed: Tensor, expected: Tensor) -> float:
    return float(((observed - expected).square().mean() / expected.square().mean()).sqrt())


def largest(observed: Tensor, expected: Tensor) -> float:
    return float((observed - expected).abs().max())
