"""Which GPUs a stage sees: its own and no others, whoever runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

from adapterxfer.errors import AdapterxferError
from adapterxfer.store.keys import Stage

ASK_S = 20.0
"""How long the driver of the GPUs may take to list them."""


def gpus_of(stage: Stage, settings: Mapping[str, Any]) -> int:
    """How many GPUs a stage needs: what its plan says, or one where it computes on them at all."""
    declared = int(stage.resources.get("gpus") or 0)
    computes = stage.kind in ("pretrain", "predict") or stage.kind.startswith("train_")
    return declared or int(computes and _device(settings).startswith("cuda"))


def refuse_one_device(engine: str, settings: Mapping[str, Any]) -> None:
    """Refuse ``cuda:1`` where a stage sees only its own GPUs, which it calls 0, 1..., and ``auto`` where it gets none.

    Raises:
        AdapterxferError: the device is one of several by number, or left open.
    """
    device = _device(settings)
    if device == "auto":
        raise AdapterxferError(
            f"engine {engine}: --device auto: a stage gets GPUs where the run asks for them, and sees none otherwise",
            fix="--device cuda, or cpu",
        )
    if device.startswith("cuda:"):
        raise AdapterxferError(f"engine {engine}: --device {device}: stages get GPUs of their own", fix="--device cuda")


def shares(stages: Iterable[Stage], settings: Mapping[str, Any], jobs: int) -> list[str | None]:
    """``CUDA_VISIBLE_DEVICES`` of every worker process of this machine; None leaves it as it is.

    With ``--device cuda`` every worker gets as many GPUs as the largest stage needs; several workers share one only
    where no stage needs more than one.

    Raises:
        AdapterxferError: there are too few GPUs for that many workers.
    """
    untouched: list[str | None] = [None] * jobs
    if _device(settings) != "cuda":  # cuda:1 is the user's choice
        return untouched
    needed = max((gpus_of(stage, settings) for stage in stages), default=0)
    there = visible_gpus()
    if needed == 0 or (jobs == 1 and len(there) <= needed) or not there:
        return untouched
    if needed > 1 and jobs * needed > len(there):
        raise AdapterxferError(
            f"engine inline: {jobs} jobs of {needed} GPUs each; this machine has {len(there)}",
            fix=f"--jobs {max(1, len(there) // needed)}",
        )
    return [",".join(there[(number * needed + i) % len(there)] for i in range(needed)) for number in range(jobs)]


def visible_gpus() -> list[str]:
    """Names of the GPUs that this process may use: ``CUDA_VISIBLE_DEVICES``, or all that the driver lists."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip()]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        listing = subprocess.run(
            [tool, "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=ASK_S, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in listing.stdout.splitlines() if line.strip().isdigit()]


def _device(settings: Mapping[str, Any]) -> str:
    return str(settings.get("device") or "cpu")
