"""A published adapter in place of an intermediate training: ours, AdapterHub's, peft's; and what is refused."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_study import RECIPE, Make, StudyFiles, make_study, run_stage, training_tools
from safetensors.torch import load_file, save_file
from stand_in_hub import StandInHub
from transformers import XLMRobertaForSequenceClassification, XLMRobertaModel

from adapterxfer.backbones.loading import load_backbone
from adapterxfer.errors import AdapterxferError, BundleError, HubError, RecipeError
from adapterxfer.hub.fetching import fetch_published
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.making import choose, make_bundle
from adapterxfer.hub.places import HubPlace
from adapterxfer.hub.pushing import push
from adapterxfer.plan import build_plan
from adapterxfer.predict.table import read_predictions
from adapterxfer.recipe.loading import parse_recipe
from adapterxfer.store.store import Store
from adapterxfer.variants.storage import load_model

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

SHA = "0123456789abcdef0123456789abcdef01234567"
TRAINED = "intermediate_tasks: [none, world-nli]"
SMALL = (
    RECIPE.replace("name: hub-study", "name: reuse-study")
    .replace("target_tasks: [world-xnli, world-pos, world-xqa, world-xmc, world-retrieval]", "target_tasks: [TARGETS]")
    .replace("variants: [full-ft, sequential, stack, fuse]", "variants: [VARIANTS]")
)


def reusing(
    place: str, *, adapter: str = "", variants: str = "stack", targets: str = "world-xnli", more: str = ""
) -> str:
    text = SMALL.replace(TRAINED, f"intermediate_tasks: [none, {{name: world-nli, from: {place}{more}}}]")
    text = text.replace("VARIANTS", variants).replace("TARGETS", targets)
    kept = [line for line in text.splitlines() if line.split(":")[0].strip() not in UNUSED or targets != "world-xnli"]
    text = "\n".join(kept)
    return text.replace("{method: seq_bn, reduction_factor: 4}", adapter) if adapter else text


UNUSED = ("world-pos", "world-xqa", "world-xmc", "world-retrieval")


@pytest.fixture(autouse=True)
def _no_waiting_in_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)


@pytest.fixture
def ours(bundle: Make, hub: StandInHub) -> str:
    """The intermediate adapter of the study, published."""
    return f"hub:org/nli@{push(bundle('stack', phase='intermediate', full=False), 'org/nli').commit}"


def test_our_own_adapter_gives_what_training_it_would_give(study: StudyFiles, ours: str, tmp_path: Path) -> None:
    text = reusing(ours, variants="sequential, stack, fuse", targets="world-xnli, world-retrieval")
    mine = make_study(tmp_path, text, store=study.store)
    plan, theirs = mine.plan(), study.plan()
    assert "train_intermediate" not in plan.counts()
    (reuse,) = [stage for stage in plan.stages.values() if stage.kind == "reuse_intermediate"]
    store = Store(mine.store)
    record = store.read(reuse)
    assert record.result["published"] == ours.removeprefix("hub:")
    compared = 0
    for cell in plan.cells:
        if cell.intermediate == "none":
            continue
        (same,) = [c for c in theirs.cells if c.labels() == cell.labels()]
        assert cell.predict != same.predict, "the key says where the adapter comes from"
        found = read_predictions(store.folder(plan.stages[cell.predict]))
        expected = read_predictions(store.folder(theirs.stages[same.predict]))
        assert list(found.prediction) == list(expected.prediction)
        compared += 1
    assert compared == 4, "sequential, stack and fuse on the target, stack on retrieval"


def test_a_bundle_on_top_names_the_reused_one(study: StudyFiles, ours: str, tmp_path: Path) -> None:
    mine = make_study(tmp_path, reusing(ours), store=study.store, scores=False)
    (wanted,) = choose(mine.plan("intermediate=world-nli"))
    folder, manifest = make_bundle(mine.plan(), Store(mine.store), wanted, tmp_path / "out", full_weights=True)
    assert "reuse_intermediate" in [entry.kind for entry in manifest.lineage]
    rows = {row["task"]: row for row in json.loads((folder / "results.json").read_text())["training"]}
    assert rows["world-nli"]["published"] == ours.removeprefix("hub:")
    assert rows["world-nli"]["licence"] == "apache-2.0"
    assert f"reused adapter `{ours.removeprefix('hub:')}`" in (folder / "README.md").read_text()
    assert open_bundle(folder).difference == 0.0


def test_nothing_to_bundle_of_a_reused_adapter(study: StudyFiles, ours: str, tmp_path: Path) -> None:
    mine = make_study(tmp_path, reusing(ours), store=study.store, scores=False)
    with pytest.raises(BundleError, match="no intermediate model"):
        choose(mine.plan("intermediate=world-nli"), phase="intermediate")


# Adapters of other tools


@pytest.fixture(scope="module")
def encoder(study: StudyFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The backbone of the study as a folder that the libraries read."""
    plan, store = study.plan(), Store(study.store)
    (pretrain,) = [stage for stage in plan.stages.values() if stage.kind == "pretrain"]
    identity = {"name": "tiny", "kind": "stage", "dtype": "float32", "attention": "sdpa"}
    loaded = load_backbone(identity, store.folder(pretrain), own=True)  # saving changes its configuration
    folder = tmp_path_factory.mktemp("encoder")
    loaded.model.save_pretrained(folder)
    return folder


def files_of(folder: Path, **more: bytes) -> dict[str, bytes]:
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return found | more


CARD = b"---\nlicense: mit\n---\n\n# An adapter\n"


def randomise(model: Any, mark: str, std: float = 0.1) -> None:
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if mark in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * std)


def make_peft(encoder: Path, out: Path, **options: Any) -> Any:
    """A LoRA as users make it: around a model with a head, other scale than ours, head saved with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import peft

        options = {"r": 4, "lora_alpha": 16, "target_modules": ["query", "value"], "task_type": "SEQ_CLS", **options}
        model = XLMRobertaForSequenceClassification.from_pretrained(encoder, num_labels=3)
        wrapped = peft.get_peft_model(model, peft.LoraConfig(**options))
        randomise(wrapped, "lora_")
        wrapped.peft_config["default"].base_model_name_or_path = "tiny"
        wrapped.save_pretrained(out, save_embedding_layers=False)
    return wrapped.eval()


def make_adapterhub(encoder: Path, out: Path, method: str = "seq_bn", **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import adapters

        classes = {"seq_bn": adapters.SeqBnConfig, "double_seq_bn": adapters.DoubleSeqBnConfig}
        model = XLMRobertaModel.from_pretrained(encoder, add_pooling_layer=False)
        adapters.init(model)
        model.add_adapter("mnli", config=classes[method](**{"reduction_factor": 4, **options}))
        randomise(model, "mnli")
        model.set_active_adapters("mnli")
        model.save_adapter(str(out), "mnli", use_safetensors=True)
    change_config(out, model_name="tiny")
    return model.eval()


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def publish(hub: StandInHub, folder: Path, card: bytes = CARD) -> str:
    return f"hub:other/adapter@{hub.commit('other/adapter', files_of(folder, **{'README.md': card}))}"


IDS = torch.tensor([[0, 7, 8, 9, 2, 1], [0, 10, 11, 12, 13, 2]])


def reuse_model(study: StudyFiles, root: Path, text: str) -> Any:
    """The model of the reuse stage of a recipe; the backbone comes from the study."""
    recipe = root / "reuse-study.yaml"
    recipe.write_text(text)
    files = StudyFiles(recipe, study.store)
    plan, store = files.plan(), Store(study.store)
    (stage,) = [stage for stage in plan.stages.values() if stage.kind == "reuse_intermediate"]
    run_stage(store, stage, plan, training_tools())
    backbone = load_backbone(stage.identity["backbone"], store.folder(plan.stages[stage.inputs["backbone"]]))
    return load_model(store.folder(stage), backbone, make_head=lambda part: pytest.fail("it has no head"))


def same_hidden_states(ours: Any, theirs: Any) -> None:
    mask = IDS.ne(1).long()
    with torch.inference_mode():
        found = ours(IDS, mask)
        bare = ours.loaded.model(IDS, mask).last_hidden_state
        expected = theirs(input_ids=IDS, attention_mask=mask).last_hidden_state
    real = mask.bool()
    assert float((found - expected)[real].abs().max()) <= 1e-5
    assert float((found - bare)[real].abs().max()) > 1e-2


@pytest.mark.parametrize("options", [{}, {"use_rslora": True}, {"use_dora": True}, {"lora_alpha": 8}])
def test_a_lora_of_peft(study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, options: Any) -> None:
    theirs = make_peft(encoder, tmp_path / "made", **options)
    method = "rslora" if "use_rslora" in options else "dora" if "use_dora" in options else "lora"
    place = publish(hub, tmp_path / "made")
    ours = reuse_model(study, tmp_path, reusing(place, adapter=f"{{method: {method}, rank: 4}}"))
    same_hidden_states(ours, theirs.base_model.model.roberta)


IA3_MAPS = r"encoder\.layer\.\d+\.(attention\.self\.key|attention\.self\.value|output\.dense)"


def make_ia3(encoder: Path, out: Path, **options: Any) -> Any:
    """An IA3 as peft makes it around a bare encoder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import peft

        options = {"target_modules": IA3_MAPS, "feedforward_modules": r".*\d+\.output\.dense", **options}
        model = XLMRobertaModel.from_pretrained(encoder, add_pooling_layer=False)
        wrapped = peft.get_peft_model(model, peft.IA3Config(**options))
        randomise(wrapped, "ia3_")
        wrapped.peft_config["default"].base_model_name_or_path = "tiny"
        wrapped.save_pretrained(out, save_embedding_layers=False)
    return wrapped.eval()


def make_vera(encoder: Path, ours: Path, out: Path) -> Any:
    """A VeRA that peft trained further from one of ours: only with our projections can it come back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import peft

        model = XLMRobertaModel.from_pretrained(encoder, add_pooling_layer=False)
        wrapped = peft.PeftModel.from_pretrained(model, ours, is_trainable=True)
        randomise(wrapped, "vera_lambda")
        wrapped.peft_config["default"].base_model_name_or_path = "tiny"
        wrapped.save_pretrained(out, save_embedding_layers=False)
    return wrapped.eval()


def test_an_ia3_of_peft(study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path) -> None:
    theirs = make_ia3(encoder, tmp_path / "made")
    text = reusing(publish(hub, tmp_path / "made"), adapter="{method: ia3}")
    same_hidden_states(reuse_model(study, tmp_path, text), theirs.base_model.model)


@pytest.mark.parametrize(
    ("maps", "reason"),
    [
        (IA3_MAPS.replace("key", "query"), "unknown .*query"),
        (IA3_MAPS.replace("|output", "|attention.output"), "missing .*ffn_out|unknown .*attention.output"),
    ],
)
def test_another_ia3(study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, maps: str, reason: str) -> None:
    make_ia3(encoder, tmp_path / "made", target_modules=maps)
    text = reusing(publish(hub, tmp_path / "made"), adapter="{method: ia3}")
    assert re.search(reason, refusal(study, tmp_path, text))


def test_a_vera_with_our_projections(
    study: StudyFiles, methods: Make, hub: StandInHub, encoder: Path, tmp_path: Path
) -> None:
    theirs = make_vera(encoder, methods("vera", "sequential") / "t00", tmp_path / "made")
    text = reusing(publish(hub, tmp_path / "made"), adapter="{method: vera, rank: 4}")
    same_hidden_states(reuse_model(study, tmp_path, text), theirs.base_model.model)


@pytest.mark.parametrize("change", ["other", "left out"])
def test_a_vera_with_other_projections(
    study: StudyFiles, methods: Make, hub: StandInHub, encoder: Path, tmp_path: Path, change: str
) -> None:
    make_vera(encoder, methods("vera", "sequential") / "t00", tmp_path / "made")
    path = tmp_path / "made" / "adapter_model.safetensors"
    tensors = load_file(path)
    if change == "other":
        tensors["base_model.vera_A"] += 1e-3
    else:
        del tensors["base_model.vera_A"]
    save_file(tensors, path, metadata={"format": "pt"})
    text = reusing(publish(hub, tmp_path / "made"), adapter="{method: vera, rank: 4}")
    reason = "other random projections" if change == "other" else "VeRA without its projections"
    assert reason in refusal(study, tmp_path, text)


@pytest.mark.parametrize("method", ["seq_bn", "double_seq_bn"])
def test_a_bottleneck_of_adapterhub(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, method: str
) -> None:
    theirs = make_adapterhub(encoder, tmp_path / "made", method)
    text = reusing(publish(hub, tmp_path / "made"), adapter=f"{{method: {method}, reduction_factor: 4}}")
    same_hidden_states(reuse_model(study, tmp_path, text), theirs)


def test_training_goes_on_from_a_foreign_adapter(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path
) -> None:
    make_adapterhub(encoder, tmp_path / "made")
    card = CARD.replace(b"mit", b"cc-by-sa-4.0")
    text = reusing(publish(hub, tmp_path / "made", card), variants="sequential, stack, fuse")
    mine = make_study(tmp_path, text, store=study.store, scores=False)
    plan, store = mine.plan(), Store(mine.store)
    folders = {
        stage.labels["variant"]: store.folder(stage)
        for stage in plan.stages.values()
        if stage.kind in ("train_target", "train_fusion") and stage.labels["intermediate"] != "none"
    }
    assert set(folders) == {"sequential", "stack", "fuse"}
    stored = load_file(tmp_path / "made" / "adapter.safetensors")
    down = next(
        tensor for name, tensor in stored.items() if name.endswith("layer.0.output.adapters.mnli.adapter_up.weight")
    )
    for variant, part in (("stack", "i00"), ("fuse", "i00")):
        kept = load_file(folders[variant] / "model.safetensors")[f"adapters.{part}.0.up.weight"]
        assert torch.equal(kept, down), variant
    moved = load_file(folders["sequential"] / "model.safetensors")["adapters.t00.0.up.weight"]
    assert 0 < float((moved - down).abs().max()) < 1.0
    (wanted,) = choose(mine.plan("variant=stack", "intermediate=world-nli"))
    folder, manifest = make_bundle(plan, store, wanted, tmp_path / "out")
    assert manifest.license == "cc-by-sa-4.0"
    (pretrain,) = [stage for stage in plan.stages.values() if stage.kind == "pretrain"]
    assert open_bundle(folder, backbone=store.folder(pretrain)).difference == 0.0


# What is refused


def refusal(study: StudyFiles, root: Path, text: str) -> str:
    with pytest.raises(AdapterxferError) as caught:
        reuse_model(study, root, text)
    return str(caught.value)


def test_every_difference_is_named_at_once(study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path) -> None:
    make_peft(encoder, tmp_path / "made", r=2, target_modules=["query"])
    change_config(tmp_path / "made", base_model_name_or_path="FacebookAI/xlm-roberta-large", revision="v2")
    message = refusal(
        study, tmp_path, reusing(publish(hub, tmp_path / "made", b"no metadata"), adapter="{method: lora, rank: 4}")
    )
    for part in (
        "adapter of size 2 (bottleneck or rank); the recipe asks for 4",
        "trained on backbone 'FacebookAI/xlm-roberta-large'; the recipe's is tiny",
        "its licence is unstated",
    ):
        assert part in message


PEFT_REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"target_modules": ["query", "key"]}, "unknown .*key"),
    ({"target_modules": ["query"]}, "missing .*value"),
    ({"layers_to_transform": [0]}, r"layers_to_transform is \[0\]"),
    ({"use_dora": True}, "use_dora is True; lora has False"),
    ({"rank_pattern": {"query": 2}}, "rank_pattern is"),
]


@pytest.mark.parametrize(("options", "reason"), PEFT_REFUSALS)
def test_another_lora(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, options: dict[str, Any], reason: str
) -> None:
    make_peft(encoder, tmp_path / "made", **options)
    text = reusing(publish(hub, tmp_path / "made"), adapter="{method: lora, rank: 4}")
    assert re.search(reason, refusal(study, tmp_path, text))


ADAPTERHUB_REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"non_linearity": "gelu"}, "non_linearity is 'gelu'; seq_bn has 'relu'"),
    ({"reduction_factor": 2}, r"adapter of size 12 \(bottleneck or rank\); the recipe asks for 6"),
    ({"inv_adapter": "nice", "inv_adapter_reduction_factor": 2}, "inv_adapter is 'nice'"),
    ({"leave_out": [1]}, r"leave_out is \[1\]"),
    ({"scaling": 4.0}, "scaling is 4.0; seq_bn has 1.0"),
]


@pytest.mark.parametrize(("options", "reason"), ADAPTERHUB_REFUSALS)
def test_another_bottleneck(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, options: dict[str, Any], reason: str
) -> None:
    make_adapterhub(encoder, tmp_path / "made", **options)
    assert re.search(reason, refusal(study, tmp_path, reusing(publish(hub, tmp_path / "made"))))


def test_an_adapter_of_another_backbone_of_the_same_name(study: StudyFiles, hub: StandInHub, tmp_path: Path) -> None:
    """Same name, other sizes: AdapterHub's file names the width, and the weights show the layers."""
    tools = training_tools()
    for hidden, layers, reason in (
        (16, 2, "hidden size 16; backbone 'tiny' has 24"),
        (24, 3, "it has 3 layers; backbone 'tiny' has 2"),
    ):
        root = tmp_path / f"{hidden}-{layers}"
        tools.write_backbone(root / "backbone", hidden=hidden, layers=layers)
        make_adapterhub(root / "backbone", root / "made")
        assert reason in refusal(study, tmp_path, reusing(publish(hub, root / "made")))


def test_our_bundle_of_another_backbone_or_task(
    study: StudyFiles, hub: StandInHub, bundle: Make, ours: str, tmp_path: Path
) -> None:
    pos = push(bundle("stack", "world-pos", intermediate="none"), "org/pos").commit
    assert "trained on world-pos; the recipe asks for world-nli" in refusal(
        study, tmp_path, reusing(f"hub:org/pos@{pos}")
    )
    stack = push(bundle("stack"), "org/stack").commit
    message = refusal(study, tmp_path, reusing(f"hub:org/stack@{stack}"))
    assert "it is a bundle of variant 'stack' with 2 adapters; one adapter is needed" in message
    full = push(bundle("full-ft"), "org/full").commit
    assert "variant 'full-ft' with no adapter" in refusal(study, tmp_path, reusing(f"hub:org/full@{full}"))
    wide = reusing(ours, adapter="{method: seq_bn, reduction_factor: 2}")
    assert "adapter of size 6 (bottleneck or rank); the recipe asks for 12" in refusal(study, tmp_path, wide)
    lora = reusing(ours, adapter="{method: lora, rank: 4}")
    assert "adapter method seq_bn; the recipe asks for lora" in refusal(study, tmp_path, lora)
    seeded = reusing(ours).replace("learning_rate: 1e-3\ntrain", "learning_rate: 1e-3\n  seed: 9\ntrain")
    assert seeded != reusing(ours)
    tools, files = training_tools(), StudyFiles(tmp_path / "other.yaml", tmp_path / "store")
    files.recipe.write_text(seeded)
    plan, store = files.plan(), Store(files.store)
    for stage in plan.stages.values():
        if stage.kind in ("prepare", "pretrain"):
            run_stage(store, stage, plan, _OtherBackbone(tools))  # type: ignore[arg-type]
    (stage,) = [stage for stage in plan.stages.values() if stage.kind == "reuse_intermediate"]
    with pytest.raises(BundleError, match=r"with fingerprint \w{16}; backbone 'tiny' has \w{16}"):
        run_stage(store, stage, plan, tools)


class _OtherBackbone:
    """The tools, but a backbone with other weights."""

    def __init__(self, tools: Any) -> None:
        self._tools = tools

    def write_backbone(self, folder: Path, **sizes: int) -> Path:
        return Path(self._tools.write_backbone(folder, **sizes, seed=7))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tools, name)


@pytest.mark.parametrize(
    ("card", "accepted", "reason"),
    [
        (b"---\nlicense: cc-by-sa-4.0\n---\n", "", ""),
        (b"---\nlicense: cc-by-nc-4.0\n---\n", "", "its licence is cc-by-nc-4.0 (non-commercial); if you may use it"),
        (b"---\nlicense: cc-by-nc-4.0\n---\n", "cc-by-nc-4.0", ""),
        (b"---\nlicense: cc-by-nc-4.0\n---\n", "mit", "its licence is cc-by-nc-4.0; the recipe accepts mit"),
        (b"# nothing", "", "its licence is unstated"),
        (b"# nothing", "unstated", ""),
        (b"---\nlicense: [a, b]\n---\n", "", "its licence is unstated"),
        (b"---\nlicense: {x: &a [*a]}\n---\n", "", "its licence is unstated"),
    ],
)
def test_licences(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, card: bytes, accepted: str, reason: str
) -> None:
    make_adapterhub(encoder, tmp_path / "made")
    more = f", licence: {accepted}" if accepted else ""
    text = reusing(publish(hub, tmp_path / "made", card), more=more)
    if reason:
        assert reason in refusal(study, tmp_path, text)
    else:
        assert reuse_model(study, tmp_path, text).composition.variant == "adapter"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda files: files.pop("adapter.safetensors"), "neither a bundle of adapterxfer"),
        (lambda files: files.update({"pytorch_adapter.bin": files.pop("adapter.safetensors")}),
         "weights are in pytorch_adapter.bin, a format that can hold code"),
        (lambda files: files.update({"adapter.safetensors": b"\xff" * 100}), "not a safetensors file"),
        (lambda files: files.update({"adapter_config.json": b"[]"}), "is not a JSON object"),
        (lambda files: files.update({"adapter_config.json": b"{" * 9}), "not valid JSON"),
    ],
)  # fmt: skip
def test_what_is_no_adapter(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, spoil: Callable[[dict[str, bytes]], Any],
    reason: str,
) -> None:  # fmt: skip
    make_adapterhub(encoder, tmp_path / "made")
    files = files_of(tmp_path / "made", **{"README.md": CARD})
    spoil(files)
    place = f"hub:other/adapter@{hub.commit('other/adapter', files)}"
    assert reason in refusal(study, tmp_path, reusing(place))


class TestFetching:
    @pytest.fixture(autouse=True)
    def _published(self, hub: StandInHub, encoder: Path, tmp_path: Path) -> None:
        make_adapterhub(encoder, tmp_path / "made")
        text = publish(hub, tmp_path / "made")
        self.place = HubPlace("other/adapter", text.rpartition("@")[2])

    def test_a_warm_cache_asks_nobody(self, hub: StandInHub) -> None:
        first = fetch_published(self.place)
        before = len(hub.requests)
        hub.stop()
        assert fetch_published(self.place) == first
        assert len(hub.requests) == before

    def test_a_damaged_cache_is_fetched_anew(self, hub: StandInHub) -> None:
        first = fetch_published(self.place)
        assert first.weights is not None
        whole = first.weights.read_bytes()
        first.weights.write_bytes(whole[:-4])
        again = fetch_published(self.place)
        assert again.weights is not None
        assert again.weights.read_bytes() == whole

    @pytest.mark.parametrize("kind", ["drop", "truncate", "corrupt"])
    def test_a_broken_download_is_repeated(self, hub: StandInHub, kind: str) -> None:
        hub.fail("GET", "/resolve/.*adapter.safetensors", kind)
        found = fetch_published(self.place)
        assert found.weights is not None
        assert found.weights.read_bytes() == hub.files("other/adapter")["adapter.safetensors"]

    def test_a_hub_that_lies(self, hub: StandInHub, tmp_path: Path) -> None:
        hub.fail("GET", "/resolve/.*adapter.safetensors", "corrupt", times=99)
        with pytest.raises(BundleError, match="do not match the hash it lists"):
            fetch_published(self.place)
        assert not list((tmp_path / "pulled" / ".adapters").rglob("adapter.safetensors"))

    @pytest.mark.parametrize(
        ("status", "reason"), [(401, "token"), (500, "the Hub failed"), (429, "too many requests")]
    )
    def test_a_hub_that_refuses(self, hub: StandInHub, status: int, reason: str) -> None:
        hub.fail("GET", "/api/models/", status=status, times=99)
        with pytest.raises(HubError, match=reason):
            fetch_published(self.place, sleep=lambda seconds: None)

    def test_a_commit_that_does_not_exist(self, hub: StandInHub) -> None:
        with pytest.raises(HubError, match="no such revision"):
            fetch_published(self.place._replace(revision=SHA))


# The recipe


def problems(text: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, "r.yaml")
    return [f"{p.line}: {p.message}" for p in caught.value.problems]


PLACE = f"hub:org/name@{SHA}"


def test_identity_holds_the_commit_and_nothing_else_moves() -> None:
    plans = [build_plan(parse_recipe(reusing(place))) for place in (PLACE, PLACE[:-1] + "0")]
    plain = build_plan(parse_recipe(SMALL.replace("VARIANTS", "stack").replace("TARGETS", "world-xnli")))
    one, other = (next(s for s in plan.stages.values() if s.kind == "reuse_intermediate") for plan in plans)
    assert one.key != other.key
    assert one.identity["from"] == {"repository": "org/name", "commit": SHA}
    assert "licence" not in one.identity
    shared = {key for key, stage in plain.stages.items() if stage.labels.get("intermediate") == "none"}
    assert shared
    assert shared < plans[0].stages.keys(), "what does not rest on the adapter keeps its key"
    assert not any("world-nli" in stage.inputs.values() for stage in plans[0].stages.values())
    assert "data.world-nli" not in {role for stage in plans[0].stages.values() for role in stage.inputs}


def test_the_recipe_is_written_back_whole() -> None:
    recipe = parse_recipe(reusing(PLACE, more=", licence: mit"))
    assert recipe.resolved()["reuse"] == {"world-nli": {"from": PLACE, "licence": "mit"}}
    again = parse_recipe(json.dumps(recipe.resolved()))
    assert again.digest == recipe.digest
    plain = parse_recipe(SMALL.replace("VARIANTS", "stack").replace("TARGETS", "world-xnli"))
    assert "reuse" not in plain.resolved()


@pytest.mark.parametrize(
    "place", ["hub:org/name", "hub:org/name@main", "org/name@" + SHA, "hub:org/name@" + SHA[:12], "hub:o/../n@" + SHA]
)
def test_a_place_that_is_not_pinned(place: str) -> None:
    (message,) = problems(reusing(place))
    assert message.startswith("6: reuse.world-nli.from = ")
    assert "with all 40 digits of the commit" in message


def test_contradictions_are_named() -> None:
    two = reusing(PLACE).replace("series: {tiny:", "series: {big: {hidden: 48, layers: 2, heads: 2}, tiny:")
    two = two.replace("backbones: [tiny]", "backbones: [tiny, big]")
    assert any("an adapter fits one backbone" in line for line in problems(two))
    assert any("unknown key" in line for line in problems(reusing(PLACE, more=", revison: x")))
    assert any("is not one of" in line for line in problems(reusing(PLACE).replace("name: world-nli", "name: wnli")))
    several = reusing(PLACE).replace("reduction_factor: 4}", "reduction_factor: 4}, {method: lora, rank: 2}")
    assert any("one method and size" in line for line in problems(several))
    assert any("variants with adapters only" in line for line in problems(reusing(PLACE, variants="full-ft")))
    elsewhere = two.replace(PLACE, f"{{medium: '{PLACE}'}}")
    assert any("backbone 'medium' is not one of: tiny, big" in line for line in problems(elsewhere))


def test_one_place_for_each_backbone_and_the_others_train() -> None:
    text = reusing(f"{{tiny: '{PLACE}'}}").replace(
        "series: {tiny:", "series: {big: {hidden: 48, layers: 2, heads: 2}, tiny:"
    )
    plan = build_plan(parse_recipe(text.replace("backbones: [tiny]", "backbones: [tiny, big]")))
    kinds = {(stage.kind, stage.labels["backbone"]) for stage in plan.stages.values() if "intermediate" in stage.kind}
    assert kinds == {("reuse_intermediate", "tiny"), ("train_intermediate", "big")}


def test_full_fine_tuning_cannot_start_from_an_adapter() -> None:
    plan = build_plan(parse_recipe(reusing(PLACE, variants="full-ft, stack")))
    assert [(r.variant, r.intermediate) for r in plan.refused] == [("full-ft", "world-nli")]
    assert "published adapter" in plan.refused[0].reason
    assert {(c.variant, c.intermediate) for c in plan.cells} == {
        ("full-ft", "none"), ("stack", "none"), ("stack", "world-nli")
    }  # fmt: skip


def test_data_of_a_reused_task_are_not_needed() -> None:
    recipe = parse_recipe(reusing(PLACE))
    assert list(recipe.used_tasks()) == ["world-xnli"]
