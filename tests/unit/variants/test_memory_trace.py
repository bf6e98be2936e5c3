"""Memory counted from what a training step makes and frees, against sums by hand and a process that really ran."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[3] / "scripts"))

import memory_trace
import table_memory
import torch
from memory_trace import Event, peaks, traced, without_data

GLIBC = sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "mallinfo2")


def test_a_step_is_the_sum_of_its_tensors() -> None:
    """Weight, product, gradient of the product (expanded, without memory), gradient of the weight."""
    with without_data():
        weight = torch.nn.Linear(100, 50, bias=False)
        states = torch.zeros(8, 100)

        def step() -> None:
            weight(states).sum().backward()
            weight.zero_grad()

        events = traced(weight, step, steps=2)
    made = [event.size for event in events if event.size]
    assert made[0] == 4 * 100 * 50
    assert sorted(made[1 : len(made) // 2 + 1]) == sorted(made[len(made) // 2 + 1 :]), "both steps make the same"
    product, gradient = 4 * 8 * 50, 4 * 100 * 50
    assert {product, gradient} <= set(made[1:])
    assert peaks(events).tensors >= made[0] + gradient
    assert peaks(events).tensors <= made[0] + 2 * product + gradient + 64


def test_what_is_freed_is_noted_before_what_comes_next() -> None:
    with without_data():
        kept = torch.nn.Parameter(torch.zeros(10), requires_grad=False)
        module = torch.nn.ParameterList([kept])

        def step() -> None:
            torch.zeros(1000)

        events = traced(module, step, steps=3)
    assert [bool(size) for _, size in events] == [True, True, False, True, False, True, False]
    assert peaks(events).tensors == 40 + 4000


def test_frozen_layers_keep_less_and_checkpoints_less_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(table_memory.SHAPES, "small", table_memory.Shape(32, 4, 2, 128))
    monkeypatch.setattr(table_memory, "VOCABULARY", 60)
    monkeypatch.setattr(memory_trace, "_held", lambda events: 0)
    found = {
        (variant, again): table_memory.peaks_of("small", variant, count, 4, rows=2, recomputing=again).tensors
        for variant, count in (("full-ft", 0), ("head-only", 0), ("stack", 2), ("fuse", 2), ("lora", 1))
        for again in (False, True)
    }
    for variant in ("full-ft", "stack", "fuse", "lora"):
        assert found[variant, True] < found[variant, False]
    assert found["head-only", False] < found["lora", False] < found["full-ft", False]
    assert found["stack", False] < found["fuse", False] < found["full-ft", False]
    row = table_memory.cost("small", "stack", 2, 4, rows=2)
    weights = 4 * (2 * 32 * 8 + 32 + 8)
    assert row.trainable == weights
    assert row.fixed == 4 * row.total + 12 * weights
    assert row.peaks.tensors > row.fixed


@pytest.mark.skipif(not GLIBC, reason="asks the allocator of glibc")
def test_the_allocator_is_asked() -> None:
    """Pieces that are never freed take their size; holes between small pieces that stay are not given back."""
    million = 2**20
    grown = memory_trace._held([Event(number, million) for number in range(40)])
    assert 40 * million <= grown <= 44 * million
    large = [Event(1, 64 * million), Event(1, 0), Event(2, 64 * million)]
    assert 64 * million <= memory_trace._held(large) <= 66 * million
    alternating = [Event(99, 8 * million), Event(99, 0)]  # from here on such pieces are not mapped by themselves
    alternating += [Event(n, million) for n in range(80)] + [Event(n, 0) for n in range(0, 80, 2)]
    alternating += [Event(100 + n, 2 * million) for n in range(20)]
    assert peaks(alternating).tensors == 80 * million
    assert memory_trace._held(alternating) >= 110 * million
