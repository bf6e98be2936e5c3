"""Backbones in bfloat16 and float16 below adapters in float32: assertions, gradients, and what is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import state_fingerprint
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.catalog.methods import METHODS
from adapterxfer.cli.main import main
from adapterxfer.variants.assertions import ROUNDINGS, check
from adapterxfer.variants.casts import SCALE, lowered, raised
from adapterxfer.variants.measures import AssertionInput
from adapterxfer.variants.model import TransferModel

FORMATS = {"bfloat16": torch.bfloat16, "float16": torch.float16}
CASES = [
    *(("stack", method, "xlm-roberta") for method in METHODS),
    ("fuse", "seq_bn", "bert"),
    ("stack", "lora", "llama"),
    ("fuse", "seq_bn", "deberta-v2"),
    ("stack", "dora", "modernbert"),
    ("head-only", "seq_bn", "electra"),
]
RECIPE = """
recipe: 1
name: low
title: Weights in a low format
backbones: [b]
backbone_sources: {b: {folder: nowhere, dtype: bfloat16}}
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [VARIANT]
adapters: [{method: seq_bn, reduction_factor: 4}]
seeds: [1]
train: {default: {batch_size: 8, steps: 3, learning_rate: 1e-3}}
"""


def in_format(loaded: LoadedBackbone, dtype: torch.dtype) -> LoadedBackbone:
    model = copy.deepcopy(loaded.model)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    return replace(loaded, model=model, fingerprint=state_fingerprint(model.state_dict()))


def with_backbone(model: TransferModel, loaded: LoadedBackbone) -> TransferModel:
    """The same adapters and heads above another backbone."""
    return TransferModel(
        loaded,
        model.composition,
        adapters=dict(model.adapters.items()),  # type: ignore[arg-type]
        fusion=model.fusion,
        heads=dict(model.heads.items()),
    )


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize(("variant", "method", "model_type"), CASES)
def test_assertions_hold(
    variant: str, method: str, model_type: str, dtype: str, evidence_of: Callable[..., AssertionInput],
    tiny_of: Callable[[str], LoadedBackbone],
) -> None:  # fmt: skip
    evidence = evidence_of(variant, method, model_type)
    low = in_format(tiny_of(model_type), FORMATS[dtype])
    model = with_backbone(evidence.model, low)
    start = state_fingerprint(model.backbone.state_dict())
    verdicts = check("built", replace(evidence, model=model, pristine=low.model, start_backbone=start))
    largest = ROUNDINGS * torch.finfo(FORMATS[dtype]).eps
    assert all(verdict.limit <= largest or verdict.kind != "at most" or verdict.limit == 0.5 for verdict in verdicts)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize(("variant", "method", "model_type"), CASES[:8] + CASES[-5:-1])
def test_gradients_are_those_of_float32(
    variant: str, method: str, model_type: str, dtype: str, evidence_of: Callable[..., AssertionInput],
    tiny_of: Callable[[str], LoadedBackbone],
) -> None:  # fmt: skip
    """Of a loss so small that parts of its gradients would be zero in float16."""
    evidence = evidence_of(variant, method, model_type)
    low = in_format(tiny_of(model_type), FORMATS[dtype])
    ours, expected = (gradients(evidence, loaded) for loaded in (low, in_format(low, torch.float32)))
    assert direction(ours, expected) > 0.99
    assert 0.95 < (ours.norm() / expected.norm()).item() < 1.05


def test_without_their_scale_gradients_vanish_in_float16(
    evidence_of: Callable[..., AssertionInput],
    tiny_of: Callable[[str], LoadedBackbone],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evidence = evidence_of("stack", "lora", "xlm-roberta")
    low = in_format(tiny_of("xlm-roberta"), torch.float16)
    expected = gradients(evidence, in_format(low, torch.float32), loss=SMALL / 100)
    assert direction(gradients(evidence, low, loss=SMALL / 100), expected) > 0.99
    monkeypatch.setitem(SCALE, torch.float16, 1.0)
    assert not direction(gradients(evidence, low, loss=SMALL / 100), expected) > 0.5  # NaN where all of them are zero


SMALL = 1e-6
"""Factor of a loss, as after many examples that are answered well."""


def gradients(evidence: AssertionInput, loaded: LoadedBackbone, *, loss: float = SMALL) -> Tensor:
    """Of all adapters and fusions above a backbone, in double precision."""
    model = with_backbone(evidence.model, loaded).eval()
    model.zero_grad()
    hidden = model(evidence.batch.input_ids, evidence.batch.attention_mask)
    assert hidden.dtype == torch.float32
    weights = torch.randn(hidden.shape[-1], generator=torch.Generator().manual_seed(2))
    # Not a sum of squares alone: a norm at the end would keep it constant.
    ((torch.tanh(hidden[evidence.real]) @ weights).square().mean() * loss).backward()
    state = [p.grad for name, p in model.named_parameters() if p.grad is not None and not name.startswith("heads")]
    return torch.cat([gradient.flatten() for gradient in state]).double()


def direction(ours: Tensor, expected: Tensor) -> float:
    """Cosine."""
    return (ours @ expected / (ours.norm() * expected.norm())).item()


@pytest.mark.parametrize("dtype", FORMATS.values())
def test_casts_and_their_gradients(dtype: torch.dtype) -> None:
    states = torch.tensor([1.0, 2.0], dtype=dtype, requires_grad=True)
    seen: list[Tensor] = []
    states.register_hook(seen.append)
    whole = raised(states)
    whole.sum().backward()
    assert whole.dtype == torch.float32
    assert seen[0].tolist() == [SCALE[dtype]] * 2
    full = torch.tensor([1.0, 2.0], requires_grad=True)
    lowered(full, dtype).sum().backward()
    assert full.grad is not None
    assert full.grad.tolist() == [1 / SCALE[dtype]] * 2
    assert raised(full) is full
    assert lowered(states, dtype) is states


@pytest.mark.parametrize(("variant", "more"), [("full-ft", ()), ("merge", ("merge={of: full-ft, kind: average}",))])
def test_trained_backbones_are_refused(
    variant: str, more: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE.replace("VARIANT", variant))
    settings: list[Any] = [part for each in more for part in ("--set", each)]
    assert main(["check", str(tmp_path / "r.yaml"), *settings]) == 2
    assert "trains the backbone, whose small steps are lost in bfloat16" in capsys.readouterr().err


def test_float16_is_refused_where_it_overflows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = RECIPE.replace("VARIANT", "stack").replace("folder: nowhere", f"revision: {'a' * 40}")
    text = text.replace("[b]", "[mt5-small-encoder]").replace("{b:", "{mt5-small-encoder:")
    (tmp_path / "r.yaml").write_text(text.replace("bfloat16", "float16"))
    assert main(["check", str(tmp_path / "r.yaml")]) == 2
    assert ARCHITECTURES["mt5"].no_float16 in capsys.readouterr().err
