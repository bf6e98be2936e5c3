"""From measured speed to a token budget: the same number of tokens for every size, as many as fit into the time."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from adapterxfer.recipe.series import Pretrain


def token_budget(setup: Pretrain, tokens_per_second: Mapping[str, float], *, jobs: int, dtype: str) -> dict[str, int]:
    """Tokens for each size, equal for all, so that pretraining them on ``jobs`` processes takes the declared minutes.

    Args:
        tokens_per_second: size -> speed of one process.
        dtype: number format of the pretraining; without hardware for bf16 `minutes_fp32` counts, where it is given.

    Returns:
        Size -> tokens, rounded down to two digits so that small differences of speed give the same stages.
    """
    minutes = setup.minutes_fp32 if dtype == "fp32" and setup.minutes_fp32 is not None else setup.minutes
    seconds_per_token = sorted((1 / tokens_per_second[size] for size in setup.series), reverse=True)
    # Longest first onto the process that is free first: how the engine will run them.
    free = [0.0] * max(1, min(jobs, len(seconds_per_token)))
    for cost in seconds_per_token:
        heapq.heappush(free, heapq.heappop(free) + cost)
    tokens = int(minutes * 60 / max(free))
    scale = 10 ** max(0, len(str(tokens)) - 2)
    rounded = max(setup.corpus.sequence_length * setup.batch_sequences, tokens // scale * scale)
    return dict.fromkeys(setup.series, rounded)
