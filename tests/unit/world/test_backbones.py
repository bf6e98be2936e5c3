import hashlib
import json
import struct
from pathlib import Path

import pytest

from adapterxfer.errors import BackboneError
from adapterxfer.world import recipe
from adapterxfer.world.backbones import backbone_folder, backbone_index, backbones_folder

INDEX = backbone_index()


def header(path: Path) -> dict[str, dict[str, object]]:
    """Names, types and shapes of a safetensors file, without reading its tensors."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        found: dict[str, dict[str, object]] = json.loads(file.read(length))
    found.pop("__metadata__", None)
    return found


def count(shape: object) -> int:
    total = 1
    for size in shape:  # type: ignore[attr-defined]
        total *= size
    return total


def test_every_backbone_of_the_recipe_is_stored() -> None:
    assert list(INDEX) == list(recipe.BACKBONES)


@pytest.mark.parametrize("name", INDEX)
def test_files_are_those_of_the_index(name: str) -> None:
    entry, folder = INDEX[name], backbone_folder(name)
    for file, key in (("model.safetensors", "fingerprint"), ("config.json", "config_fingerprint")):
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == entry[key]
    tensors = header(folder / "model.safetensors")
    assert {tensor["dtype"] for tensor in tensors.values()} == {"F16"}
    assert not [tensor for tensor in tensors if tensor.startswith("lm_head.decoder")]
    encoder = {tensor: facts for tensor, facts in tensors.items() if tensor.startswith("roberta.")}
    assert sum(count(facts["shape"]) for facts in encoder.values()) == entry["parameters"]
    tables = [facts["shape"] for tensor, facts in encoder.items() if tensor.endswith("embeddings.weight")]
    assert entry["parameters"] - sum(map(count, tables)) == entry["non_embedding_parameters"]
    shape = recipe.SIZES[entry["size"]]
    assert (entry["hidden"], entry["layers"], entry["heads"]) == (shape.hidden, shape.layers, shape.heads)


def test_one_recipe_for_all_sizes() -> None:
    records = [json.loads((backbone_folder(name) / "pretraining.json").read_text()) for name in INDEX]
    own = {"hidden", "layers", "heads", "learning_rate", "seed"}
    shared = [{key: value for key, value in record["settings"].items() if key not in own} for record in records]
    assert all(settings == shared[0] for settings in shared)
    assert len({record["steps"] for record in records if record["settings"]["seed"] == 1}) == 1


@pytest.mark.parametrize("name", INDEX)
def test_the_rate_is_the_best_of_the_grid(name: str) -> None:
    grid = {float(rate): loss for rate, loss in INDEX[name]["learning_rate_grid"].items()}
    assert tuple(sorted(grid)) == recipe.RATES
    assert INDEX[name]["learning_rate"] == min(grid, key=lambda rate: grid[rate])


@pytest.mark.parametrize("name", INDEX)
def test_backbones_use_context(name: str) -> None:
    entry = INDEX[name]
    assert entry["heldout_mlm"] < entry["heldout_unigram"] - 1.0
    assert entry["heldout_shuffled"] > entry["heldout_mlm"] + 0.5


def test_larger_backbones_fit_the_held_out_text_better() -> None:
    losses = [INDEX[f"world-{size}"]["heldout_mlm"] for size in recipe.SIZES]
    assert losses == sorted(losses, reverse=True)


def test_everything_together_is_small() -> None:
    files = [path for path in backbones_folder().rglob("*") if path.is_file()]
    tokenizer = backbones_folder().parent / "tokenizer" / "tokenizer.json"
    assert sum(path.stat().st_size for path in [*files, tokenizer]) <= 8_000_000
    index = json.loads((backbones_folder() / "index.json").read_text())
    assert index["tokenizer_fingerprint"] == hashlib.sha256(tokenizer.read_bytes()).hexdigest()


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(BackboneError, match="world-nano"):
        backbone_folder("world-huge")
