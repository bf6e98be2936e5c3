"""Facts about a run that explain differences between machines without naming the machine, its paths or its user."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

LIBRARIES = (
    "adapterxfer",
    "accelerate",
    "adapters",
    "bitsandbytes",
    "numpy",
    "peft",
    "pyarrow",
    "safetensors",
    "tokenizers",
    "torch",
    "torchao",
    "transformers",
)


@cache
def library_versions() -> dict[str, str]:
    """Installed versions of the libraries whose numbers end up in results; read from metadata, nothing is imported."""
    versions: dict[str, str] = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


@cache
def host_facts() -> dict[str, Any]:
    """Kind of machine: operating system, processor family, number of processors."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processors": os.cpu_count() or 1,
    }


def provenance(*, seconds: float, attempt: int = 1, device: str = "cpu") -> dict[str, Any]:
    """The ``provenance`` of a stage that just ended in this process.

    Args:
        seconds: wall time of the executor.
        attempt: 1 unless earlier workers died over this stage.
        device: where the tensors were.
    """
    torch = sys.modules.get("torch")
    facts: dict[str, Any] = {
        "seconds": round(seconds, 3),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "attempt": attempt,
        "device": device,
        "torch_threads": torch.get_num_threads() if torch is not None else None,
        "libraries": dict(library_versions()),
        "host": dict(host_facts()),
    }
    if torch is not None and device.startswith("cuda"):
        facts["accelerator"] = torch.cuda.get_device_name(device)
    return facts
