"""Clocks, memory, and the rows of the result."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

Clock = Callable[[], float]


@contextmanager
def timed(times: list[float], clock: Clock = time.process_time) -> Iterator[None]:
    """Append the seconds that the block takes."""
    began = clock()
    yield
    times.append(clock() - began)


@dataclass
class Rows:
    """Comparisons, printed as they come."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, part: str, what: str, ours: Sequence[float], usual: Sequence[float], **more: Any) -> None:
        """One comparison; medians of the times."""
        a, b = statistics.median(ours), statistics.median(usual)
        row = {"part": part, "what": what, "ours_s": round(a, 4), "usual_s": round(b, 4), "ratio": round(b / a, 2)}
        self.rows.append({**row, **more})
        extra = ", ".join(f"{name} {value}" for name, value in more.items())
        print(f"{part:8} {what:36} ours {a:9.4f} s   usual {b:9.4f} s   {b / a:5.2f}x   {extra}", flush=True)

    def note(self, part: str, what: str, **facts: Any) -> None:
        """Facts without times."""
        self.rows.append({"part": part, "what": what, **facts})
        print(f"{part:8} {what:36} {', '.join(f'{name} {value}' for name, value in facts.items())}", flush=True)


def settle() -> None:
    """Collect garbage, so that no measurement pays for what came before it."""
    gc.collect()


def activations(model: torch.nn.Module, step: Callable[[], torch.Tensor]) -> float:
    """MiB of different tensors, weights aside, that autograd keeps for the backward pass of one step."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = step()
    del loss
    return round(sum(kept.values()) / 2**20, 1)
