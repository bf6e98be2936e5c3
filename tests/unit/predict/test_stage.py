"""The predict stage on a backbone made here: every kind of system writes comparable files."""

import numpy as np
import pytest
import torch

from adapterxfer.backbones.loading import load_backbone
from adapterxfer.data.storage import read_task
from adapterxfer.errors import BackboneError, StageError, VariantError
from adapterxfer.formats import encoded
from adapterxfer.formats.encoded import encode_split
from adapterxfer.formats.inference import predict_encoded, token_batches
from adapterxfer.formats.registry import get_format
from adapterxfer.predict.systems import middle_layer, predict_backbone
from adapterxfer.predict.table import read_predictions
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.predict import execute
from adapterxfer.store.keys import Stage
from adapterxfer.variants.composition import Composition, HeadPart
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import write_description, write_weights

IDENTITY = {"name": "tiny", "kind": "folder", "dtype": "float32", "attention": "sdpa"}


@pytest.fixture
def run(tmp_path, task_folders, backbone_folder):
    def run(name, system, *, languages=None, model=None, settings=None, backbone=True):
        stored = read_task(task_folders[name])
        identity = {
            "backbone": IDENTITY if backbone else None,
            "task": name,
            "format": stored.format,
            "protocol": "test",
            "system": system,
            "split": "test",
            "languages": list(languages or stored.languages("test")),
        }
        stage = Stage(kind="predict", version=1, identity=identity, inputs={"data": "0" * 64})
        scratch = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        scratch.mkdir()
        inputs = {"data": task_folders[name], "backbone": backbone_folder} | ({"model": model} if model else {})
        summary = execute(
            StageContext(stage=stage, inputs=inputs, scratch=scratch, log=lambda line: None, settings=settings or {})
        )
        return summary, read_predictions(scratch), scratch

    return run


def save_model(folder, backbone_folder, task, labels):
    loaded = load_backbone(IDENTITY, backbone_folder)
    head = get_format(task.format).make_head(16, labels, generator=torch.Generator().manual_seed(0), std=1.0)
    composition = Composition("head-only", (), (HeadPart("h00", task.task, task.format, tuple(labels)),))
    model = TransferModel(loaded, composition, adapters={}, fusion=None, heads={"h00": head})
    folder.mkdir()
    write_weights(folder, model)
    write_description(folder, model)
    return model


@pytest.mark.parametrize("name", ["nli", "ner", "qa", "choice"])
def test_trained_systems_and_controls_write_comparable_files(run, task_folders, backbone_folder, tmp_path, name):
    task = read_task(task_folders[name])
    save_model(tmp_path / "model", backbone_folder, task, task.labels)
    summary, trained, folder = run(name, {"kind": "trained"}, model=tmp_path / "model")
    control = "whole-sentence" if name == "qa" else "majority"
    _, guessed, _ = run(name, {"kind": "control", "control": control}, backbone=False)
    assert trained.metadata["gold_fingerprint"] == guessed.metadata["gold_fingerprint"]
    assert summary["examples"] == len(trained.gold) == sum(task.counts["test"].values())
    assert set(summary["scores"]) == set(task.languages("test"))
    assert trained.languages == tuple(sorted(task.languages("test")))
    assert trained.metadata["stage_key"] != guessed.metadata["stage_key"]
    assert "control" in guessed.metadata
    assert set(summary["inputs"]["languages"]) == set(task.languages("test"))
    assert all(counts["texts"] == task.counts["test"][code] for code, counts in summary["inputs"]["languages"].items())
    assert "inputs" not in trained.metadata, "files keep the bytes that they had before this was counted"
    if name == "ner":
        assert summary["untokenized_words"] == 0
    _, small, _ = run(name, {"kind": "trained"}, model=tmp_path / "model", settings={"eval_batch_tokens": 20})
    assert small.prediction.tolist() == trained.prediction.tolist()
    _, found, _ = run(name, {"kind": "trained"}, model=tmp_path / "model", settings={"device": "auto"})
    assert found.prediction.tolist() == trained.prediction.tolist()
    encoded._CACHE.clear()
    _, _, again = run(name, {"kind": "trained"}, model=tmp_path / "model")
    assert (folder / "predictions.parquet").read_bytes() == (again / "predictions.parquet").read_bytes()


def test_predictions_come_back_in_the_order_of_the_examples(run, task_folders, backbone_folder, tmp_path):
    task = read_task(task_folders["ner"])
    model = save_model(tmp_path / "model", backbone_folder, task, task.labels).eval()
    _, found, _ = run("ner", {"kind": "trained"}, model=tmp_path / "model")
    fmt, loaded = get_format(task.format), load_backbone(IDENTITY, backbone_folder)
    encoded = encode_split(fmt, task, "test", ["en", "xx"], loaded.tokenizer, max_length=64, train=False)
    alone = []
    for feature in encoded.features:
        batch = fmt.collate([feature], pad_id=encoded.pad_id)
        with torch.inference_mode():
            outputs = model.head("ner")(model(batch.input_ids, batch.attention_mask), batch)
        alone += fmt.results(outputs, batch)
    expected = fmt.decode(alone, encoded.features, encoded.examples, task.labels)
    assert found.prediction.tolist() == expected
    assert len({tag for line in expected for tag in line.split()}) > 1
    assert len({f.length for f in encoded.features}) > 1


def test_retrieval_layers(run, task_folders, backbone_folder):
    _, middle, _ = run("retrieval", {"kind": "backbone", "layer": "middle"})
    _, first, _ = run("retrieval", {"kind": "backbone", "layer": 1})
    _, embedding, _ = run("retrieval", {"kind": "control", "control": "embedding-layer"})
    _, zero, _ = run("retrieval", {"kind": "backbone", "layer": 0}, settings={"device": "auto"})
    assert middle.prediction.tolist() == first.prediction.tolist()
    assert embedding.prediction.tolist() == zero.prediction.tolist()
    assert middle.metadata["gold_fingerprint"] == embedding.metadata["gold_fingerprint"]
    assert [middle_layer(n) for n in (1, 2, 3, 4, 5)] == [1, 1, 1, 2, 2]
    with pytest.raises(VariantError, match="layer 9"):
        run("retrieval", {"kind": "backbone", "layer": 9})
    with pytest.raises(VariantError, match="untouched backbone"):
        run("nli", {"kind": "backbone", "layer": 1})
    with pytest.raises(StageError, match="system kind 'magic'"):
        run("nli", {"kind": "magic"})


def test_retrieval_sees_each_sentence_once_and_is_right_for_equal_sentences(task_folders, backbone_folder):
    task, fmt = read_task(task_folders["retrieval"]), get_format("retrieval")
    loaded = load_backbone(IDENTITY, backbone_folder)
    encoded = encode_split(fmt, task, "test", ["yy", "xx"], loaded.tokenizer, max_length=64, train=False)
    seen = []

    def forward(ids, mask, *_):
        seen.extend(map(tuple, ids.tolist()))
        return loaded.model(ids, mask).last_hidden_state

    predict_encoded(forward, fmt.make_head(16, (), generator=torch.Generator()), fmt, encoded, (), batch_tokens=64)
    assert len(seen) == 4 + 4 + 4
    assert len(set(seen)) == 12
    same = [f.__class__([f.sequences[1]] * 2, [f.target[1]] * 2, f.example) for f in encoded.features]
    encoded = encoded.__class__(encoded.examples, same, encoded.pad_id)
    assert predict_backbone(loaded, "middle", fmt, encoded) == [e.example_id for e in encoded.examples]


def test_a_model_of_another_labelling_or_backbone_is_refused(run, task_folders, backbone_folder, tmp_path):
    task = read_task(task_folders["nli"])
    save_model(tmp_path / "model", backbone_folder, task, task.labels[::-1])
    with pytest.raises(VariantError, match="labels"):
        run("nli", {"kind": "trained"}, model=tmp_path / "model")
    with pytest.raises(VariantError, match="no head for task 'qa'"):
        run("qa", {"kind": "trained"}, model=tmp_path / "model")


def test_features_are_encoded_once_per_task_and_setting(task_folders, backbone_folder):
    task, fmt = read_task(task_folders["nli"]), get_format("sequence_classification")
    tokenizer = load_backbone(IDENTITY, backbone_folder).tokenizer
    encoded._CACHE.clear()
    first = encode_split(fmt, task, "test", ["en"], tokenizer, max_length=32, train=False)
    assert encode_split(fmt, task, "test", ["en"], tokenizer, max_length=32, train=False) is first
    shorter = encode_split(fmt, task, "test", ["en"], tokenizer, max_length=16, train=False)
    assert max(f.length for f in shorter.features) == 16
    both = encode_split(fmt, task, "test", ["xx", "en"], tokenizer, max_length=32, train=False)
    assert [e.language for e in both.examples] == ["xx"] * 9 + ["en"] * 9
    with pytest.raises(BackboneError, match="max_length 5"):
        encode_split(fmt, task, "test", ["en"], tokenizer, max_length=5, train=False)


def test_token_batches_cover_everything_within_the_budget():
    from adapterxfer.formats.base import Feature

    rng = np.random.default_rng(0)
    features = [Feature([[1] * int(n)] * int(k), None, 0) for n, k in rng.integers(1, 40, size=(200, 2)) % (40, 4) + 1]
    batches = list(token_batches(features, 100))
    assert sorted(i for batch in batches for i in batch) == list(range(200))
    for batch in batches:
        padded = sum(features[i].rows for i in batch) * max(features[i].length for i in batch)
        assert padded <= 100 or len(batch) == 1
    assert list(token_batches([], 100)) == []
