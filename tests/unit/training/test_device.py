"""The device of a process: what training finds, and what is refused; GPUs are played, since none is needed."""

from __future__ import annotations

import pytest
import torch
from accelerate.state import PartialState

from adapterxfer.errors import StageError
from adapterxfer.stages.probe import facts
from adapterxfer.training.device import device_context, device_for


def test_auto_is_what_accelerate_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PartialState, "default_device", property(lambda _: torch.device("meta")))
    assert device_for("auto") == device_context("bf16", "auto").device == torch.device("meta")
    assert facts(device="auto")["device"] == "meta"
    assert device_for("cpu") == torch.device("cpu")
    assert facts(device="cpu")["device"] == "cpu"


def test_a_numbered_gpu_is_made_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    device_for("cuda:1")
    assert chosen == [torch.device("cuda:1")]
    device_for("cuda")
    assert len(chosen) == 1, "the launcher of several processes chooses"
    with pytest.raises(StageError, match="device 'cuda:2': this machine has 2 GPUs"):
        device_for("cuda:2")


def test_what_is_not_there_is_refused_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(StageError, match="this machine has 0 GPUs"):
        device_context("fp32", "cuda")
    with pytest.raises(StageError, match="device 'gpu' is not known"):
        device_for("gpu")


def test_one_process_computes_in_both_precisions_and_on_another_device_than_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left, right = torch.ones(4, 4), torch.full((4, 4), 1 / 3)
    with device_context("fp32").autocast():
        assert (left @ right).dtype == torch.float32
    with device_context("bf16").autocast():
        assert (left @ right).dtype == torch.bfloat16
    monkeypatch.setattr(PartialState, "default_device", property(lambda _: torch.device("meta")))
    assert [device_context("fp32", name).device.type for name in ("cpu", "auto", "cpu")] == ["cpu", "meta", "cpu"]


def test_a_gpu_without_bf16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    monkeypatch.setattr(PartialState, "default_device", property(lambda _: torch.device("cuda")))
    assert device_context("fp32", "cuda").device.type == "cuda"
    with pytest.raises(StageError, match="does not compute in bf16"):
        device_context("bf16", "cuda")


def test_attention_that_plans_for_every_width_is_off_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(torch.backends.cuda, "enable_cudnn_sdp", asked.append)
    device_for("cpu")
    assert asked == []
    monkeypatch.setattr(PartialState, "default_device", property(lambda _: torch.device("cuda")))
    device_context("fp32", "auto")
    assert asked == [False]
