"""Masked language modelling of a small XLM-R from a corpus: one model, one pass over planned batches, one record.

The loop trades generality for speed: batches are planned before, logits exist only where a token was hidden, and the
optimiser is fused. On one CPU thread a repeated run gives the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from torch.nn import functional
from transformers import XLMRobertaForMaskedLM

from adapterxfer.durable.checkpoints import Checkpoints
from adapterxfer.errors import BackboneError
from adapterxfer.pretraining.attention import use_fp32_product
from adapterxfer.pretraining.batches import MaskedBatch, Masking, gather, mask_tokens, plan_batches, step_generator
from adapterxfer.pretraining.corpus import Corpus
from adapterxfer.pretraining.diagnostics import Diagnostics, Heldout, diagnose
from adapterxfer.pretraining.forward import predict_hidden
from adapterxfer.pretraining.initialisation import Initialisation, build_config, build_model
from adapterxfer.pretraining.module_order import named_parameters
from adapterxfer.pretraining.resume import Log, PretrainingProgress, Saving

CURVE_POINTS = (0.125, 0.25, 0.5)
"""Fractions of the training at which held-out losses are measured; the end is always measured."""

SAME_SHAPE = 64
"""The number of predicted tokens is padded to a multiple of this in bf16, where every new shape of a product compiles
and keeps a kernel: 1.16 instead of 1.56 GB after 150 steps at width 128, speed about the same."""

LOG_EVERY = 100
"""Steps between two lines of the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainingSettings:
    """Everything beside the corpus that determines a pretrained backbone.

    Attributes:
        hidden: width.
        layers: transformer layers.
        heads: attention heads.
        tokens: training budget, padding excluded; 0 gives the untrained twin of the same start values.
        batch_sequences: sequences in an optimiser step.
        learning_rate: peak of AdamW.
        warmup_fraction: share of the steps with a rising rate; then it falls linearly to 0.
        weight_decay: on matrices only.
        clip: largest gradient norm.
        masking: which tokens are predicted.
        initialisation: start values.
        shares: token share of streams by name; streams not named keep the corpus's weights.
        dtype: ``fp32``, or ``bf16`` autocast with the attention product in fp32.
        position_limit: tokens the backbone must be able to read; 0 means the longest training sequence.
        seed: of start values, order and masks.
    """

    hidden: int
    layers: int
    heads: int
    tokens: int
    batch_sequences: int
    learning_rate: float
    warmup_fraction: float = 0.08
    weight_decay: float = 0.01
    clip: float = 1.0
    masking: Masking = field(default_factory=Masking)
    initialisation: Initialisation = field(default_factory=Initialisation)
    shares: Mapping[str, float] = field(default_factory=dict)
    dtype: Literal["fp32", "bf16"] = "fp32"
    position_limit: int = 0
    seed: int = 1


class Pretrained(NamedTuple):
    """A trained model and what is known about it.

    Attributes:
        model: in evaluation mode, fp32 weights.
        record: JSON values for ``pretraining.json``: settings, steps, tokens, curve, final diagnostics, speed.
        resumed_at: step of the checkpoint this run went on from; 0 for none.
    """

    model: XLMRobertaForMaskedLM
    record: dict[str, Any]
    resumed_at: int = 0


def pretrain(
    corpus: Corpus,
    settings: PretrainingSettings,
    log: Log,
    *,
    device: str = "cpu",
    checkpoints: Checkpoints | None = None,
) -> Pretrained:
    """Train one backbone.

    Args:
        corpus: streams and held-out sequences.
        settings: budget, shape, optimiser.
        log: receives one mapping per `LOG_EVERY` steps and per measured point.
        device: where to train; bit-identical repetition is promised for one CPU thread only.
        checkpoints: where to save and go on; None for a pretraining that cannot be interrupted.

    Raises:
        BackboneError: the loss stopped being finite.
        DataError: the budget does not fill one batch, or a named stream is empty.
        StageStopped: the checkpoints were asked to stop; everything is saved.
        StageError: a checkpoint does not fit, which only happens where libraries changed in between.
    """
    corpus = corpus.with_shares(settings.shares)
    model: Any = initial_model(corpus, settings)
    model.to(device)
    heldout = Heldout.build(corpus, share=settings.masking.share)
    unigrams = corpus.unigrams()

    def measure() -> Diagnostics:
        with _precision(settings.dtype, device):
            return diagnose(model, heldout, unigrams, device=device)

    state = PretrainingProgress()
    if settings.tokens:
        plan = plan_batches(
            corpus, tokens=settings.tokens, batch_sequences=settings.batch_sequences, seed=settings.seed
        )
        points = {max(1, round(len(plan) * fraction)): fraction for fraction in CURVE_POINTS}
        optimiser = build_optimiser(model, settings)
        saving = Saving(checkpoints, named_parameters(model), optimiser, plan)
        state = saving.go_on(log)
        state.resume_clock()
        for step in range(state.step + 1, len(plan) + 1):
            rng = step_generator(settings.seed, step)
            tokens = gather(corpus, plan[step - 1])
            masked = mask_tokens(tokens, settings.masking, corpus.special, corpus.vocabulary, rng)
            if settings.dtype == "bf16":
                masked = masked.with_even_count(SAME_SHAPE)
            rate = settings.learning_rate * schedule(step - 1, len(plan), settings.warmup_fraction)
            state.running += train_step(model, optimiser, masked, rate=rate, settings=settings, device=device)
            state.tokens += masked.tokens
            state.step = step
            if not math.isfinite(state.running):
                saving.clear()  # it would only break down again
                raise BackboneError(
                    f"pretraining {settings.hidden}x{settings.layers}: loss is {state.running} at step {step}",
                    fix=f"lower learning_rate ({settings.learning_rate:g})",
                )
            if step % LOG_EVERY == 0 or step == len(plan):
                mean = state.running / ((step - 1) % LOG_EVERY + 1)
                rate_now = state.tokens / state.seconds
                state.tell(log, {"step": step, "steps": len(plan), "loss": round(mean, 4),
                                 "tokens_per_second": round(rate_now)})  # fmt: skip
                state.running = 0.0
            if step in points:
                with state.pause():
                    state.curve.append({"fraction": points[step], **_point(state, measure())})
                    state.tell(log, {"heldout": state.curve[-1]})
            if step < len(plan):
                saving.save_if_due(state, log)
    seconds = state.seconds
    final = measure()
    curve = [*state.curve, {"fraction": 1.0 if settings.tokens else 0.0, **_point(state, final)}]
    log({"heldout": curve[-1]})
    if settings.tokens and (warning := final.warning()):
        log({"warning": warning})
    model.eval()
    record = {
        "settings": asdict(settings),
        "steps": state.step,
        "tokens": state.tokens,
        "parameters": count_parameters(model),
        "curve": curve,
        **final.as_json(),
        "provenance": {
            "seconds": round(seconds, 2),
            "tokens_per_second": round(state.tokens / seconds) if state.tokens else 0,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "device": device,
        },
    }
    return Pretrained(model, record, state.resumed_at)


def _point(state: PretrainingProgress, diagnostics: Diagnostics) -> dict[str, Any]:
    return {"step": state.step, "tokens": state.tokens, **diagnostics.summary()}


def initial_model(corpus: Corpus, settings: PretrainingSettings) -> XLMRobertaForMaskedLM:
    """The backbone before training, in training mode, with its attention chosen by dtype."""
    config = build_config(
        hidden=settings.hidden,
        layers=settings.layers,
        heads=settings.heads,
        vocabulary=corpus.vocabulary,
        longest=max(corpus.longest, settings.position_limit),
        special=corpus.special,
    )
    model = build_model(config, settings.initialisation, seed=settings.seed, output_bias=corpus.mixture_unigram())
    if settings.dtype == "bf16":
        use_fp32_product(model)
    return model


def build_optimiser(model: XLMRobertaForMaskedLM, settings: PretrainingSettings) -> torch.optim.AdamW:
    """Fused AdamW (0.9, 0.98) that decays matrices and leaves biases and norms alone."""
    matrices = [weight for weight in named_parameters(model).values() if weight.ndim >= 2]
    vectors = [weight for weight in named_parameters(model).values() if weight.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98), eps=1e-6, fused=True)


def schedule(step: int, steps: int, warmup_fraction: float) -> float:
    """Factor of the peak rate at 0-based ``step``: linear up, then linear down to one step above 0."""
    warmup = max(1, round(steps * warmup_fraction))
    if step < warmup:
        return (step + 1) / warmup
    return (steps - step) / max(1, steps - warmup)


def train_step(
    model: XLMRobertaForMaskedLM,
    optimiser: torch.optim.Optimizer,
    masked: MaskedBatch,
    *,
    rate: float,
    settings: PretrainingSettings,
    device: str,
) -> float:
    """One optimiser step; returns the weighted mean loss in nats."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    weights = torch.from_numpy(masked.weights).to(device)
    with _precision(settings.dtype, device):
        logits = predict_hidden(model, masked, device=device)
        losses = functional.cross_entropy(logits.float(), torch.from_numpy(masked.targets).to(device), reduction="none")
        loss = (losses * weights).sum() / weights.sum()
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(named_parameters(model).values(), settings.clip)
    optimiser.step()
    return loss.item()


def count_parameters(model: XLMRobertaForMaskedLM) -> dict[str, int]:
    """Parameters of the encoder, and of it without the embedding tables; the output head is not counted."""
    total = sum(weight.numel() for weight in model.roberta.parameters())
    tables = sum(weight.numel() for name, weight in model.roberta.named_parameters() if "embeddings.weight" in name)
    return {"total": total, "non_embedding": total - tables}


@contextmanager
def _precision(dtype: str, device: str) -> Iterator[None]:
    with torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=dtype == "bf16"):
        yield
