"""How fast is this machine? A probe of a few seconds that a recipe turns into a token budget."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from adapterxfer.pretraining.batches import mask_tokens
from adapterxfer.pretraining.corpus import Corpus, Sequences, SpecialTokens, Stream
from adapterxfer.pretraining.mlm import PretrainingSettings, build_optimiser, initial_model, train_step


def has_fast_bf16() -> bool:
    """Whether this CPU multiplies bf16 matrices in hardware (AVX512-BF16 or AMX); without it bf16 is no faster."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:  # noqa: PTH123  (a kernel file)
            flags = next((line for line in lines if line.startswith("flags")), "").split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def tokens_per_second(
    settings: PretrainingSettings, *, vocabulary: int, sequence_length: int, seconds: float = 3.0, device: str = "cpu"
) -> float:
    """Training speed of a shape on random tokens.

    Args:
        settings: shape, batch, dtype and mask share count; the budget does not.
        vocabulary: token ids.
        sequence_length: tokens of every sequence.
        seconds: how long to measure, after two steps that are not counted.
        device: where to train.
    """
    rng = np.random.default_rng(settings.seed)
    special = SpecialTokens()
    rows = rng.integers(special.first_ordinary, vocabulary, size=(settings.batch_sequences, sequence_length))
    sequences = Sequences.build(list(rows), [0] * len(rows))
    corpus = Corpus(("en",), vocabulary, special, (Stream("mono", 1.0, sequences),), sequences)
    model: Any = initial_model(corpus, replace(settings, shares={}))
    model.to(device)
    optimiser = build_optimiser(model, settings)
    batch = sequences.padded(np.arange(len(sequences)), special.pad)
    steps = 0
    began = time.perf_counter()
    while steps < 3 or time.perf_counter() - began < seconds:
        if steps == 2:
            began = time.perf_counter()
        masked = mask_tokens(batch, settings.masking, special, vocabulary, rng)
        train_step(model, optimiser, masked, rate=settings.learning_rate, settings=settings, device=device)
        steps += 1
    return float((steps - 2) * batch.size / (time.perf_counter() - began))
