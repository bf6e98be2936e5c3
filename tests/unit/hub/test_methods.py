"""Bundles of every adapter method: they load to the same numbers, and the library of the method reads them natively."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_study import Make
from transformers import XLMRobertaModel

from adapterxfer.catalog import METHODS
from adapterxfer.errors import BundleError
from adapterxfer.hub.inspection import inspect_bundle
from adapterxfer.hub.library_files import bottleneck_config
from adapterxfer.hub.loading import open_bundle

AVAILABLE = list(METHODS)
NATIVE = [method.name for method in METHODS.values() if method.adapters or method.peft]
VARIANTS = ("sequential", "stack")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("method", AVAILABLE)
def test_every_method_makes_a_bundle_that_answers_the_same(methods: Make, method: str, variant: str) -> None:
    folder = methods(method, variant)
    opened = open_bundle(folder)
    assert opened.difference == 0.0
    parts = opened.manifest.composition.adapters
    assert [part.method for part in parts] == [method] * (2 if variant == "stack" else 1)
    native = opened.manifest.library
    if method in ("lora", "rslora", "dora", "vera", "ia3"):
        assert native == "peft"
    elif method in ("seq_bn", "double_seq_bn", "par_bn"):
        assert native == ("" if (method, variant) == ("par_bn", "stack") else "adapters")
    card = (folder / "README.md").read_text()
    for library, call in (("adapters", "load_adapter_setup"), ("peft", "PeftModel.from_pretrained")):
        assert (call in card) == (native == library)


def ours_and_bare(folder: Path) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    model = open_bundle(folder).model
    ids = torch.tensor([[0, 7, 8, 9, 2, 1], [0, 10, 11, 12, 13, 2]])
    mask = ids.ne(1).long()
    with torch.inference_mode():
        return ids, model(ids, mask), model.loaded.model(ids, mask).last_hidden_state


def run_as_the_card_says(folder: Path) -> Any:
    """The model that the second code block of the card makes."""
    blocks = (folder / "README.md").read_text().split("```python\n")[1:]
    code = next(block.split("```")[0] for block in blocks if "from_pretrained" in block)
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "import adapters" in code:
            pytest.importorskip("adapters")
        exec(code.replace(f'"{folder.name}', f'"{folder}'), names)
    return names["model"].eval()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("method", NATIVE)
def test_the_code_on_the_card_gives_the_same_hidden_states(methods: Make, method: str, variant: str) -> None:
    folder = methods(method, variant)
    if (method, variant) == ("par_bn", "stack"):
        assert "sees the output of the lower one" in (folder / "README.md").read_text()
        return
    ids, ours, bare = ours_and_bare(folder)
    mask = ids.ne(1).long()
    theirs = run_as_the_card_says(folder)
    with torch.inference_mode():
        found = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
    real = mask.bool()
    assert float((ours - found)[real].abs().max()) <= 1e-5
    assert float((ours - bare)[real].abs().max()) > 1e-3, "the adapters must matter, or agreement says nothing"


@pytest.mark.parametrize("method", ["lora", "rslora", "dora", "vera", "ia3"])
def test_peft_would_save_the_same(methods: Make, method: str, tmp_path: Path) -> None:
    """Written by the library again, the weights are equal, and so is every field of the configuration that we write."""
    from safetensors.torch import load_file

    folder = methods(method, "sequential")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from peft import PeftModel

        model = XLMRobertaModel.from_pretrained(folder / "encoder", add_pooling_layer=False)
        wrapped = PeftModel.from_pretrained(model, folder / "t00")
        wrapped.save_pretrained(tmp_path, save_embedding_layers=False)
    ours, theirs = (load_file(place / "adapter_model.safetensors") for place in (folder / "t00", tmp_path))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    written = json.loads((folder / "t00" / "adapter_config.json").read_text())
    again = json.loads((tmp_path / "adapter_config.json").read_text())
    for name, value in written.items():
        found = sorted(again[name]) if isinstance(value, list) else again[name]
        assert found == value, name


@pytest.mark.parametrize("method", NATIVE)
def test_methods_have_the_library_that_they_are_of(method: str) -> None:
    spec = METHODS[method]
    assert (spec.library == "adapters") == (spec.adapters is not None) == (spec.peft is None)
    assert spec.peft is None or spec.peft.alpha in (None, spec.alpha)


def test_the_tables_are_the_librarys() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapters = pytest.importorskip("adapters")

        theirs = {
            "seq_bn": adapters.SeqBnConfig(reduction_factor=3),
            "double_seq_bn": adapters.DoubleSeqBnConfig(reduction_factor=3),
            "par_bn": adapters.ParBnConfig(reduction_factor=3),
        }
    for method, config in theirs.items():
        assert {**bottleneck_config(method), "reduction_factor": 3} == config.to_dict(), method


@pytest.mark.parametrize("method", ["lora", "ia3", "double_seq_bn"])
def test_a_missing_layer_is_refused(methods: Make, method: str, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file
    from test_hostile import reseal

    folder = Path(shutil.copytree(methods(method, "stack"), tmp_path / "copy"))
    (path,) = (folder / "t00").glob("*.safetensors")
    tensors = {name: tensor for name, tensor in load_file(path).items() if ".layer.1." not in name}
    save_file(tensors, path, metadata={"format": "pt"})
    reseal(folder)
    with pytest.raises(BundleError, match="does not fit a backbone with 2 layers of width 24"):
        inspect_bundle(folder)


@pytest.mark.parametrize("method", ["lora", "dora", "vera", "ia3"])
def test_a_tensor_that_does_not_belong_is_refused(methods: Make, method: str, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file
    from test_hostile import reseal

    folder = Path(shutil.copytree(methods(method, "sequential"), tmp_path / "copy"))
    (path,) = (folder / "t00").glob("*.safetensors")
    tensors = load_file(path)
    name = next(name for name in tensors if ".value." in name)
    tensors[name.replace(".value.", ".another.")] = tensors[name].clone()
    save_file(tensors, path, metadata={"format": "pt"})
    reseal(folder)
    with pytest.raises(BundleError, match=r"unknown .*another"):
        open_bundle(folder)
    del tensors[name], tensors[name.replace(".value.", ".another.")]
    save_file(tensors, path, metadata={"format": "pt"})
    reseal(folder)
    with pytest.raises(BundleError, match=r"missing .*value"):
        open_bundle(folder)


def test_vera_with_other_projections_is_refused(methods: Make, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file
    from test_hostile import reseal

    folder = Path(shutil.copytree(methods("vera", "sequential"), tmp_path / "copy"))
    path = folder / "t00" / "adapter_model.safetensors"
    tensors = load_file(path)
    tensors["base_model.vera_A"] += 1e-3
    save_file(tensors, path, metadata={"format": "pt"})
    reseal(folder)
    with pytest.raises(BundleError, match="other random projections"):
        open_bundle(folder)
