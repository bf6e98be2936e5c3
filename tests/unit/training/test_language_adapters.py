"""Stages of language adapters: trained on text, below the tasks while these train, swapped when they are predicted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.data.examples import TaggingExample, TaskData
from adapterxfer.data.storage import read_task, write_task
from adapterxfer.data.texts import write_texts
from adapterxfer.errors import StageError, VariantError
from adapterxfer.predict.table import read_predictions
from adapterxfer.stages import predict as predict_stage
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.merge import execute as merge
from adapterxfer.store.keys import Stage
from adapterxfer.training.arm_data import draw_mixtures
from adapterxfer.training.language_adapters import build_language, language_task
from adapterxfer.training.settings import TrainSettings
from adapterxfer.variants.storage import read_description, read_weights

Run = Callable[..., Path]
INVERTIBLE = {"method": "seq_bn_inv", "reduction_factor": 2}
LINES = {
    "en": ["red cat sees the old dog", "the dog is not red", "a cow and a house", "old road so new river"] * 4,
    "xx": ["dog old the sees cat red", "red not is dog the", "house a and cow a"] * 4,
    "yy": ["blue blue blue green green", "house house road road river"] * 4,
}


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {}
    for code, lines in LINES.items():
        found[code] = tmp_path_factory.mktemp(f"texts-{code}")
        write_texts(found[code], {code: lines})
    return found


@pytest.fixture
def spoken(run: Run, texts: dict[str, Path]) -> dict[str, Path]:
    """Language -> folder of its trained adapter."""
    # Long and fast: what they do must be seen in predicted labels.
    return {code: train_language(run, texts[code], code, settings=LONG) for code in texts}


def train_language(run: Run, folder: Path, code: str, **changes: Any) -> Path:
    return run("train_language", {"texts": folder}, **{"language": code, "adapter": INVERTIBLE, "mask": 0.3} | changes)


@pytest.fixture
def tested(world: Path, tmp_path: Path) -> Path:
    """The tagging task with a test split in three languages."""
    folder = tmp_path / "tested"
    folder.mkdir()
    stored = read_task(world / "pos")
    examples = [example for example in stored.split("dev", "en") if isinstance(example, TaggingExample)]
    splits: dict[tuple[str, str], Any] = {
        ("test", code): [replace(example, language=code) for example in examples] for code in ("en", "xx", "yy")
    }
    write_task(folder, TaskData("pos", "tagging", ("X", "Y"), splits))
    return folder


BACKBONE = {"name": "backbone", "kind": "folder", "dtype": "float32", "attention": "sdpa"}
SHORT = {"learning_rate": 4e-3, "batch_size": 8, "steps": 6, "max_length": 32}
LONG = {**SHORT, "steps": 100, "learning_rate": 2e-2}
ABOVE = {"language": "en"}


@pytest.fixture
def predict(world: Path, tested: Path, tmp_path: Path) -> Callable[..., list[list[str]]]:
    """Predictions of a model folder by language, above the adapters given."""

    def call(model: Path, adapters: dict[str, Path], codes: str = "en xx yy") -> list[list[str]]:
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        out.mkdir()
        inputs = {"data": tested, "model": model, "backbone": world / "backbone"}
        inputs |= {f"language.{code}": folder for code, folder in adapters.items()}
        content = {
            "backbone": BACKBONE, "task": "pos", "format": "tagging", "protocol": "", "split": "test",
            "system": {"kind": "trained"}, "languages": codes.split(),
        }  # fmt: skip
        stage = Stage(kind="predict", version=1, identity=content, inputs=dict.fromkeys(inputs, "0" * 64))
        predict_stage.execute(StageContext(stage=stage, inputs=inputs, scratch=out, log=lambda _: None, settings={}))
        table = read_predictions(out)
        found = [(table.languages[at], str(text)) for at, text in zip(table.language, table.prediction, strict=True)]
        return [[text for code, text in found if code == wanted] for wanted in codes.split()]

    return call


def verdicts(folder: Path) -> dict[str, Any]:
    return {v["assertion"]: v for v in json.loads((folder / "model.json").read_text())["assertions"]}


def test_a_language_is_trained_on_its_text(run: Run, texts: dict[str, Path], world: Path) -> None:
    folder = train_language(run, texts["xx"], "xx", settings={**SHORT, "steps": 60})
    stored = read_description(folder)
    assert stored.composition.variant == "language"
    assert [(part.name, part.method) for part in stored.composition.adapters] == [("xx", "seq_bn_inv")]
    assert stored.composition.heads == ()
    names = set(read_weights(folder))
    assert {name.split(".")[0] for name in names} == {"adapters"}, "the output head serves the training only"
    assert any(".first.down." in name for name in names)
    training = stored.content["training"]
    assert training["last_loss"] < training["first_loss"] - 0.2
    found = verdicts(folder)
    assert found["backbone-weights"]["value"] == 0.0
    assert found["invertible-embeddings"]["value"] <= 1e-5
    assert found["neutral-when-zero"]["value"] == 0.0


def test_exactly_the_adapter_and_the_head_train(backbone: LoadedBackbone, texts: dict[str, Path], world: Path) -> None:
    identity = {"backbone": BACKBONE, "language": "en", "mask": 0.3}
    task = language_task(texts["en"], identity, backbone, world / "backbone", max_length=32)
    assert task.size == len(LINES["en"])
    settings = TrainSettings(learning_rate=1e-3, batch_size=8, epochs=2, max_length=32)
    (task,) = draw_mixtures([task], settings, None, seed=1)
    assert len(task.features) == 2 * len(LINES["en"]), "an epoch is one pass over the texts"
    model = build_language(backbone, task, adapter=INVERTIBLE, language="en", seed=1)
    assert all(name.startswith(("adapters.t00.", "heads.h00.")) for name in model.trainable())
    batch = task.format.collate(task.features[:8], pad_id=task.pad_id)
    logits = model.head("mlm")(model(batch.input_ids, batch.attention_mask), batch)
    task.format.loss(logits, batch).total.backward()
    without = [name for name, parameter in model.trainable().items() if parameter.grad is None]
    assert without == []
    assert model.backbone.get_input_embeddings().weight.grad is None


@pytest.mark.parametrize("composition", ["fresh", "stack", "sequential"])
def test_tasks_train_above_the_frozen_language(
    run: Run, world: Path, spoken: dict[str, Path], predict: Any, composition: str
) -> None:
    inputs = {"data": world / "pos", "language": spoken["en"]}
    if composition != "fresh":
        nli = run("train_intermediate", {"data.nli": world / "nli", "language": spoken["en"]}, **ABOVE)
        inputs["intermediate"] = nli
    folder = run("train_target", inputs, composition=composition, **ABOVE, settings=LONG)
    found = verdicts(folder)
    assert found["language-matters"]["value"] > 1e-4
    assert (found["frozen-weights"]["kind"], found["frozen-weights"]["value"]) == ("exact", 0.0)
    english, state = read_weights(spoken["en"]), read_weights(folder)
    below = {n.replace("adapters.l00.", "adapters.t00."): t for n, t in state.items() if n.startswith("adapters.l00.")}
    assert below.keys() == english.keys()
    assert all(torch.equal(below[name], english[name]) for name in english)
    others = {code: place for code, place in spoken.items() if code != "en"}
    by_language = predict(folder, others)
    assert [len(found) for found in by_language] == [12, 12, 12]
    # The examples are the same in all three languages, so only the adapters below can make a difference.
    assert by_language[0] != by_language[1]
    assert by_language[0] == predict(folder, others, "xx yy en")[2]
    assert by_language[0] == predict(folder, {}, "en")[0]


def test_each_language_is_predicted_above_its_own(run: Run, world: Path, spoken: dict[str, Path], predict: Any) -> None:
    """With the same adapter under every name all languages agree; so the difference comes from the adapters."""
    inputs = {"data": world / "pos", "language": spoken["en"]}
    folder = run("train_target", inputs, **ABOVE, settings=LONG)
    right = predict(folder, {"xx": spoken["xx"], "yy": spoken["yy"]})
    with pytest.raises(VariantError, match=r"holds the adapter of language 'yy', expected 'xx'"):
        predict(folder, {"xx": spoken["yy"], "yy": spoken["xx"]})
    alone = predict(folder, {"yy": spoken["yy"]}, "yy")
    assert alone == [right[2]], "which languages are predicted beside it changes nothing"


def test_a_missing_language_is_an_error(run: Run, world: Path, spoken: dict[str, Path], predict: Any) -> None:
    folder = run("train_target", {"data": world / "pos", "language": spoken["en"]}, **ABOVE)
    with pytest.raises(VariantError, match=r"languages without an adapter: yy(.|\n)*language_adapters\.languages"):
        predict(folder, {"xx": spoken["xx"]})
    plain = run("train_target", {"data": world / "pos"})
    with pytest.raises(VariantError, match="was trained without the adapter of a language"):
        predict(plain, {"xx": spoken["xx"]})
    with pytest.raises(StageError, match="input 'language' is missing"):
        run("train_target", {"data": world / "pos"}, **ABOVE)


def test_phases_have_one_language_below(run: Run, world: Path, spoken: dict[str, Path]) -> None:
    plain = run("train_intermediate", {"data.nli": world / "nli"})
    with pytest.raises(VariantError, match=r"above the language adapter none, to be used above en"):
        run("train_target", {"data": world / "pos", "intermediate": plain, "language": spoken["en"]},
            composition="stack", **ABOVE)  # fmt: skip
    above = run("train_intermediate", {"data.nli": world / "nli", "language": spoken["en"]}, **ABOVE)
    with pytest.raises(VariantError, match=r"above the language adapter en \(seq_bn_inv\), to be used above none"):
        run("train_target", {"data": world / "pos", "intermediate": above}, composition="stack")
    with pytest.raises(VariantError, match="expected the adapter of a language"):
        run("train_target", {"data": world / "pos", "language": above}, **ABOVE)


def test_fusion_and_merge_above_a_language(
    run: Run, world: Path, spoken: dict[str, Path], predict: Any, tmp_path: Path
) -> None:
    nli = run("train_intermediate", {"data.nli": world / "nli", "language": spoken["en"]}, **ABOVE)
    inputs = {"data": world / "pos", "language": spoken["en"]}
    target = run("train_target", inputs, **ABOVE)
    fused = run("train_fusion", {**inputs, "intermediate.nli": nli, "target": target}, **ABOVE)
    found = verdicts(fused)
    assert found["language-matters"]["value"] > 1e-4
    assert found["frozen-weights"]["value"] == 0.0
    others = {code: place for code, place in spoken.items() if code != "en"}
    assert len(predict(fused, others)) == 3
    for kind, weights in (("average", [0.5, 0.5]), ("arithmetic", [0.7, 0.4])):
        out = tmp_path / kind
        out.mkdir()
        folders = {"model.00": target, "model.01": nli, "backbone": world / "backbone"}
        identity = {"backbone": BACKBONE, "kind": kind, "weights": weights, "seed": 11}
        stage = Stage(kind="merge", version=1, identity=identity, inputs=dict.fromkeys(folders, "0" * 64))
        merge(StageContext(stage=stage, inputs=folders, scratch=out, log=lambda _: None, settings={}))
        state, english = read_weights(out), read_weights(spoken["en"])
        assert all(torch.equal(state[n.replace("t00", "l00")], tensor) for n, tensor in english.items())
        assert len(predict(out, others)) == 3
