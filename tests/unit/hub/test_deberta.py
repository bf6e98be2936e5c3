"""Bundles on a DeBERTa-v2 encoder, the architecture of mDeBERTa, that the recipe names as a folder."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_study import METHODS_RECIPE, StudyFiles, make_study, training_tools
from stand_in_hub import StandInHub
from test_methods import run_as_the_card_says

from adapterxfer import load_bundle
from adapterxfer.backbones.reading import library_class
from adapterxfer.cli.main import main
from adapterxfer.hub.addresses import parse_address
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.making import make_bundle
from adapterxfer.hub.pulling import pull
from adapterxfer.hub.pushing import push
from adapterxfer.store.store import Store
from adapterxfer.variants.storage import read_weights

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

METHODS = ("{method: seq_bn, reduction_factor: 6}", "{method: double_seq_bn, reduction_factor: 6}",
           "{method: par_bn, reduction_factor: 6}", "{method: lora, rank: 4}", "{method: dora, rank: 4}",
           "{method: ia3}")  # fmt: skip
NATIVE = [
    ("seq_bn", "sequential"), ("seq_bn", "stack"), ("seq_bn", "fuse"), ("double_seq_bn", "stack"),
    ("par_bn", "sequential"), ("lora", "sequential"), ("lora", "stack"), ("dora", "stack"), ("ia3", "stack"),
]  # fmt: skip
Bundle = Callable[..., Path]


def write_deberta(folder: Path) -> None:
    """A random encoder with the settings of mDeBERTa, saved as its library saves it with a head."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import DebertaV2Config, PreTrainedTokenizerFast

    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", *training_tools().WORDS]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    special = {"pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "unk": "[UNK]", "mask": "[MASK]"}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{f"{name}_token": token for name, token in special.items()}
    ).save_pretrained(folder)
    config = DebertaV2Config(
        vocab_size=len(words), hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=64, type_vocab_size=0, initializer_range=0.15, pad_token_id=0, relative_attention=True,
        position_buckets=8, norm_rel_ebd="layer_norm", share_att_key=True, pos_att_type="p2c|c2p",
        position_biased_input=False,
    )  # fmt: skip
    torch.manual_seed(1)
    library_class("DebertaV2ForMaskedLM")(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyFiles:
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("deberta-study")
    write_deberta(root / "encoder")
    before, rest = METHODS_RECIPE.split("pretrain:\n")
    text = before + f"backbone_sources: {{tiny: {{folder: {root / 'encoder'}}}}}\ntrain:\n" + rest.split("train:\n")[1]
    text = text.replace("variants: [sequential, stack]", "variants: [sequential, stack, fuse]")
    unused = "{variant: [fuse], adapter: [double_seq_bn, par_bn, lora, dora, ia3], because: one is enough}"
    text = text.replace("controls: false", f"exclude:\n  - {unused}\ncontrols: false")
    text = text.replace("  adapters: {learning", "  fuse: {learning_rate: 1e-2}\n  adapters: {learning")
    return make_study(root, text.replace("ADAPTERS", ", ".join(METHODS)), scores=False)


@pytest.fixture(scope="module")
def deberta(study: StudyFiles, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """``deberta(method, variant)`` -> folder of a bundle, with its encoder unless ``full=False``."""
    root = tmp_path_factory.mktemp("deberta-bundles")

    def get(method: str, variant: str, *, full: bool = True, phase: Any = "target") -> Path:
        (wanted,) = choose(study.plan(f"variant={variant}", f"adapter={method}", "intermediate=world-nli"), phase=phase)
        out = root / ("full" if full else "bare")
        if not (out / wanted.name).is_dir():
            make_bundle(study.plan(), Store(study.store), wanted, out, full_weights=full)
        return out / wanted.name

    return get


IDS = torch.tensor([[1, 7, 8, 9, 2, 0], [1, 10, 11, 12, 13, 2]])


@pytest.mark.parametrize(("method", "variant"), NATIVE)
def test_the_code_on_the_card_gives_the_same_hidden_states(deberta: Bundle, method: str, variant: str) -> None:
    folder = deberta(method, variant)
    opened = open_bundle(folder)
    assert opened.difference == 0.0
    assert opened.manifest.library == ("adapters" if method.endswith("_bn") else "peft")
    theirs, mask = run_as_the_card_says(folder), IDS.ne(0).long()
    with torch.inference_mode():
        ours, bare = opened.model(IDS, mask), opened.model.loaded.model(IDS, mask).last_hidden_state
        found = theirs(input_ids=IDS, attention_mask=mask).last_hidden_state
    real = mask.bool()
    assert float((ours - found)[real].abs().max()) <= 1e-5
    assert float((ours - bare)[real].abs().max()) > 1e-3, "the adapters must matter, or agreement says nothing"


def test_adapters_would_write_the_same_configuration(deberta: Bundle, tmp_path: Path) -> None:
    folder = deberta("seq_bn", "fuse")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = run_as_the_card_says(folder)
        model.save_adapter_setup(str(tmp_path / "again"), model.active_adapters, use_safetensors=True)
    written = sorted(path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*.json"))
    assert len(written) == 4
    for name in written:
        ours, theirs = (json.loads((place / name).read_text()) for place in (folder, tmp_path / "again"))
        for content in (ours, theirs):
            content.pop("model_name", None)
        assert ours == theirs, name


def test_push_pull_and_answer(deberta: Bundle, study: StudyFiles, hub: StandInHub) -> None:
    folder = deberta("seq_bn", "stack", full=False)
    pulled = pull(parse_address(f"org/name@{push(folder, 'org/name').commit}"))
    encoder = study.recipe.parent / "encoder"
    texts = [("red cat", "the dog sees"), ("old house", "the road")]
    first, again = (load_bundle(place, backbone=encoder).classify(texts) for place in (str(folder), str(pulled.folder)))
    for one, other in zip(first, again, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)


def test_the_command_finds_and_verifies_with_the_folder(
    study: StudyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "bundle",
        str(study.recipe),
        "--store",
        str(study.store),
        "--out",
        str(tmp_path),
        "--only",
        "variant=stack",
    ]
    assert main([*words, "--only", "adapter=seq_bn", "--only", "intermediate=world-nli"]) == 0
    said = capsys.readouterr().out
    assert "verified, logits differ by 0" in said
    assert "its backbone was given as a folder by the recipe and is not in it" in said
    (folder,) = tmp_path.iterdir()
    recipe = json.loads((folder / "recipe.json").read_text())
    assert recipe["backbone_sources"]["tiny"]["folder"] == "FOLDER OF tiny"
    for path in folder.rglob("*.*"):
        assert str(study.recipe.parent).encode() not in path.read_bytes(), path.name


@pytest.mark.parametrize("method", ["seq_bn", "lora"])
def test_an_intermediate_adapter_is_reused(
    deberta: Bundle, study: StudyFiles, hub: StandInHub, tmp_path: Path, method: str
) -> None:
    """Ours, and the same folder as `adapters` and peft publish it, without our files."""
    made = deberta(method, "stack", full=False, phase="intermediate")
    mine = push(made, "org/nli").commit
    (part,) = [path.parent for path in made.rglob("adapter_config.json")]
    files = {path.name: path.read_bytes() for path in part.iterdir()}
    theirs = hub.commit("other/nli", {**files, "README.md": b"---\nlicense: mit\n---\n"})
    spec = next(line for line in METHODS if f"method: {method}," in line)
    found = []
    for place in (f"org/nli@{mine}", f"other/nli@{theirs}"):
        text = study.recipe.read_text().replace("none, world-nli]", f"none, {{name: world-nli, from: 'hub:{place}'}}]")
        lines = [line for line in text.splitlines() if not line.startswith(("exclude", "  - {variant", "adapters:"))]
        text = "\n".join(lines).replace("sequential, stack, fuse", "stack") + f"\nadapters: [{spec}]\n"
        (root := tmp_path / place[:3]).mkdir()
        again = make_study(root, text, scores=False, store=study.store)
        (stage,) = [s for s in again.plan().stages.values() if s.kind == "reuse_intermediate"]
        found.append(read_weights(Store(again.store).folder(stage)))
    found = [{n: t for n, t in state.items() if n.startswith("adapters.")} for state in found]
    assert found[0].keys() == found[1].keys() != set()
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
