"""Every variant from backbone to model folder, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.loading import load_backbone
from adapterxfer.errors import StageStopped, VariantError
from adapterxfer.formats.registry import get_format
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.train import execute
from adapterxfer.store.keys import Stage
from adapterxfer.variants.assertions import TABLE
from adapterxfer.variants.composition import HeadPart
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import load_model, read_weights, stored_size

FORMATS = {"nli": "sequence_classification", "pos": "tagging", "qa": "span_qa"}


def reload(folder: Path, backbone: LoadedBackbone) -> TransferModel:
    def make_head(part: HeadPart) -> torch.nn.Module:
        return get_format(part.format).make_head(backbone.hidden_size, part.labels, generator=torch.Generator())

    return load_model(folder, backbone, make_head=make_head)


def described(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "model.json").read_text())


def verdicts(folder: Path) -> dict[str, Any]:
    return {row["assertion"]: row for row in described(folder)["assertions"]}


@pytest.fixture
def nli(run: Any, world: Path) -> Path:
    return run("train_intermediate", {"data.nli": world / "nli"})


def test_every_variant_trains_and_loads(run: Any, world: Path, nli: Path, backbone: LoadedBackbone) -> None:
    qa = run("train_intermediate", {"data.qa": world / "qa"}, tasks=[{"task": "qa", "format": FORMATS["qa"]}])
    full = run("train_intermediate", {"data.nli": world / "nli"}, mode="full")
    data = {"data": world / "pos"}
    target = run("train_target", data)
    folders = {
        "adapter": target,
        "full-ft": run("train_target", {**data, "intermediate": full}, mode="full", composition="sequential"),
        "head-only": run("train_target", data, mode="head"),
        "sequential": run("train_target", {**data, "intermediate": nli}, composition="sequential"),
        "stack": run("train_target", {**data, "intermediate": nli}, composition="stack"),
        "fuse": run(
            "train_fusion",
            {**data, "target": target, "intermediate.nli": nli, "intermediate.qa": qa},
            fused=["nli", "qa"],
        ),
    }
    ids, mask = torch.tensor([[0, 7, 8, 9, 2, 1]]), torch.tensor([[1, 1, 1, 1, 1, 0]])
    outputs = {}
    for variant, folder in folders.items():
        assert {path.name for path in folder.iterdir()} == {"model.json", "model.safetensors", "train.jsonl"}
        model = reload(folder, backbone)
        assert model.composition.variant == variant
        assert model.composition.head("pos").labels == ("X", "Y")
        with torch.no_grad():
            outputs[variant] = model(ids, mask)[0, :5]
        rows = verdicts(folder)
        assert set(rows) == {a.name for a in TABLE if {"built", "trained"} & set(a.when)}
        assert all((row["value"] is None) == (row["kind"] == "not applicable") for row in rows.values())
        assert all(row["because"] for row in rows.values() if row["value"] is None)
    plain = backbone.model(input_ids=ids, attention_mask=mask).last_hidden_state[0, :5]
    assert torch.allclose(outputs["head-only"], plain, atol=1e-6)
    distances = [(outputs[v] - plain).abs().max().item() for v in folders if v != "head-only"]
    assert min(distances) > 1e-3
    # The frozen parts are the very tensors of the stages they came from.
    weights, source = read_weights(folders["fuse"]), read_weights(qa)
    assert torch.equal(weights["adapters.i01.0.up.weight"], source["adapters.t00.0.up.weight"])
    weights, source = read_weights(folders["stack"]), read_weights(nli)
    assert torch.equal(weights["adapters.i00.1.down.weight"], source["adapters.t00.1.down.weight"])
    assert not any(name.startswith("backbone.") for name in weights)


def test_several_tasks_share_one_adapter(run: Any, world: Path, backbone: LoadedBackbone) -> None:
    tasks = [{"task": task, "format": FORMATS[task]} for task in ("nli", "qa", "pos")]
    inputs = {f"data.{task}": world / task for task in FORMATS}
    folder = run("train_intermediate", inputs, tasks=tasks)
    model = reload(folder, backbone)
    assert [head.task for head in model.composition.heads] == ["nli", "qa", "pos"]
    assert sum(described(folder)["training"]["steps_by_task"].values()) == 6
    stacked = run("train_target", {"data": world / "pos", "intermediate": folder}, composition="stack")
    assert described(stacked)["composition"]["adapters"][0]["name"] == "nli+qa+pos"


@pytest.mark.parametrize("mode", ["adapter", "full"])
def test_same_stage_twice_gives_the_same_bytes(run: Any, world: Path, mode: str) -> None:
    first, second = (run("train_target", {"data": world / "pos"}, mode=mode) for _ in range(2))
    for name in ("model.safetensors", "model.json", "train.jsonl"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    other = run("train_target", {"data": world / "pos"}, mode=mode, seed=12)
    assert (first / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()


def test_training_leaves_the_shared_backbone_alone(run: Any, world: Path, backbone: LoadedBackbone) -> None:
    before = {name: tensor.clone() for name, tensor in backbone.model.state_dict().items()}
    run("train_intermediate", {"data.nli": world / "nli"}, mode="full")
    run("train_intermediate", {"data.nli": world / "nli"})
    again = load_backbone(backbone.identity, world / "backbone")
    assert again.model is backbone.model
    assert all(torch.equal(before[name], tensor) for name, tensor in again.model.state_dict().items())
    assert not any(parameter.requires_grad for parameter in again.model.parameters())


def test_fusion_without_a_target_of_its_own(run: Any, world: Path, nli: Path, backbone: LoadedBackbone) -> None:
    """For targets without training: a fusion of the intermediates, trained on one of their tasks."""
    qa = run("train_intermediate", {"data.qa": world / "qa"}, tasks=[{"task": "qa", "format": FORMATS["qa"]}])
    inputs = {"data": world / "qa", "intermediate.nli": nli, "intermediate.qa": qa}
    folder = run("train_fusion", inputs, task="qa", format=FORMATS["qa"], fused=["nli", "qa"])
    model = reload(folder, backbone)
    assert [part.role for part in model.composition.adapters] == ["intermediate", "intermediate"]
    assert verdicts(folder)["fusion-of-copies"]["value"] < 1e-3
    with pytest.raises(VariantError, match="a fusion with one needs a target"):
        run("train_fusion", {"data": world / "qa", "intermediate.nli": nli}, task="qa", format=FORMATS["qa"])


def test_dev_selection_keeps_the_best_moment(run: Any, world: Path) -> None:
    settings = {"learning_rate": 2e-2, "batch_size": 8, "steps": 12, "selection": "dev", "max_length": 32}
    folder = run("train_target", {"data": world / "pos"}, settings=settings)
    lines = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    scores = {line["step"]: line["dev"]["pos"] for line in lines if "dev" in line}
    assert list(scores) == [3, 6, 9, 12]
    training = described(folder)["training"]
    assert training["dev_score"] == max(scores.values())
    assert training["selected_step"] == min(step for step, score in scores.items() if score == max(scores.values()))


def test_refuses_parts_that_do_not_fit(run: Any, world: Path, nli: Path, backbone: LoadedBackbone) -> None:
    data = {"data": world / "pos"}
    with pytest.raises(VariantError, match="composition 'stack' without an intermediate"):
        run("train_target", data, composition="stack")
    with pytest.raises(VariantError, match="composition 'fresh' with an intermediate"):
        run("train_target", {**data, "intermediate": nli})
    with pytest.raises(VariantError, match="holds no backbone weights"):
        run("train_target", {**data, "intermediate": nli}, mode="full", composition="sequential")
    wider = {"method": "seq_bn", "bottleneck_size": 3}
    with pytest.raises(VariantError, match="asks to continue"):
        run("train_target", {**data, "intermediate": nli}, composition="sequential", adapter=wider)
    full = run("train_intermediate", {"data.nli": world / "nli"}, mode="full")
    with pytest.raises(VariantError, match="has no adapter 't00'"):
        run("train_target", {**data, "intermediate": full}, composition="stack")
    other = load_backbone({"name": "other", "kind": "folder"}, world / "other")
    with pytest.raises(VariantError, match="trained on backbone 'backbone' with fingerprint"):
        reload(nli, other)


def test_merges_of_folders(run: Any, merged: Any, world: Path, nli: Path, backbone: LoadedBackbone) -> None:
    target = run("train_target", {"data": world / "pos"})
    average = reload(merged([target, nli]), backbone)
    assert average.composition.intermediate == "nli"
    assert average.composition.head("pos").labels == ("X", "Y")
    own, other = read_weights(target), read_weights(nli)
    name = "adapters.t00.1.up.weight"
    assert torch.allclose(average.own_state()[name], (own[name] + other[name]) / 2)
    # Both adapters started at the same values, which arithmetic without weight gives back.
    start = reload(merged([target, nli], kind="arithmetic", weights=[0.0, 0.0]), backbone)
    full = reload(merged([target, nli], kind="arithmetic", weights=[1.0, 0.0]), backbone)
    assert torch.equal(full.own_state()[name], own[name])
    assert not torch.equal(start.own_state()[name], own[name])
    from adapterxfer.training.starts import new_adapter

    fresh = new_adapter(backbone, average.adapters["t00"].shape, seed=11)  # type: ignore[arg-type]
    assert torch.equal(start.own_state()[name], fresh.state_dict()["1.up.weight"])
    whole = [run("train_target", {"data": world / "pos"}, mode="full", seed=seed) for seed in (11, 12)]
    rows = verdicts(merged([target, nli]))
    assert set(rows) == {a.name for a in TABLE if "merged" in a.when}
    assert rows["merged-weights"]["value"] <= rows["merged-weights"]["limit"]
    soup = read_weights(merged(whole, kind="soup"))
    both = [read_weights(folder) for folder in whole]
    name = "backbone.encoder.layer.0.output.dense.weight"
    assert torch.allclose(soup[name], (both[0][name] + both[1][name]) / 2, atol=1e-7)
    with pytest.raises(VariantError, match="equals member 1"):
        merged([target, target])


@pytest.mark.parametrize("rank", [0, 3])
def test_a_fusion_trains_its_target_adapter_along(
    run: Any, world: Path, nli: Path, backbone: LoadedBackbone, rank: int
) -> None:
    options = {"joint": True, **({"rank": rank} if rank else {})}
    folder = run("train_fusion", {"data": world / "pos", "intermediate.nli": nli}, **options)
    model = reload(folder, backbone)
    assert model.composition.joint
    assert model.composition.fusion_rank == rank
    assert [part.id for part in model.composition.adapters] == ["i00", "t00"]
    rows = verdicts(folder)
    assert rows["everything-trained"]["value"] == rows["frozen-weights"]["value"] == 0.0
    assert torch.equal(model.own_state()["adapters.i00.0.up.weight"], read_weights(nli)["adapters.t00.0.up.weight"])
    hidden = 24
    size = sum(t.numel() for n, t in model.own_state().items() if n.startswith("fusion.0."))
    assert size == (4 * hidden * rank + 2 * rank if rank else 3 * hidden * hidden + 2 * hidden)


def test_a_stage_resumes_and_leaves_the_same_bytes(long_stage: tuple[Stage, dict[str, Path]], tmp_path: Path) -> None:
    """Through the executor: same model.json, weights and train.jsonl; the record says that it went on."""
    stage, inputs = long_stage
    questions = 0

    def stop() -> bool:
        nonlocal questions
        questions += 1
        return questions in (30, 45)

    def run(name: str, resume: Path | None) -> tuple[dict[str, Any], list[Mapping[str, Any]]]:
        folder = tmp_path / name
        folder.mkdir()
        lines: list[Mapping[str, Any]] = []
        return execute(
            StageContext(
                stage=stage, inputs=inputs, scratch=folder, log=lines.append, settings={}, resume=resume, stop=stop
            )
        ), lines

    plain, _ = run("plain", None)
    for attempt in ("first", "second"):
        with pytest.raises(StageStopped):
            run(attempt, tmp_path / "resume")
    gone_on, lines = run("third", tmp_path / "resume")
    assert gone_on["resumed_at"] == 45
    assert "resumed_at" not in plain
    assert [line["step"] for line in lines if "loss" in line] == [25, 50, 60]
    for file in ("model.json", "model.safetensors", "train.jsonl"):
        assert (tmp_path / "plain" / file).read_bytes() == (tmp_path / "third" / file).read_bytes(), file


def test_an_adapter_whose_layers_share_weights_is_stacked(run: Any, world: Path, backbone: LoadedBackbone) -> None:
    """The shared rules of Compacter are stored once, under the first layer's name."""
    adapter = {"method": "compacter", "reduction_factor": 3}
    lower = run("train_intermediate", {"data.nli": world / "nli"}, adapter=adapter)
    folder = run("train_target", {"data": world / "pos", "intermediate": lower}, adapter=adapter, composition="stack")
    model = reload(folder, backbone)
    rules = [name for name in read_weights(folder) if name.endswith(".rule")]
    assert rules == ["adapters.i00.0.rule", "adapters.t00.0.rule"]
    layers: Any = model.adapters["i00"]
    assert layers[1].rule is layers[0].rule
    assert torch.equal(layers[0].rule, read_weights(lower)["adapters.t00.0.rule"])


def test_what_went_on_in_this_run_is_told_by_the_stage_and_by_no_artefact() -> None:
    """Memory that ran out, several processes and shards change no number, so they are in `stage.json` alone."""
    from adapterxfer.stages.train import _this_run
    from adapterxfer.training.loop import TrainResult

    quiet = TrainResult(
        steps=3,
        first_loss=1.0,
        last_loss=0.5,
        tokens=100,
        padded_tokens=120,
        seconds=2.0,
        dev_score=None,
        selected_step=3,
        steps_by_task={"nli": 3},
    )
    assert _this_run(quiet) == {"tokens_per_second": 50}
    halved = ({"step": 2, "token_budget": 64},)
    busy = replace(quiet, halvings=halved, processes=2, sharding="fsdp", resumed_at=1)
    told = {"resumed_at": 1, "processes": 2, "sharding": "fsdp", "memory_ran_out": list(halved)}
    assert _this_run(busy) == told
    assert busy.as_json() == quiet.as_json()


def test_sizes_of_stored_models_leave_heads_out(
    run: Any, merged: Any, world: Path, nli: Path, backbone: LoadedBackbone
) -> None:
    target = run("train_target", {"data": world / "pos"})
    stack = run("train_target", {"data": world / "pos", "intermediate": nli}, composition="stack")
    full = run("train_target", {"data": world / "pos"}, mode="full")
    adapter = sum(t.numel() for n, t in read_weights(target).items() if n.startswith("adapters."))
    whole = backbone.parameters.total
    assert stored_size(target) == {"total": whole + adapter, "trainable": adapter}
    assert stored_size(stack) == {"total": whole + 2 * adapter, "trainable": adapter}
    assert stored_size(full) == {"total": whole, "trainable": whole}
    assert stored_size(run("train_target", {"data": world / "pos"}, mode="head")) == {"total": whole, "trainable": 0}
    assert stored_size(merged([target, nli])) == {"total": whole + adapter}
