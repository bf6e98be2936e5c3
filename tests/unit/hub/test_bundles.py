"""What a bundle holds, that it loads to the same numbers everywhere, and that raw text can be asked."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_study import METHODS_RECIPE, Make, StudyFiles, make_study
from transformers import AutoTokenizer, XLMRobertaModel

from adapterxfer import load_bundle
from adapterxfer.data.storage import read_task
from adapterxfer.errors import BundleError
from adapterxfer.formats.encoded import encode_split
from adapterxfer.formats.inference import predict_encoded
from adapterxfer.formats.registry import get_format
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.counts import ids_of
from adapterxfer.hub.library_files import reduction_factor
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.making import make_bundle
from adapterxfer.predict.table import read_predictions
from adapterxfer.store.store import Store

TRAINED = ("world-xnli", "world-pos", "world-xqa", "world-xmc")
VARIANTS = ("full-ft", "sequential", "stack", "fuse")


@pytest.mark.parametrize("target", TRAINED)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_bundle_gives_the_predictions_of_its_stage(
    bundle: Make, study: StudyFiles, variant: str, target: str
) -> None:
    folder = bundle(variant, target)
    opened = open_bundle(folder)
    assert opened.difference == 0.0
    plan, store = study.plan(), Store(study.store)
    (cell,) = [c for c in plan.cells if (c.variant, c.target, c.intermediate) == (variant, target, "world-nli")]
    stage = plan.stages[cell.predict]
    stored = read_predictions(store.folder(stage))
    task = read_task(store.folder(plan.stages[stage.inputs["data"]]))
    fmt = get_format(task.format, str(stage.identity["protocol"]))
    languages = list(stage.identity["languages"])
    model = opened.model
    encoded = encode_split(
        fmt, task, "test", languages, model.loaded.tokenizer, max_length=model.loaded.max_length, train=False
    )

    found = predict_encoded(model, model.head(target), fmt, encoded, task.labels)
    by_id = {(e.language, e.example_id): p for e, p in zip(encoded.examples, found, strict=True)}
    for index, prediction in enumerate(stored.prediction):
        key = (stored.languages[stored.language[index]], str(stored.example_id[index]))
        assert by_id[key] == str(prediction)


@pytest.mark.parametrize(("variant", "intermediate"), [("stack", "none"), ("sequential", "world-nli"),
                                                       ("stack", "world-nli"), ("fuse", "world-nli")])  # fmt: skip
def test_the_adapters_library_loads_the_same_folder(bundle: Make, variant: str, intermediate: str) -> None:
    folder = bundle(variant, intermediate=intermediate)
    opened = open_bundle(folder)
    ids = torch.tensor([[0, 7, 8, 9, 2, 1], [0, 10, 11, 12, 13, 2]])
    mask = ids.ne(1).long()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapters = pytest.importorskip("adapters")

        model = XLMRobertaModel.from_pretrained(folder / "encoder", add_pooling_layer=False)
        adapters.init(model)
        model.load_adapter_setup(str(folder), set_active=True, use_safetensors=True)
        model.eval()
        with torch.inference_mode():
            theirs = model(input_ids=ids, attention_mask=mask).last_hidden_state
    with torch.inference_mode():
        ours = opened.model(ids, mask)
        bare = opened.model.loaded.model(ids, mask).last_hidden_state
    real = mask.bool()
    assert float((ours - theirs)[real].abs().max()) <= 1e-5
    assert float((ours - bare)[real].abs().max()) > 1e-3, "the adapters must matter, or agreement says nothing"


def test_the_library_would_write_the_same_configuration(bundle: Make, tmp_path: Path) -> None:
    folder = bundle("fuse")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapters = pytest.importorskip("adapters")

        model = XLMRobertaModel.from_pretrained(folder / "encoder", add_pooling_layer=False)
        adapters.init(model)
        setup, _ = model.load_adapter_setup(str(folder), set_active=True, use_safetensors=True)
        model.save_adapter_setup(str(tmp_path / "again"), setup, use_safetensors=True)
    written = sorted(p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*.json"))
    assert len(written) == 4
    for name in written:
        theirs = json.loads((tmp_path / "again" / name).read_text())
        ours = json.loads((folder / name).read_text())
        for content in (theirs, ours):
            content.pop("model_name", None)
        assert ours == theirs, name


def test_a_full_model_loads_with_transformers(bundle: Make) -> None:
    folder = bundle("full-ft")
    opened = open_bundle(folder)
    model = XLMRobertaModel.from_pretrained(folder / "encoder", add_pooling_layer=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = torch.tensor([tokenizer("red green blue")["input_ids"]])
    with torch.inference_mode():
        difference = (model(ids).last_hidden_state - opened.model(ids)).abs().max()
    assert float(difference) <= 1e-5


def test_the_same_stage_gives_the_same_bytes(study: StudyFiles, bundle: Make, tmp_path: Path) -> None:
    first = bundle("stack")
    (wanted,) = choose(study.plan("variant=stack", "target=world-xnli", "intermediate=world-nli"))
    second, manifest = make_bundle(study.plan(), Store(study.store), wanted, tmp_path, full_weights=True)
    for path in sorted(p for p in first.rglob("*") if p.is_file()):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes(), path.name
    again, _ = make_bundle(study.plan(), Store(study.store), wanted, tmp_path, full_weights=True)
    assert again == second
    assert [p.name for p in tmp_path.iterdir()] == [manifest.name]


def test_only_safe_formats_and_no_path_of_this_machine(bundle: Make, study: StudyFiles) -> None:
    for variant in VARIANTS:
        for path in bundle(variant).rglob("*"):
            if path.is_file():
                assert path.suffix in {".json", ".safetensors", ".md", ".svg", ".parquet"}
                if path.suffix == ".parquet":
                    assert all(len(text) < 8 for text in ids_of(path)), "ids, no texts"
                elif path.suffix != ".safetensors":
                    assert str(study.store.parent) not in path.read_text(encoding="utf-8")


def test_lineage_names_the_model_and_all_its_parents(bundle: Make) -> None:
    manifest = open_bundle(bundle("fuse")).manifest
    kinds = [entry.kind for entry in manifest.lineage]
    assert manifest.lineage[0].kind == "train_fusion"
    assert kinds.count("train_intermediate") == 1
    assert kinds.count("train_target") == 1
    assert {"pretrain", "prepare"} <= set(kinds)
    assert manifest.seed == 1
    assert manifest.synthetic


def test_full_weights_must_be_asked_for(study: StudyFiles, tmp_path: Path) -> None:
    (wanted,) = choose(study.plan("variant=full-ft", "target=world-xnli", "intermediate=world-nli"))
    with pytest.raises(BundleError, match=r"the bundle would hold 0\.\d MB"):
        make_bundle(study.plan(), Store(study.store), wanted, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_control_is_bundled_with_its_own_scores(tmp_path: Path) -> None:
    """A head on the frozen backbone is no system of a comparison; on its own card it is what was evaluated."""
    text = METHODS_RECIPE.replace("[sequential, stack]", "[head-only]").replace("adapters: [ADAPTERS]\n", "")
    text = text.replace("[none, world-nli]", "[none]").replace("  adapters: {learn", "  head-only: {learn")
    study = make_study(tmp_path, text)
    (wanted,) = choose(study.plan())
    folder, manifest = make_bundle(study.plan(), Store(study.store), wanted, tmp_path / "out", full_weights=True)
    assert manifest.composition.variant == "head-only"
    assert open_bundle(folder).difference == 0.0
    results = json.loads((folder / "results.json").read_text())
    assert {row["language"] for row in results["scores"]} == {"zero-shot", "en", "a1"}
    assert "was not evaluated" not in (folder / "README.md").read_text()


def test_a_model_on_language_adapters_is_refused(study: StudyFiles, tmp_path: Path) -> None:
    (wanted,) = choose(study.plan("variant=stack", "target=world-xnli", "intermediate=world-nli"))
    plan = study.plan()
    stage = plan.stages[wanted.key]
    spoken = dataclasses.replace(stage, identity={**stage.identity, "language": "en"})
    changed = dataclasses.replace(plan, stages={**plan.stages, wanted.key: spoken})
    with pytest.raises(BundleError, match="would hold that of 'en' only and give wrong answers in all others"):
        make_bundle(changed, Store(study.store), wanted, tmp_path)
    assert not list(tmp_path.iterdir())


def test_something_else_is_not_overwritten(study: StudyFiles, tmp_path: Path) -> None:
    (wanted,) = choose(study.plan("variant=stack", "target=world-xnli", "intermediate=world-nli"))
    (tmp_path / wanted.name).mkdir()
    (tmp_path / wanted.name / "thesis.tex").write_text("three years")
    with pytest.raises(BundleError, match="is not a bundle"):
        make_bundle(study.plan(), Store(study.store), wanted, tmp_path)
    assert (tmp_path / wanted.name / "thesis.tex").read_text() == "three years"


def test_a_backbone_outside_the_bundle(bundle: Make, study: StudyFiles) -> None:
    folder = bundle("stack", full=False)
    assert not (folder / "encoder").exists()
    with pytest.raises(BundleError, match="needs backbone 'tiny'"):
        open_bundle(folder)
    plan = study.plan()
    (pretrain,) = [stage for stage in plan.stages.values() if stage.kind == "pretrain"]
    assert open_bundle(folder, backbone=Store(study.store).folder(pretrain)).difference == 0.0


def test_intermediate_models_are_bundles_too(bundle: Make) -> None:
    folder = bundle("stack", phase="intermediate")
    opened = open_bundle(folder)
    assert opened.manifest.lineage[0].kind == "train_intermediate"
    assert [head.task for head in opened.manifest.composition.heads] == ["world-nli"]
    results = json.loads((folder / "results.json").read_text())
    assert {row["target"] for row in results["scores"]} == {"world-retrieval"}, "it is what retrieval was scored with"


class TestAsking:
    def test_classify(self, bundle: Make) -> None:
        loaded = load_bundle(bundle("stack"))
        texts: list[Any] = [("red cat", "the dog sees"), "blue", ("a house", "old road is not new")]
        together = loaded.classify(texts)
        alone = [loaded.classify([text])[0] for text in texts]
        for one, other in zip(together, alone, strict=True):
            assert one.label == max(one.probabilities, key=one.probabilities.__getitem__)
            assert set(one.probabilities) == {"yes", "no"}
            assert sum(one.probabilities.values()) == pytest.approx(1.0, abs=1e-6)
            assert one.probabilities["yes"] == pytest.approx(other.probabilities["yes"], abs=1e-5)
        assert loaded.classify([]) == []
        # A text is one text, not its characters; a tuple is a pair, not two texts; a list is several.
        assert loaded.classify("blue") == loaded.classify(["blue"])
        pair = ("red cat", "the dog sees")
        assert loaded.classify(pair) == loaded.classify([pair]) == loaded.classify([list(pair)])
        assert len(loaded.classify(list(pair))) == 2
        wrong: list[Any] = [3, ("a", "b", "c"), [("a",)], ["a", None]]
        for value in wrong:
            with pytest.raises(BundleError, match=r"classify: .* is (no text|neither a text nor a pair)"):
                loaded.classify(value)

    def test_tag(self, bundle: Make) -> None:
        loaded = load_bundle(bundle("fuse", "world-pos"))
        tagged = loaded.tag(["the red  cat", [], ["old", "house"]])
        assert [[t.word for t in sentence] for sentence in tagged] == [["the", "red", "cat"], [], ["old", "house"]]
        assert {t.tag for sentence in tagged for t in sentence} <= {"X", "Y"}
        assert loaded.tag("the red  cat") == tagged[:1]
        assert loaded.tag(("old", "house")) == tagged[2:]
        assert len(loaded.tag(["old", "house"])) == 2
        with pytest.raises(BundleError, match=r"tag: .* is neither a text nor words"):
            loaded.tag([["old", 3]])  # type: ignore[list-item]

    def test_answer(self, bundle: Make) -> None:
        loaded = load_bundle(bundle("sequential", "world-xqa"))
        context = "the old cat eats and the dog sees a river"
        answer = loaded.answer("the cat", context)
        assert answer.text
        assert context[answer.start :].startswith(answer.text)
        long = " ".join(["red green blue"] * 40)
        assert loaded.answer("blue", long).text in long
        with pytest.raises(BundleError, match=r"answer: question is \['the cat'\], no text"):
            loaded.answer(["the cat"], context)  # type: ignore[arg-type]

    def test_choose(self, bundle: Make) -> None:
        loaded = load_bundle(bundle("stack", "world-xmc"))
        options = ["red red", "the dog eats", "a river"]
        best = loaded.choose("the cat sees", options)
        turned = options[1:] + options[:1]
        assert turned[loaded.choose("the cat sees", turned)] == options[best]
        with pytest.raises(BundleError, match="no choices"):
            loaded.choose("the cat", [])
        with pytest.raises(BundleError, match="choose: choices are 'a river'"):
            loaded.choose("the cat", "a river")

    def test_embed(self, bundle: Make) -> None:
        loaded = load_bundle(bundle("stack"))
        texts = ["red cat", "the dog sees a house", "red cat"]
        found = loaded.embed(texts)
        assert found.shape == (3, 24)
        assert abs(found[0] - found[2]).max() == 0.0
        assert abs(found[0] - loaded.embed(["red cat"])[0]).max() < 1e-6
        assert (loaded.embed("red cat") == loaded.embed(["red cat"])).all()
        with pytest.raises(BundleError, match=r"embed: texts\[1\] is 3, no text"):
            loaded.embed(["red cat", 3])  # type: ignore[list-item]
        ids = torch.tensor([loaded.tokenizer("red cat")["input_ids"]])
        with torch.inference_mode():
            hidden = loaded.model.hidden_states(ids, torch.ones_like(ids), layer=1)
        assert abs(found[0] - hidden[0, 1:-1].mean(0).numpy()).max() < 1e-6

    def test_the_wrong_question_is_refused(self, bundle: Make) -> None:
        loaded = load_bundle(bundle("stack"))
        with pytest.raises(BundleError, match=r"no head for tagging; it has world-xnli \(sequence_classification\)"):
            loaded.tag(["red cat"])
        with pytest.raises(BundleError, match="no head"):
            loaded.classify(["red"], task="another")


@pytest.mark.parametrize(("hidden", "size"), [(768, 48), (96, 48), (48, 7), (1024, 100), (768, 49), (24, 5)])
def test_the_library_computes_the_same_bottleneck(hidden: int, size: int) -> None:
    assert int(hidden // reduction_factor(hidden, size)) == size


def test_protocols_reach_the_heads(bundle: Make) -> None:
    (head,) = open_bundle(bundle("stack", "world-xqa")).manifest.composition.heads
    assert head.protocol.startswith("qa/")
