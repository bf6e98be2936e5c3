"""The worker's side of the speed probe: not a stage, since its answer belongs to the machine and not to the study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal


def facts(*, device: str) -> dict[str, Any]:
    """What decides the number format, and the device's own name; first, so that imports end before the clock runs."""
    from adapterxfer.pretraining.speed import has_fast_bf16

    if device != "cpu":
        from adapterxfer.training.device import device_for

        device = str(device_for(device))
    return {"fast_bf16": has_fast_bf16(), "device": device}


def speed(
    *,
    shape: Mapping[str, int],
    vocabulary: int,
    sequence_length: int,
    batch_sequences: int,
    mask: float,
    dtype: Literal["fp32", "bf16"],
    seconds: float,
    device: str,
) -> float:
    """Tokens per second of pretraining one shape (``hidden``, ``layers``, ``heads``) in this process."""
    from adapterxfer.pretraining.batches import Masking
    from adapterxfer.pretraining.mlm import PretrainingSettings
    from adapterxfer.pretraining.speed import tokens_per_second

    settings = PretrainingSettings(
        hidden=shape["hidden"],
        layers=shape["layers"],
        heads=shape["heads"],
        tokens=1,
        batch_sequences=batch_sequences,
        learning_rate=1e-3,
        masking=Masking(share=mask),
        dtype=dtype,
    )
    return tokens_per_second(
        settings, vocabulary=vocabulary, sequence_length=sequence_length, seconds=seconds, device=device
    )


def work_speed(*, hidden: int, layers: int, length: int, seconds: float, device: str) -> dict[str, float]:
    """Tokens per second through layers of a width; see `layer_speeds`."""
    from adapterxfer.training.probe import layer_speeds

    return layer_speeds(hidden=hidden, layers=layers, length=length, seconds=seconds, device=device)
