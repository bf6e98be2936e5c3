"""Published adapters of other tools that do not fit: what differs, licences, and files that are no adapter."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_study import Make, StudyFiles, training_tools
from reuse_tools import (
    CARD,
    IA3_MAPS,
    change_config,
    files_of,
    make_adapterhub,
    make_ia3,
    make_peft,
    make_vera,
    publish,
    refusal,
    reuse_model,
    reusing,
)
from safetensors.torch import load_file, save_file
from stand_in_hub import StandInHub

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize(
    ("maps", "reason"),
    [
        (IA3_MAPS.replace("key", "query"), "unknown .*query"),
        (IA3_MAPS.replace("|output", "|attention.output"), "missing .*ffn_out|unknown .*attention.output"),
        (r".*key|feedforward", r"key.ia3_l is \(1, 24\): it scales the input of this map, ours scales the output"),
        (
            r"none|feedforward",
            r"output.dense.ia3_l is \(24, 1\): it scales the output of this map, ours scales the input",
        ),
    ],
)
def test_another_ia3(study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, maps: str, reason: str) -> None:
    if maps.endswith("|feedforward"):
        make_ia3(encoder, tmp_path / "made", feedforward_modules=maps.removesuffix("|feedforward"))
    else:
        make_ia3(encoder, tmp_path / "made", target_modules=maps)
    text = reusing(publish(hub, tmp_path / "made"), adapter="{method: ia3}")
    assert re.search(reason, refusal(study, tmp_path, text))


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
    ({"init_lora_weights": "pissa"}, "init_lora_weights is 'pissa', which changes the base weights"),
    ({"init_lora_weights": "pissa_niter_4"}, "'pissa_niter_4', which changes the base weights"),
    ({"init_lora_weights": "olora"}, "'olora', which changes the base weights"),
    ({"init_lora_weights": "mica"}, "'mica', which changes the base weights"),
]


@pytest.mark.parametrize(("options", "reason"), PEFT_REFUSALS)
def test_another_lora(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, options: dict[str, Any], reason: str
) -> None:
    make_peft(encoder, tmp_path / "made", **options)
    text = reusing(publish(hub, tmp_path / "made"), adapter="{method: lora, rank: 4}")
    assert re.search(reason, refusal(study, tmp_path, text))


def spoil_tensors(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def first_name(tensors: dict[str, Any]) -> str:
    return min(name for name in tensors if "lora_A" in name)


TENSOR_REFUSALS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda tensors: tensors[first_name(tensors)].fill_(float("nan")), "holds NaN or infinite numbers"),
    (lambda tensors: tensors[first_name(tensors)].fill_(float("inf")), "holds NaN or infinite numbers"),
    (lambda tensors: tensors.update({"x." + first_name(tensors): tensors[first_name(tensors)] * 2}), "a second one"),
]


@pytest.mark.parametrize(("change", "reason"), TENSOR_REFUSALS, ids=["nan", "infinite", "twice"])
def test_a_lora_with_other_tensors(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, change: Callable[[dict[str, Any]], Any],
    reason: str,
) -> None:  # fmt: skip
    make_peft(encoder, tmp_path / "made")
    spoil_tensors(tmp_path / "made", change)
    text = reusing(publish(hub, tmp_path / "made"), adapter="{method: lora, rank: 4}")
    assert reason in refusal(study, tmp_path, text)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"target_modules": ["query"]}, "its target_modules do not name .*value"),
        ({"target_modules": r".*\.query"}, "its target_modules do not name .*value"),
        ({"exclude_modules": ["query"]}, "its target_modules do not name .*query"),
        ({"rotate_basis": {"angle": 3}}, "rotate_basis is {'angle': 3}, which nobody has compared with ours"),
        ({"kasa_config": {"beta": 1.0}}, "kasa_config is"),
        ({"lora_alpha": float("inf")}, r"its scale cannot be read \(lora_alpha inf\)"),
    ],
)
def test_a_lora_with_another_configuration(
    study: StudyFiles, hub: StandInHub, encoder: Path, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    make_peft(encoder, tmp_path / "made")
    change_config(tmp_path / "made", **changes)
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
