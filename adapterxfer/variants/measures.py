"""The numbers behind the assertions: each takes a model with some evidence and returns one number."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from adapterxfer.backbones.measure import state_fingerprint
from adapterxfer.variants.bottleneck import start_of
from adapterxfer.variants.composition import LANGUAGE_ID, TARGET_ID, colliding_names
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.merging import MergeMember
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.places import places_of

EXTRA_PADDING = 3
"""Columns appended by the test of padding."""


@dataclass(slots=True, kw_only=True)
class AssertionInput:
    """A model and what the measures need beside it.

    Attributes:
        model: the model to judge.
        batch: a few real inputs of its (first) task: anything with ``input_ids`` and ``attention_mask``, padded
            with the backbone's padding id; it is handed on to the head.
        task: whose head answers the batch.
        start: fingerprints of the weights before training, by name (`snapshot`); needed after training.
        start_backbone: fingerprint of the backbone's weights before training; needed after training, unless they are
            in ``start``.
        stored: reads the stored tensors back, by name; needed after training.
        pristine: the untouched backbone module; needed for ``full-ft`` with an intermediate.
        members: the models whose weights were joined; needed after merging.
        origin: start values that task arithmetic counts from, by name; None for other merges.
        trained_before: whether all parts were trained before, so that nothing is fresh.
    """

    model: TransferModel
    batch: Any
    task: str
    start: Mapping[str, str] = field(default_factory=dict)
    start_backbone: str = ""
    stored: Callable[[], Mapping[str, Tensor]] | None = None
    pristine: nn.Module | None = None
    members: Sequence[MergeMember] = ()
    origin: Mapping[str, Tensor] | None = None
    trained_before: bool = False

    @property
    def real(self) -> Tensor:
        """Where tokens are real, boolean, shape ``(batch, seq)``."""
        mask: Tensor = self.batch.attention_mask.bool()
        return mask


def snapshot(model: TransferModel) -> dict[str, str]:
    """Fingerprints of all weights beside a frozen backbone, by name: a copy would take as much memory again."""
    return {name: state_fingerprint({name: tensor}) for name, tensor in model.own_state().items()}


def wrong_trainable_names(evidence: AssertionInput) -> float:
    """Names in only one of: what the composition lets train, what requires a gradient."""
    model = evidence.model
    prefixes = model.composition.trainable_prefixes
    expected = {name for name in model.own_state() if name.startswith(prefixes)}
    return float(len(expected ^ set(model.trainable())))


def colliding_module_names(evidence: AssertionInput) -> float:
    """Ids of adapters and heads, as the modules have them, that are the beginning of another."""
    return float(len(colliding_names([*evidence.model.adapters, *evidence.model.heads])))


def change_by_zeroed_adapters(evidence: AssertionInput) -> float:
    """Fresh adapter (for a fusion: all adapters) with zero up-projection against the model without it."""
    model = evidence.model
    ids = [p.id for p in model.composition.task_adapters] if model.composition.fused else [TARGET_ID]
    with model.without(*ids):
        expected = hidden_of(evidence)
    with zeroed(model, ids):
        observed = hidden_of(evidence)
    return (observed - expected).abs().max().item()


def error_of_start_values(evidence: AssertionInput) -> float:
    """Deviation over all matrices of the fresh adapter against that of its settings; its biases must be zero."""
    shape = evidence.model.composition.adapters[-1].shape
    linears = [module for module in evidence.model.adapters[TARGET_ID].modules() if isinstance(module, nn.Linear)]
    if any(bool(linear.bias.count_nonzero()) for linear in linears):
        return float("inf")
    squares = sum(float(linear.weight.detach().double().square().sum()) for linear in linears)
    deviation = (squares / sum(linear.weight.numel() for linear in linears)) ** 0.5
    return float(abs(deviation / start_of(shape.method, shape.config) - 1))


def change_by_fresh_adapter(evidence: AssertionInput) -> float:
    """Fresh adapter as initialised against the model without it, relative root mean square."""
    with evidence.model.without(TARGET_ID):
        expected = hidden_of(evidence)
    return distance(hidden_of(evidence), expected)


def distance_of_fused_copies(evidence: AssertionInput) -> float:
    """Fusion of the last adapter with itself against that adapter alone, relative root mean square."""
    model = evidence.model
    fusion: Any = model.fusion
    adapter: Any = model.adapters[model.composition.adapters[-1].id]
    arguments = (model.backbone, evidence.batch.input_ids, evidence.batch.attention_mask)
    with evaluating(model):
        fused = encode(*arguments, fusion.places([adapter, adapter]))
        alone = encode(*arguments, places_of([adapter]))
    return distance(fused[evidence.real], alone[evidence.real])


def change_without_intermediate(evidence: AssertionInput) -> float:
    """Smallest relative change of the logits over all intermediates, each silenced by itself."""
    model = evidence.model
    logits = _logits(evidence)
    if model.composition.trains_backbone:
        if evidence.pristine is None:
            return float("nan")
        with evaluating(model):
            hidden = encode(evidence.pristine, evidence.batch.input_ids, evidence.batch.attention_mask)
            return distance(model.head(evidence.task)(hidden, evidence.batch), logits)
    # The adapter of `sequential` is the intermediate's own, continued.
    ids = [adapter.id for adapter in model.composition.adapters if adapter.role == "intermediate"] or [TARGET_ID]
    changes = []
    for adapter_id in ids:
        # Zeroed, not left out: a fusion of equal adapters (same data, same seed) would rightly not change.
        module: Any = model.adapters[adapter_id]
        with zeroed(model, [adapter_id]) if module.can_be_neutral else model.without(adapter_id):
            changes.append(distance(_logits(evidence), logits))
    return min(changes)


def change_without_language(evidence: AssertionInput) -> float:
    """Relative change of the logits without the adapter of the language."""
    logits = _logits(evidence)
    with evidence.model.without(LANGUAGE_ID):
        return distance(_logits(evidence), logits)


def error_of_inverse(evidence: AssertionInput) -> float:
    """Embeddings mapped and taken back against themselves, largest difference over the largest value."""
    model, batch = evidence.model, evidence.batch
    with evaluating(model):
        mapped = model.hidden_states(batch.input_ids, batch.attention_mask, layer=0)
        restored = model.invert_embedding(mapped)
        with model.without(*(adapter.id for adapter in model.composition.adapters)):
            expected = model.hidden_states(batch.input_ids, batch.attention_mask, layer=0)
    return float((restored - expected).abs().max() / expected.abs().max())


def change_by_padding(evidence: AssertionInput) -> float:
    """Hidden states of real tokens with and without more padding, largest difference over the largest value."""
    model, batch = evidence.model, evidence.batch
    pad_id = model.loaded.config.pad_token_id
    ids = nn.functional.pad(batch.input_ids, (0, EXTRA_PADDING), value=pad_id)
    mask = nn.functional.pad(batch.attention_mask, (0, EXTRA_PADDING), value=0)
    expected = hidden_of(evidence)
    with evaluating(model):
        padded = model(ids, mask)[:, :-EXTRA_PADDING][evidence.real]
    return float((padded - expected).abs().max() / expected.abs().max())


def backbone_changed(evidence: AssertionInput) -> float:
    """1 if the backbone's weights are not those before training."""
    if evidence.start_backbone:
        return float(state_fingerprint(evidence.model.backbone.state_dict()) != evidence.start_backbone)
    state = evidence.model.own_state()
    before = {name: fingerprint for name, fingerprint in evidence.start.items() if name.startswith("backbone.")}
    # The first tensor that changed settles it, so a backbone that trained is not read through.
    return float(not before or any(state_fingerprint({name: state[name]}) != before[name] for name in before))


def frozen_parts_changed(evidence: AssertionInput) -> float:
    """1 if tensors beside the backbone that should stay are not those before training."""
    model = evidence.model
    prefixes = ("backbone.", *model.composition.trainable_prefixes)
    now = {n: state_fingerprint({n: t}) for n, t in model.own_state().items() if not n.startswith(prefixes)}
    before = {n: fingerprint for n, fingerprint in evidence.start.items() if not n.startswith(prefixes)}
    return float(not now or now != before)


def parts_left_untrained(evidence: AssertionInput) -> float:
    """Trainable parts (one adapter, the fusion, one head, the backbone) without any changed tensor."""
    model = evidence.model
    state = model.own_state()
    untrained = 0
    for prefix in model.composition.trainable_prefixes:
        names = [name for name in state if name.startswith(prefix)]
        untrained += all(state_fingerprint({name: state[name]}) == evidence.start[name] for name in names)
    return float(untrained)


def differences_on_disk(evidence: AssertionInput) -> float:
    """Tensors that are missing in the stored file, extra in it, or not equal."""
    if evidence.stored is None:
        return float("nan")
    stored, state = evidence.stored(), evidence.model.own_state()
    unequal = sum(not torch.equal(stored[n], state[n].detach().cpu()) for n in stored.keys() & state.keys())
    return float(len(stored.keys() ^ state.keys()) + unequal)


def hidden_of(evidence: AssertionInput) -> Tensor:
    """Hidden states of real tokens, shape ``(tokens, hidden)``."""
    with evaluating(evidence.model):
        hidden: Tensor = evidence.model(evidence.batch.input_ids, evidence.batch.attention_mask)
    return hidden[evidence.real].float()


def _logits(evidence: AssertionInput) -> Tensor:
    model, batch = evidence.model, evidence.batch
    with evaluating(model):
        logits: Tensor = model.head(evidence.task)(model(batch.input_ids, batch.attention_mask), batch)
    return logits.float()


def distance(observed: Tensor, expected: Tensor) -> float:
    """Root mean square of the difference relative to that of ``expected``, over finite values (heads may mask)."""
    usable = torch.isfinite(expected) & torch.isfinite(observed) & (expected.abs() < 1e6) & (observed.abs() < 1e6)
    observed, expected = observed[usable].double(), expected[usable].double()
    return ((observed - expected).square().mean() / expected.square().mean()).sqrt().item()


@contextmanager
def evaluating(model: TransferModel) -> Iterator[None]:
    """Without dropout and gradients; the mode comes back."""
    before = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(before)


@contextmanager
def zeroed(model: TransferModel, ids: list[str]) -> Iterator[None]:
    """Adapters with weights that change nothing; their own come back bit for bit."""
    modules: list[Any] = [model.adapters[adapter_id] for adapter_id in ids]
    before = [copy.deepcopy(module.state_dict()) for module in modules]
    try:
        for module in modules:
            module.neutralise()
        yield
    finally:
        for module, state in zip(modules, before, strict=True):
            module.load_state_dict(state)
