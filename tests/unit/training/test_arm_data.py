"""Arms of an intermediate training: masked text on top, translations in place of English, heads shared by tasks."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.loading import load_backbone
from adapterxfer.backbones.output_head import read_output_head
from adapterxfer.data.examples import PairExample, TaskData
from adapterxfer.data.storage import read_task, write_task
from adapterxfer.data.texts import read_texts, write_texts
from adapterxfer.errors import DataError, StageError, VariantError
from adapterxfer.formats.base import Initial
from adapterxfer.formats.masked_lm import Hiding, LanguageModelHead, MaskedTexts
from adapterxfer.training.arm_data import draw_mixtures, text_task, with_translations
from adapterxfer.training.building import build_single
from adapterxfer.training.mixing import plan_steps, stratified_batches
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask, read_train_task
from adapterxfer.variants.storage import read_weights

SETTINGS = TrainSettings(learning_rate=4e-3, batch_size=8, steps=60, max_length=32)
LONG = {"learning_rate": 4e-3, "batch_size": 8, "steps": 120, "max_length": 32}
SPEC = {"share": 0.25, "mask": 0.2, "languages": ["en", "xx", "yy"], "sampling": {"kind": "uniform"}}


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    lines = ["red cat sees the old dog", "the dog is not red", "a cow and a house", "old road so new river"]
    write_texts(folder, {"en": lines * 5, "xx": [line[::1].replace("red", "blue") for line in lines], "yy": lines[:1]})
    return folder


@pytest.fixture(scope="session")
def translations(tmp_path_factory: pytest.TempPathFactory, world: Path) -> Path:
    folder = tmp_path_factory.mktemp("translated")
    english = read_task(world / "nli").split("train", "en")
    splits = {
        ("train", code): [
            replace(example, language=code, text=f"{word} {example.text}")
            for example in english
            if isinstance(example, PairExample)
        ]
        for code, word in (("xx", "river"), ("yy", "road"))
    }
    write_task(folder, TaskData("nli", "sequence_classification", ("yes", "no"), splits))  # type: ignore[arg-type]
    return folder


@pytest.fixture
def nli(world: Path, backbone: LoadedBackbone) -> TrainTask:
    return read_train_task(world / "nli", "nli", "sequence_classification", backbone, max_length=32, dev=False)


def mlm(texts: Path, world: Path, backbone: LoadedBackbone, **changes: Any) -> TrainTask:
    spec = {**SPEC, **changes}
    return text_task(texts, spec, backbone, backbone.identity, world / "backbone", max_length=32)


def described(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "model.json").read_text())
    return found


@pytest.mark.parametrize("mode", ["adapter", "full"])
def test_masked_text_comes_on_top(run: Any, world: Path, texts: Path, mode: str) -> None:
    inputs = {"data.nli": world / "nli"}
    plain = run("train_intermediate", inputs, mode=mode, settings=LONG)
    mixed = run("train_intermediate", {**inputs, "texts": texts}, mode=mode, settings=LONG, mlm=SPEC)
    training = described(mixed)["training"]
    assert training["steps"] == 160
    assert training["steps_by_task"]["mlm"] == pytest.approx(40, abs=2)
    shares = training["sampling"]["tasks"]["mlm"]
    assert shares["declared"] == 0.25
    assert shares["realised"] == pytest.approx(0.25, abs=0.01)
    languages = training["sampling"]["languages"]["mlm"]
    assert list(languages) == ["en", "xx", "yy"]
    for entry in languages.values():
        assert entry["declared"] == pytest.approx(1 / 3, abs=1e-6)
        assert entry["realised"] == pytest.approx(entry["declared"], abs=0.01)
    # The head of the language model serves the training only, and the backbone trains only in full fine-tuning.
    weights = read_weights(mixed)
    assert [head["task"] for head in described(mixed)["composition"]["heads"]] == ["nli"]
    assert set(weights) == set(read_weights(plain))
    assert any(name.startswith("backbone.") for name in weights) == (mode == "full")
    verdicts = {row["assertion"]: row for row in described(mixed)["assertions"]}
    assert verdicts["backbone-weights"]["value"] == (1.0 if mode == "full" else 0.0)
    assert "sampling" not in described(plain)["training"]


def test_masked_text_trains_the_adapter_and_not_the_backbone(
    world: Path, texts: Path, backbone: LoadedBackbone, nli: TrainTask
) -> None:
    task = mlm(texts, world, backbone)
    (_, task) = draw_mixtures([nli, task], SETTINGS, None, seed=1)
    adapter = {"method": "seq_bn", "bottleneck_size": 6}
    for mode in ("adapter", "full"):
        model = build_single(
            backbone, [nli, task], mode=mode, composition="fresh", adapter=adapter, intermediate=None, seed=1
        )
        batch = task.format.collate(task.features[:8], pad_id=task.pad_id)
        logits = model.head("mlm")(model(batch.input_ids, batch.attention_mask), batch)
        task.format.loss(logits, batch).total.backward()
        table = model.backbone.get_input_embeddings().weight
        gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None and bool(p.grad.any())}
        assert any(name.startswith("heads.h01.") for name in gradients)
        assert not any(name.startswith("heads.h00.") for name in gradients)
        assert any(name.startswith("adapters.") for name in gradients) == (mode == "adapter")
        assert (table.grad is not None) == (mode == "full")
        assert any(name.startswith("backbone.") for name in gradients) == (mode == "full")


def test_the_head_is_the_pretrained_one(world: Path, texts: Path, backbone: LoadedBackbone, nli: TrainTask) -> None:
    """Logits at hidden positions are those of the library's masked language model on the same folder."""
    from transformers import XLMRobertaForMaskedLM

    task = mlm(texts, world, backbone)
    model = build_single(
        backbone, [nli, task], mode="head", composition="fresh", adapter=None, intermediate=None, seed=1
    )
    batch = task.format.collate(task.features[:6], pad_id=task.pad_id)
    with torch.no_grad():
        ours = model.head("mlm")(model(batch.input_ids, batch.attention_mask), batch)
        library = XLMRobertaForMaskedLM.from_pretrained(world / "backbone", dtype=torch.float32).eval()
        theirs = library(batch.input_ids, attention_mask=batch.attention_mask).logits
    expected = theirs[batch.fields["row"], batch.fields["column"]]
    assert (ours - expected).abs().max().item() < 1e-5
    loss = task.format.loss(ours, batch)
    assert loss.units == len(batch.fields["target"]) == len(expected)
    assert float(loss.total) == pytest.approx(
        float(functional.cross_entropy(expected, batch.fields["target"], reduction="sum")), rel=1e-5
    )


def test_a_twin_without_pretraining_gets_a_fresh_head(world: Path) -> None:
    assert read_output_head({"name": "x", "kind": "untrained", "of": "world-nano"}, None, "xlm-roberta") is None
    head = read_output_head({"name": "backbone", "kind": "folder"}, world / "backbone", "xlm-roberta")
    assert head is not None
    assert sorted(head) == ["bias", "dense.bias", "dense.weight", "layer_norm.bias", "layer_norm.weight"]
    assert read_output_head({"name": "backbone", "kind": "folder"}, world / "backbone", "modernbert") is None


def test_hidden_tokens() -> None:
    ordinary = np.arange(5, 50)
    rng = np.random.default_rng(0)
    rows = [[0, *rng.integers(5, 50, size=12).tolist(), 2] for _ in range(400)]
    drawn = MaskedTexts(rows, np.repeat(np.arange(400), 2), Hiding(0.15, 4, ordinary, seed=7))
    assert len(drawn) == 800
    assert drawn[3].sequences == drawn[3].sequences
    assert any(drawn[2 * i].sequences != drawn[2 * i + 1].sequences for i in range(20)), "a text is hidden anew"
    fates: Counter[str] = Counter()
    total = 0
    for index in range(800):
        feature, row = drawn[index], rows[index // 2]
        places, targets = feature.target
        assert [row[place] for place in places] == targets
        assert 0 not in places
        assert 13 not in places
        total += 12
        for place, token in zip(places, targets, strict=True):
            shown = feature.sequences[0][place]
            fates["mask" if shown == 4 else "same" if shown == token else "random"] += 1
        kept = [t for at, t in enumerate(feature.sequences[0]) if at not in places]
        assert kept == [t for at, t in enumerate(row) if at not in places]
    hidden = sum(fates.values())
    assert hidden / total == pytest.approx(0.15, abs=0.03)  # a little more: every text hides at least one token
    assert fates["mask"] / hidden == pytest.approx(0.8, abs=0.04)
    assert fates["random"] / hidden == pytest.approx(0.1, abs=0.03)
    (only,) = MaskedTexts([[0, 9, 2]], np.zeros(1, dtype=np.int64), Hiding(0.001, 4, ordinary, 1))[0:1]
    assert only.target == ([1], [9])


@pytest.mark.parametrize("mode", ["adapter", "full"])
def test_translations_replace_english_one_for_one(run: Any, world: Path, translations: Path, mode: str) -> None:
    inputs = {"data.nli": world / "nli", "translated.nli": translations}
    settings = {**LONG, "steps": 40}
    folder = run("train_intermediate", inputs, mode=mode, settings=settings, translated={"languages": ["xx", "yy"]})
    training = described(folder)["training"]
    assert training["steps"] == 40
    languages = training["sampling"]["languages"]["nli"]
    assert list(languages) == ["en", "xx", "yy"]
    assert all(entry["realised"] == pytest.approx(1 / 3, abs=0.01) for entry in languages.values())
    assert "tasks" not in training["sampling"]
    plain = run("train_intermediate", {"data.nli": world / "nli"}, mode=mode, settings=settings)
    assert (plain / "model.safetensors").read_bytes() != (folder / "model.safetensors").read_bytes()


def test_epochs_mean_passes_over_the_english_data(translations: Path, backbone: LoadedBackbone, nli: TrainTask) -> None:
    settings = TrainSettings(learning_rate=1e-3, batch_size=8, epochs=2, max_length=32)
    more = with_translations(nli, translations, ["xx", "yy"], backbone, max_length=32)
    assert len(more.features) == 3 * len(nli.features)
    assert plan_steps([more], settings, None).steps == plan_steps([nli], settings, None).steps == 13
    assert plan_steps([more, nli], settings, None).weights.tolist() == [0.5, 0.5]


def test_translations_of_something_else_are_refused(
    tmp_path: Path, world: Path, backbone: LoadedBackbone, nli: TrainTask
) -> None:
    with pytest.raises(StageError, match="translations of 'pos'"):
        with_translations(nli, world / "pos", ["en"], backbone, max_length=32)
    example = PairExample("a", "a", "xx", "red", "cat", "ja")
    write_task(tmp_path, TaskData("nli", "sequence_classification", ("ja", "nein"), {("train", "xx"): [example]}))
    with pytest.raises(StageError, match=r"labels ja, nein.*expected 'nli'"):
        with_translations(nli, tmp_path, ["xx"], backbone, max_length=32)


def test_translations_and_masked_text_of_several_tasks(run: Any, world: Path, texts: Path, translations: Path) -> None:
    settings = {**LONG, "steps": 300, "batch_size": 4}
    tasks = [{"task": "nli", "format": "sequence_classification"}, {"task": "pos", "format": "tagging"}]
    inputs = {"data.nli": world / "nli", "data.pos": world / "pos", "texts": texts}
    sampling = {"kind": "temperature", "temperature": 2.0}
    folder = run("train_intermediate", inputs, tasks=tasks, settings=settings, mlm=SPEC, sampling=sampling)
    shares = described(folder)["training"]["sampling"]["tasks"]
    assert {name: entry["declared"] for name, entry in shares.items()} == {"nli": 0.375, "pos": 0.375, "mlm": 0.25}
    for entry in shares.values():
        assert entry["realised"] == pytest.approx(entry["declared"], abs=0.01)


def test_the_same_arm_twice_gives_the_same_bytes(run: Any, world: Path, texts: Path, translations: Path) -> None:
    settings = {**LONG, "steps": 12}
    inputs = {"data.nli": world / "nli", "texts": texts, "translated.nli": translations}
    changes = {"mlm": SPEC, "translated": {"languages": ["xx", "yy"]}, "settings": settings}
    first, second, other = (run("train_intermediate", inputs, **changes, seed=seed) for seed in (11, 11, 12))
    for name in ("model.safetensors", "model.json", "train.jsonl"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert (first / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()


@pytest.mark.parametrize("steps", [1, 7, 50, 83, 240])
def test_groups_keep_their_shares(steps: int) -> None:
    rng = np.random.default_rng(steps)
    group_of = np.array([0] * 5 + [1] * 40 + [2] * 300)
    lengths = rng.integers(3, 60, size=345)
    shares = np.array([0.2, 0.5, 0.3])
    made = stratified_batches(lengths, group_of, shares, batches=steps, batch_size=16, rng=np.random.default_rng(1))
    assert [len(batch) for batch in made] == [16] * steps
    drawn = np.concatenate(made)
    counts = np.bincount(group_of[drawn], minlength=3)
    assert np.abs(counts - shares * 16 * steps).max() <= 1.0
    # Inside a group, no example comes twice more often than another.
    for group in range(3):
        seen = np.bincount(drawn, minlength=345)[group_of == group]
        assert seen.max() - seen.min() <= 1


def test_length_windows_are_kept_and_shuffled() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 120, size=4000)
    made = stratified_batches(
        lengths, np.zeros(4000, dtype=np.int64), np.ones(1), batches=100, batch_size=16, rng=np.random.default_rng(3)
    )
    padding = sum(16 * lengths[b].max() for b in made) / sum(lengths[b].sum() for b in made)
    assert padding < 1.1
    assert abs(np.corrcoef([lengths[b].mean() for b in made[:50]], range(50))[0, 1]) < 0.4


def test_heads_are_shared(run: Any, world: Path, backbone: LoadedBackbone, tmp_path: Path) -> None:
    stored = read_task(world / "nli")
    splits = {("train", "en"): stored.split("train", "en")[:20]}
    write_task(tmp_path / "more", TaskData("more", "sequence_classification", ("yes", "no"), splits))
    tasks = [{"task": name, "format": "sequence_classification"} for name in ("nli", "more")]
    tasks.append({"task": "qa", "format": "span_qa"})
    inputs = {"data.nli": world / "nli", "data.more": tmp_path / "more", "data.qa": world / "qa"}
    settings = {**LONG, "steps": 120}
    folder = run("train_intermediate", inputs, tasks=tasks, shared_heads=[["nli", "more"]], settings=settings)
    heads = described(folder)["composition"]["heads"]
    assert [(head["task"], head.get("also")) for head in heads] == [("nli", ["more"]), ("qa", None)]
    assert {name.split(".")[1] for name in read_weights(folder) if name.startswith("heads.")} == {"h00", "h01"}
    shares = described(folder)["training"]["sampling"]["tasks"]
    assert shares["more"]["declared"] == pytest.approx(20 / 120, abs=1e-5)
    assert all(entry["realised"] == pytest.approx(entry["declared"], abs=0.01) for entry in shares.values())
    stacked = run("train_target", {"data": world / "pos", "intermediate": folder}, composition="stack")
    assert described(stacked)["composition"]["adapters"][0]["name"] == "nli+more+qa"
    with pytest.raises(VariantError, match=r"'qa' .span_qa.* cannot share the head of 'nli'"):
        run("train_intermediate", inputs, tasks=tasks, shared_heads=[["nli", "qa"]])


def test_texts_on_disk(tmp_path: Path, texts: Path) -> None:
    again = read_texts(texts)
    assert list(again) == ["en", "xx", "yy"]
    assert len(again["en"]) == 20
    with pytest.raises(DataError, match="none in language 'zz'"):
        write_texts(tmp_path, {"zz": ["", "  "]})
    (tmp_path / "other").mkdir()
    write_texts(tmp_path / "other", {"en": ["a b", "", "c\nd"]})
    assert read_texts(tmp_path / "other") == {"en": ["a b", "c d"]}
    (tmp_path / "other" / "texts" / "en.txt").write_text("a b\n")
    with pytest.raises(DataError, match="1 lines, expected 2"):
        read_texts(tmp_path / "other")


def test_a_backbone_without_mask_token_is_refused(world: Path, texts: Path, backbone: LoadedBackbone) -> None:
    from unittest.mock import PropertyMock, patch

    other = load_backbone(backbone.identity, world / "backbone")
    with (
        patch.object(type(other.tokenizer), "mask_token_id", PropertyMock(return_value=None), create=True),
        pytest.raises(StageError, match="no mask token"),
    ):
        mlm(texts, world, other)


def test_the_output_matrix_is_no_part_of_the_head() -> None:
    head = LanguageModelHead(4, 9, Initial(torch.Generator(), 0.02), eps=1e-5)
    head.tie(_Backbone())
    assert sorted(name for name, _ in head.named_parameters()) == [
        "bias", "dense.bias", "dense.weight", "layer_norm.bias", "layer_norm.weight",
    ]  # fmt: skip


class _Backbone:
    def get_input_embeddings(self) -> torch.nn.Embedding:
        return torch.nn.Embedding(9, 4)


def test_a_training_before_the_target_goes_on_with_model_and_head(
    run: Any, world: Path, tmp_path: Path, backbone: LoadedBackbone
) -> None:
    stored = read_task(world / "pos")
    examples = [replace(e, example_id=f"x{e.example_id}") for e in stored.split("train", "en")[:30]]
    dev = {("train", "en"): examples, ("dev", "en"): examples[:5]}
    write_task(tmp_path / "first", TaskData("first", "tagging", ("X", "Y"), dev))  # type: ignore[arg-type]
    before = {"task": "first", "settings": {**LONG, "steps": 40}}
    inputs = {"data": world / "pos", "before.first": tmp_path / "first"}
    last = {**LONG, "steps": 2, "learning_rate": 1e-6}
    for mode in ("adapter", "full"):
        plain = run("train_target", {"data": world / "pos"}, mode=mode, settings=last)
        folder = run("train_target", inputs, mode=mode, settings=last, before=[before])
        training = described(folder)["training"]
        assert (training["steps"], training["before"]["first"]["steps"]) == (2, 40)
        assert described(plain)["training"]["first_loss"] > 1.3 * training["first_loss"], "what was learnt stays"
        assert [head["task"] for head in described(folder)["composition"]["heads"]] == ["pos"]
        lines = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
        assert [line.get("before") for line in lines] == ["first", "first", None]
        again = run("train_target", inputs, mode=mode, settings=last, before=[before])
        assert (folder / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()
    splits = {("train", "en"): [replace(e, tags=("Z",) * len(e.words)) for e in examples]}  # type: ignore[union-attr]
    write_task(tmp_path / "other", TaskData("first", "tagging", ("Z", "Y"), splits))  # type: ignore[arg-type]
    with pytest.raises(StageError, match="other labels than 'pos'"):
        run("train_target", {**inputs, "before.first": tmp_path / "other"}, settings=last, before=[before])
