"""How much memory a stage may take, in GiB: an estimate for engines and for `plan`, never for results.

Weights, gradients and moments are counted; what a training keeps for its backward pass is a multiple of one state per
token and layer. The multiples are fitted to docs/memory.md, whose measured processes they meet within 15 percent
(`tests/unit/plan/test_memory.py`). The largest batch that the settings allow is meant, on a CPU, without sharding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapterxfer.plan.cost import non_embedding_parameters

GIB = 2**30

WORDS = 250_000
"""Rows of the word table that are assumed where no file says it, as in the large multilingual encoders."""

PROCESS = 0.6
"""A worker with its libraries and a tokenizer of 250,000 words, in GiB."""

NUMBER = 4
"""Bytes of a number in fp32; masters are never smaller."""

TRAINED = 4
"""Copies of a weight that trains: itself, its gradient and two moments."""

KEPT, KEPT_RECOMPUTED, KEPT_FUSED = 23.0, 4.0, 26.0
"""States that a layer keeps per token: of ``hidden`` numbers each, its inner states and attention among them."""

PASSING = 14.0
"""States per token of the layer that is being computed where nothing is kept."""

BF16_SHARE = 0.6
"""Of the kept states where products run in bf16: norms and sums stay in fp32."""

TRAINING_TOKENS, PREDICTION_TOKENS = 16_384, 2_048
"""Most tokens of one forward pass, padding included, by default."""


class MemoryModel:
    """Memory of the stages of one recipe.

    Args:
        size: backbone -> all parameters and those outside of the embeddings; zeros where unknown.
        shapes: backbone -> width and layers, of those that are known.
    """

    def __init__(self, size: Callable[[str], tuple[int, int]], shapes: Mapping[str, tuple[int, int]]) -> None:
        self._size, self._shapes = size, shapes

    def training(
        self,
        backbone: str,
        settings: Mapping[str, Any],
        *,
        training: str,
        adapter: Mapping[str, Any] | None = None,
        fused: int = 0,
        rank: int | None = None,
    ) -> float:
        """Peak of one training in GiB; 0.0 where the backbone is not known.

        Args:
            settings: with ``batch_size``, ``max_length``, ``dtype``, ``weight_decay``; those that development data
                choose count as nothing known.
            training: ``full``, ``adapter`` or ``head``.
            adapter: its method and size.
            fused: adapters side by side; 0 without a fusion.
            rank: of a low-rank fusion.
        """
        hidden, layers = self._shapes.get(backbone, (0, 0))
        if not hidden:
            return 0.0
        total, inner = self._parameters(backbone)
        trained = inner + (total - inner) * bool(settings.get("weight_decay")) if training == "full" else 0
        present = total
        if adapter is not None:
            size = adapter_parameters(adapter, hidden, layers)
            present += size * max(1, fused)
            trained += size if not fused else 0
        if fused:
            matrices = layers * hidden * (4 * rank if rank else 3 * hidden)
            present += matrices
            trained += matrices
        weights = (present + (TRAINED - 1) * trained) * NUMBER
        return PROCESS + (weights + self._states(hidden, layers, settings, training=training, fused=fused)) / GIB

    @staticmethod
    def _states(hidden: int, layers: int, settings: Mapping[str, Any], *, training: str, fused: int) -> float:
        """Bytes of what passes through the layers."""
        length, rows = int(settings["max_length"]), int(settings["batch_size"])
        tokens = min(rows * length, max(TRAINING_TOKENS, length))
        if training == "head":
            return PASSING * tokens * hidden * NUMBER
        kept = KEPT_FUSED if fused else KEPT
        kept *= BF16_SHARE if settings.get("dtype") == "bf16" else 1.0
        if settings.get("gradient_checkpointing"):
            return (KEPT_RECOMPUTED * layers + kept) * tokens * hidden * NUMBER
        return kept * tokens * layers * hidden * NUMBER

    def prediction(self, backbone: str) -> float:
        """Peak of one prediction in GiB; 0.0 where the backbone is not known."""
        hidden, _ = self._shapes.get(backbone, (0, 0))
        if not hidden:
            return 0.0
        total, _ = self._parameters(backbone)
        return PROCESS + (total + PASSING * PREDICTION_TOKENS * hidden) * NUMBER / GIB

    def _parameters(self, backbone: str) -> tuple[int, int]:
        """All parameters and those outside of the embeddings, from the shape where the files are not there."""
        total, inner = self._size(backbone)
        hidden, layers = self._shapes[backbone]
        inner = inner or non_embedding_parameters(hidden, layers)
        return total or inner + WORDS * hidden, inner


def adapter_parameters(adapter: Mapping[str, Any], hidden: int, layers: int) -> int:
    """About how many numbers an adapter has: two projections a layer; none worth counting for other methods."""
    size = adapter.get("bottleneck_size") or adapter.get("rank")
    if factor := adapter.get("reduction_factor"):
        size = max(1, int(hidden / factor))
    return 2 * layers * hidden * int(size or 0)
