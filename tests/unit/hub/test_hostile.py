"""Bundles made to harm or to mislead: each is refused with the reason, and nothing in it is executed."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_study import Make
from safetensors.torch import load_file, save_file

from adapterxfer.errors import AdapterxferError, BundleError
from adapterxfer.hub import layout
from adapterxfer.hub.inspection import inspect_bundle
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.manifest import write_manifest
from adapterxfer.store.files import hash_file

Copy = Callable[..., Path]


@pytest.fixture
def copy(bundle: Make, tmp_path: Path) -> Copy:
    """A bundle to be spoilt."""

    def make(variant: str = "stack", target: str = "world-xnli", **options: Any) -> Path:
        place = tmp_path / f"{variant}-{target}-{len(list(tmp_path.iterdir()))}"
        return Path(shutil.copytree(bundle(variant, target, **options), place))

    return make


def reseal(folder: Path, change: Callable[[dict[str, Any]], None] = lambda content: None) -> None:
    """Make the manifest agree with the folder again, as a careful attacker would."""
    path = folder / layout.MANIFEST
    content = json.loads(path.read_text())
    change(content)
    content["files"] = {
        p.relative_to(folder).as_posix(): dict(hash_file(p))
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p != path
    }
    text = json.dumps({**content, "digest": ""})
    path.write_text(text)
    write_manifest(folder, content)


class Bomb:
    """Unpickling it makes a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.place),)


@pytest.mark.parametrize("name", ["pytorch_adapter.bin", "t00/pytorch_adapter.bin", "model.pt", "weights.pkl"])
def test_a_pickle_beside_the_weights(copy: Copy, tmp_path: Path, name: str) -> None:
    folder = copy()
    (folder / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    with pytest.raises(BundleError, match="a format that can hold code"):
        open_bundle(folder)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", ["heads.safetensors", "t00/adapter.safetensors", "probes.json", "tokenizer.json"])
def test_a_pickle_under_the_name_of_a_safe_file(copy: Copy, tmp_path: Path, name: str) -> None:
    folder = copy()
    (folder / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    reseal(folder)
    with pytest.raises(AdapterxferError, match=r"not a safetensors file|not valid JSON|not a tokenizer"):
        open_bundle(folder)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", ["../outside.json", "/etc/passwd", "a/../../b.json", "C:/x.json", "a\\b.json", "~/x"])
def test_names_that_lead_out(copy: Copy, name: str) -> None:
    folder = copy()
    path = folder / layout.MANIFEST
    content = json.loads(path.read_text())
    content["files"][name] = {"sha256": "0" * 64, "bytes": 0}
    with pytest.raises(BundleError, match="leads out of the bundle"):
        write_manifest(folder, content)


def test_links_are_not_followed(copy: Copy, tmp_path: Path) -> None:
    folder = copy()
    secret = tmp_path / "secret"
    shutil.copy(folder / layout.RECIPE, secret)
    (folder / layout.RECIPE).unlink()
    (folder / layout.RECIPE).symlink_to(secret)
    with pytest.raises(BundleError, match="not a plain file"):
        open_bundle(folder)


def test_a_file_that_belongs_to_no_bundle(copy: Copy) -> None:
    folder = copy()
    (folder / "modeling_custom.py").write_text("raise SystemExit")
    with pytest.raises(BundleError, match=r"modeling_custom\.py: does not belong to a bundle"):
        open_bundle(folder)
    with pytest.raises(BundleError, match=r"modeling_custom\.py: no bundle has such a file"):
        reseal(folder)


def header_bytes(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a safetensors file"),
        (struct.pack("<Q", 1 << 60) + b"{}", "not a safetensors file"),
        (header_bytes(b"{" + b" " * (17 << 20)), "header of 17,825,793 bytes"),
        (header_bytes(b"[]"), "not a safetensors file"),
        (header_bytes(b'{"a":{"dtype":"F32","shape":[1e9],"data_offsets":[0,4]}}') + b"0000", "not a safetensors file"),
        (header_bytes(b'{"a":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4]}}') + b"0000", "not a safetensors"),
        (header_bytes(b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}') + b"0000", "not a safetensors file"),
        (header_bytes(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}') + b"0" * 8, "overlap or leave gaps"),
        (header_bytes(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}') + b"0" * 8, "its header describes"),
        (header_bytes(b"[" * 100_000), "not a safetensors file"),
    ],
)
def test_hostile_headers(copy: Copy, content: bytes, reason: str) -> None:
    folder = copy()
    (folder / "t00" / "adapter.safetensors").write_bytes(content)
    reseal(folder)
    with pytest.raises(BundleError, match=reason):
        inspect_bundle(folder)


def spoil(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def test_wrong_shapes_missing_and_unknown_tensors(copy: Copy) -> None:
    name = "encoder.layer.1.output.adapters.t00.adapter_up.weight"

    def transpose(tensors: dict[str, Any]) -> None:
        tensors[name] = tensors[name].t().contiguous()

    def rename(tensors: dict[str, Any]) -> None:
        tensors["encoder.layer.1.extra"] = tensors.pop(name)

    for change, reason in ((transpose, r"has shape \(6, 24\), expected \(24, 6\)"), (rename, "missing .*; unknown")):
        folder = copy()
        spoil(folder / "t00" / "adapter.safetensors", change)
        reseal(folder)
        with pytest.raises(BundleError, match=reason):
            open_bundle(folder)


def test_an_adapter_of_a_deeper_or_shallower_model(copy: Copy) -> None:
    for layers in (1, 3):

        def move(tensors: dict[str, Any], layers: int = layers) -> None:
            whole = dict(tensors)
            tensors.clear()
            for index in range(layers):
                for name, tensor in whole.items():
                    if ".layer.0." in name:
                        tensors[name.replace(".layer.0.", f".layer.{index}.")] = tensor.clone()

        folder = copy()
        spoil(folder / "i00" / "adapter.safetensors", move)
        reseal(folder)
        with pytest.raises(BundleError, match="does not fit a backbone with 2 layers of width 24"):
            open_bundle(folder)


def test_a_manifest_that_claims_other_sizes(copy: Copy) -> None:
    folder = copy()

    def deeper(content: dict[str, Any]) -> None:
        content["backbone"]["layers"] = 900

    reseal(folder, deeper)
    with pytest.raises(BundleError, match="does not fit a backbone with 900 layers"):
        open_bundle(folder)
    folder = copy("full-ft")
    reseal(folder, deeper)
    with pytest.raises(BundleError, match="the encoder is not one of 900 layers"):
        open_bundle(folder)


def test_a_huge_configuration_allocates_nothing(copy: Copy) -> None:
    folder = copy("full-ft")
    path = folder / "encoder" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "vocab_size": 1 << 40}))
    reseal(folder)
    with pytest.raises(BundleError, match=r"its config\.json is of another"):
        open_bundle(folder)


def swap_labels(content: dict[str, Any]) -> None:
    content["composition"]["heads"][0]["labels"].reverse()


def test_a_swapped_label_map(copy: Copy) -> None:
    folder = copy()
    reseal(folder, swap_labels)
    with pytest.raises(BundleError, match=r"labels \['no', 'yes'\], but its probes were answered"):
        open_bundle(folder)


def test_a_swapped_label_map_with_swapped_probe_labels(copy: Copy) -> None:
    folder = copy()
    path = folder / layout.PROBES
    content = json.loads(path.read_text())
    content["probes"]["h00"]["labels"].reverse()
    path.write_text(json.dumps(content))
    reseal(folder, swap_labels)
    with pytest.raises(BundleError, match="predictions of the stored probes differ"):
        open_bundle(folder)


def test_an_edited_manifest(copy: Copy) -> None:
    folder = copy()
    path = folder / layout.MANIFEST
    content = json.loads(path.read_text())
    swap_labels(content)
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match="was edited after the bundle was made"):
        open_bundle(folder)


@pytest.mark.parametrize("other", ["world-pos", "world-xqa", "world-xmc"])
def test_a_head_of_another_task(copy: Copy, bundle: Make, other: str) -> None:
    folder = copy()
    shutil.copy(bundle("stack", other) / layout.HEADS, folder / layout.HEADS)
    with pytest.raises(BundleError, match=r"heads\.safetensors: (sha256 does not match|[\d,]+ bytes; expected)"):
        open_bundle(folder)
    reseal(folder)
    with pytest.raises(BundleError, match="weights do not fit the model"):
        open_bundle(folder)


def test_a_head_of_the_same_shape(copy: Copy, bundle: Make) -> None:
    folder = copy()
    shutil.copy(bundle("fuse") / layout.HEADS, folder / layout.HEADS)
    reseal(folder)
    with pytest.raises(BundleError, match="logits of the stored probes differ by"):
        open_bundle(folder)


def test_an_adapter_of_another_training(copy: Copy, bundle: Make) -> None:
    folder = copy()
    shutil.copy(bundle("sequential") / "t00" / "adapter.safetensors", folder / "t00" / "adapter.safetensors")
    reseal(folder)
    with pytest.raises(BundleError, match="of the stored probes differ by"):
        open_bundle(folder)


def test_a_stack_in_the_wrong_order_for_the_library(copy: Copy) -> None:
    folder = copy()
    path = folder / layout.SETUP
    content = json.loads(path.read_text())
    content["adapter_setup"]["children"].reverse()
    path.write_text(json.dumps(content))
    reseal(folder)
    with pytest.raises(BundleError, match="another composition"):
        open_bundle(folder)


def test_a_backbone_of_another_revision(copy: Copy, tmp_path: Path) -> None:
    folder = copy(full=False)
    from hub_study import training_tools

    other = training_tools().write_backbone(tmp_path / "backbone-2", seed=2)
    with pytest.raises(BundleError, match=r"trained on backbone 'tiny' .* with fingerprint \w{16}; the backbone found"):
        open_bundle(folder, backbone=other)
    smaller = training_tools().write_backbone(tmp_path / "backbone-3", hidden=16, layers=3)
    with pytest.raises(BundleError, match="fingerprint"):
        open_bundle(folder, backbone=smaller)


def test_a_tokenizer_with_other_ids(copy: Copy) -> None:
    folder = copy(full=True)
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    words = content["model"]["vocab"]
    words["red"], words["green"] = words["green"], words["red"]
    path.write_text(json.dumps(content))
    reseal(folder)
    with pytest.raises(BundleError, match=r"other token ids|of the stored probes differ"):
        open_bundle(folder)


def test_a_manifest_of_a_newer_version(copy: Copy) -> None:
    folder = copy()
    path = folder / layout.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 2}))
    with pytest.raises(BundleError, match="schema 2; this version of adapterxfer reads up to 1"):
        open_bundle(folder)


@pytest.mark.parametrize("content", ["", "[]", "null", '{"schema": 1}', "{" * 50_000, '{"schema": "1"}'])
def test_a_manifest_that_is_none(copy: Copy, content: str) -> None:
    folder = copy()
    (folder / layout.MANIFEST).write_text(content)
    with pytest.raises(BundleError, match=r"not valid JSON|not the manifest"):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["heads.safetensors", "probes.json", "t00/adapter.safetensors", "README.md"])
def test_truncated_and_missing_files(copy: Copy, name: str) -> None:
    folder = copy()
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(BundleError, match="bytes; expected"):
        open_bundle(folder)
    (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BundleError, match="sha256 does not match"):
        open_bundle(folder)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: missing"):
        open_bundle(folder)
