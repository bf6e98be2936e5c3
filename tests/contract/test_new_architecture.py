"""An encoder added as CONTRIBUTING.md says: one entry of the table of architectures."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import torch
from contributing import arguments, blocks
from safetensors.torch import save_file

import adapterxfer.world
from adapterxfer.backbones.loading import load_backbone
from adapterxfer.catalog.architectures import ARCHITECTURES, Architecture, bert_family
from adapterxfer.catalog.capabilities import capabilities, capability
from adapterxfer.catalog.methods import METHODS
from adapterxfer.cli.main import main
from adapterxfer.plan import build_plan
from adapterxfer.recipe import load_recipe
from adapterxfer.variants.assertions import check
from adapterxfer.variants.measures import AssertionInput

NAME = "ernie"
ENTRY_TEXT, MAKE = blocks("Add a backbone architecture")
ENTRY = Architecture(**arguments(ENTRY_TEXT, **vars(bert_family)))
RECIPE = """
recipe: 1
name: own-encoder
title: An encoder from a folder
backbones: [mine]
backbone_sources: {mine: {folder: FOLDER}}
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [VARIANT]
adapters: [ADAPTER]
seeds: [1]
train:
  default: {batch_size: 8, warmup_fraction: 0.1, schedule: linear, weight_decay: 0.0, max_length: 32, steps: 3}
  adapters: {learning_rate: 1e-2}
  fuse: {learning_rate: 1e-2}
"""


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(ARCHITECTURES, NAME, ENTRY)
    return NAME


@pytest.fixture(scope="module")
def tools() -> ModuleType:
    """The helpers of the variants' tests, which make tiny random encoders."""
    path = Path(__file__).parents[1] / "unit" / "variants" / "conftest.py"
    spec = importlib.util.spec_from_file_location("variant_tools", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recipe(folder: Path, variant: str, adapter: str, model_type: str = NAME) -> str:
    """A recipe on a folder as `save_pretrained` leaves it, with one small matrix for weights."""
    folder.mkdir(exist_ok=True)
    config = {"model_type": model_type, "hidden_size": 32, "num_hidden_layers": 2, "max_position_embeddings": 64}
    (folder / "config.json").write_text(json.dumps(config))
    save_file({"embeddings.word_embeddings.weight": torch.zeros(4, 32)}, folder / "model.safetensors")
    shutil.copy(Path(adapterxfer.world.__file__).parent / "tokenizer" / "tokenizer.json", folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<pad>"}))
    text = RECIPE.replace("FOLDER", str(folder)).replace("VARIANT", variant).replace("ADAPTER", adapter)
    (folder / "recipe.yaml").write_text(text)
    return str(folder / "recipe.yaml")


LORA, PREFIX = "{method: lora, rank: 4}", "{method: prefix, prefix_length: 4}"


def test_check_refuses_what_cannot_be_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(ARCHITECTURES, NAME, raising=False)
    assert main(["check", recipe(tmp_path / "mine", "stack", LORA)]) == 2
    says = capsys.readouterr().err
    assert f"backbone 'mine' is a '{NAME}' encoder; known are {', '.join(ARCHITECTURES)}" in says
    assert "Traceback" not in says


@pytest.mark.parametrize(
    ("variant", "adapter", "because"),
    [
        ("fuse", LORA, "AdapterFusion mixes bottlenecks"),
        ("stack", PREFIX, "own forward pass only"),
        ("merge", "{method: dora, rank: 4}", "it divides by row lengths"),
    ],
)
def test_check_refuses_what_it_cannot_do(
    added: str, variant: str, adapter: str, because: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", recipe(tmp_path / "mine", variant, adapter)]) == 2
    assert because in capsys.readouterr().err
    assert main(["check", recipe(tmp_path / "mine", "stack", LORA)]) == 0


def test_a_folder_decides_for_a_name_of_the_catalogue_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(recipe(tmp_path / "mine", "stack", PREFIX, "deberta-v2"))
    path.write_text(path.read_text().replace("mine]", "xlm-r-base]").replace("{mine:", "{xlm-r-base:"))
    assert main(["check", str(path)]) == 2
    assert "own forward pass only" in capsys.readouterr().err


def test_the_recipe_of_the_page_is_planned(added: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(MAKE, {})
    (text,) = blocks("Add a backbone architecture", "yaml")
    (tmp_path / "ernie.yaml").write_text(text)
    assert main(["check", "ernie.yaml"]) == 0
    plan = build_plan(load_recipe("ernie.yaml"))
    assert {cell.variant for cell in plan.cells if not cell.control} == {"stack", "full-ft"}
    identity = next(stage.identity["backbone"] for stage in plan.stages.values() if stage.kind == "train_target")
    assert load_backbone(identity, tmp_path / "my-ernie").layers == 2


def test_every_method_has_its_cells(added: str) -> None:
    cells = [cell for cell in capabilities().values() if cell.architecture == added]
    assert {cell.method for cell in cells} == {"", *METHODS}
    assert [cell.method for cell in cells if cell.composition == "stack" and not cell.works] == ["prefix"]
    assert capability(added, "seq_bn", "language").works


@pytest.mark.parametrize(
    ("variant", "method"),
    [("head-only", "seq_bn"), ("full-ft", "seq_bn"), ("fuse", "seq_bn"), *(("stack", name) for name in METHODS)],
)
def test_it_is_built_under_every_assertion(added: str, tools: ModuleType, variant: str, method: str) -> None:
    if variant == "stack" and not capability(added, method, variant).works:
        return
    evidence: AssertionInput = tools.make_evidence(variant, method, added)
    assert check("built", evidence)
