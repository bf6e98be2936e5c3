"""The table of what runs says what happens: refused cells are refused, and it covers catalogue and assertions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.catalog import METHODS, backbones
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.catalog.capabilities import Capability, capabilities, capability, model_type_of
from adapterxfer.catalog.methods import language_methods
from adapterxfer.errors import StageError, VariantError
from adapterxfer.training.arm_data import require_masked_lm
from adapterxfer.variants.measures import AssertionInput
from adapterxfer.variants.merging import MergeMember, merge

CELLS = tuple(capabilities().values())


def test_it_covers_everything() -> None:
    assert {cell.architecture for cell in CELLS} == set(ARCHITECTURES)
    assert {cell.method for cell in CELLS} == {"", *METHODS}
    assert {entry.model_type for entry in backbones().values() if entry.available} <= set(ARCHITECTURES)
    assert {cell.method for cell in CELLS if cell.works} == {"", *METHODS}


@pytest.mark.parametrize(
    "cell", [c for c in CELLS if not c.works], ids=lambda c: f"{c.architecture}-{c.method}-{c.composition}"
)
def test_refused_cells_are_refused(
    cell: Capability, evidence_of: Callable[..., AssertionInput], tiny_of: Callable[[str], LoadedBackbone]
) -> None:
    composition, _, method = cell.nearest.partition("/")
    assert cell.because
    assert capabilities()[cell.architecture, method, composition].works
    if cell.composition == "language":
        _refused_text(cell, tiny_of(cell.architecture))
    elif cell.method == "seq_bn_inv" and cell.architecture == "rembert":
        with pytest.raises(VariantError, match="the embeddings of rembert are narrower"):
            evidence_of("sequential", cell.method, cell.architecture)
    elif cell.method == "prefix" and not ARCHITECTURES[cell.architecture].own_encoder:
        with pytest.raises(VariantError, match=r"'prefix' cannot act in backbone .* own forward pass only"):
            evidence_of("sequential", cell.method, cell.architecture)
    elif cell.composition == "merge":
        assert not METHODS[cell.method].merges
        model = evidence_of("sequential", cell.method, cell.architecture).model
        one = MergeMember(model.composition, model.own_state(), 0.5)
        with pytest.raises(VariantError, match="cannot be merged"):
            merge([one, one])
    else:
        with pytest.raises(VariantError, match="AdapterFusion is not defined"):
            evidence_of(cell.composition, cell.method, cell.architecture)


def _refused_text(cell: Capability, loaded: LoadedBackbone) -> None:
    """A language's adapter needs masked language modelling, which the backbone's parts decide."""
    maskless = "mask token" in cell.because
    tokenizer = SimpleNamespace(mask_token_id=None if maskless else 4)
    with pytest.raises(StageError, match=r"no mask token|embeddings of width|left to right") as caught:
        require_masked_lm(replace(loaded, tokenizer=tokenizer))  # type: ignore[arg-type]
    assert ("mask token" in str(caught.value)) == maskless == (cell.architecture in ("mt5", "umt5"))


def test_only_bottlenecks_are_adapters_of_languages(evidence_of: Callable[..., AssertionInput]) -> None:
    assert {cell.method for cell in CELLS if cell.composition == "language"} == set(language_methods())
    for method in sorted(set(METHODS) - set(language_methods())):
        with pytest.raises(VariantError, match="cannot be a language's adapter"):
            evidence_of("language", method)


def test_lookup() -> None:
    assert model_type_of("xlm-r-xl") == "xlm-roberta-xl"
    assert capability(model_type_of("world-small"), "lora", "full-ft").works
    refused = capability(model_type_of("mmbert-base"), "lora", "fuse")
    assert not refused.works
    assert refused.nearest == "stack/lora"


def test_where_the_encoder_is_not_known_only_its_share_is_left_open() -> None:
    assert capability("", "prefix", "stack").works
    assert not capability("", "lora", "fuse").works
    assert not capability("xlm-roberta", "lora", "language").works
    for unknown in (("bert-of-nobody", "lora", "stack"), ("", "none", "stack"), ("", "lora", "none")):
        with pytest.raises(KeyError):
            capability(*unknown)
