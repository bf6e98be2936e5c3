"""Every assertion lets a sound model pass and catches a mutant made for it."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import XLMRobertaConfig, XLMRobertaModel

from adapterxfer.backbones.loaded import LoadedBackbone, with_own_weights
from adapterxfer.backbones.measure import count_parameters, state_fingerprint
from adapterxfer.catalog.variants import composition
from adapterxfer.errors import VariantError
from adapterxfer.variants import model as model_module
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.assertions import RECORDED, TABLE, check
from adapterxfer.variants.bottleneck import Bottleneck
from adapterxfer.variants.composition import AdapterPart, Composition, HeadPart
from adapterxfer.variants.fusion import Fusion
from adapterxfer.variants.measures import AssertionInput, snapshot
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.places import Norm

HIDDEN, LAYERS, SIZE = 32, 2, 8
VARIANTS = ("full-ft", "head-only", "adapter", "sequential", "stack", "fuse")


class FirstToken(nn.Linear):
    def forward(self, hidden: Tensor, batch: Any) -> Tensor:  # type: ignore[override]
        return super().forward(hidden[:, 0])


def backbone() -> LoadedBackbone:
    config = XLMRobertaConfig(
        vocab_size=50,
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=24,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.15,
    )
    torch.manual_seed(1)
    model = XLMRobertaModel(config, add_pooling_layer=False).eval().requires_grad_(False)
    fingerprint = state_fingerprint(model.state_dict())
    return LoadedBackbone(
        model=model,
        tokenizer=None,  # type: ignore[arg-type]
        config=config,
        identity={"name": "tiny"},
        fingerprint=fingerprint,
        parameters=count_parameters(model),
    )


def trained(adapter: Adapter) -> Adapter:
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(9)) * 0.1)
    return adapter


def evidence(variant: str, *, intermediate: str = "nli") -> AssertionInput:
    loaded = backbone()
    pristine = loaded.model
    if variant == "full-ft":
        loaded = with_own_weights(loaded)
        if intermediate:
            with torch.no_grad():
                loaded.model.encoder.layer[0].output.dense.weight.mul_(1.5)
    shape = AdapterShape("seq_bn", SIZE)
    generator = torch.Generator().manual_seed(4)
    ids = {"adapter": ["t00"], "sequential": ["t00"], "stack": ["i00", "t00"], "fuse": ["i00", "i01", "t00"]}.get(
        variant, []
    )
    made = {part: Adapter(LAYERS, HIDDEN, shape, generator=generator) for part in ids}
    for part, adapter in made.items():
        if part.startswith("i") or variant in ("sequential", "fuse"):
            trained(adapter)
    parts = tuple(
        AdapterPart(
            id=part,
            role="target" if part == "t00" else "intermediate",
            name=part,
            method="seq_bn",
            bottleneck_size=SIZE,
        )
        for part in made
    )
    named = intermediate if variant not in ("adapter", "head-only") else ""
    heads = (HeadPart("h00", "pos", "tagging", ("x", "y")),)
    model = TransferModel(
        loaded,
        Composition(variant, parts, heads, named),  # type: ignore[arg-type]
        adapters=made,
        fusion=Fusion(LAYERS, HIDDEN, dropout=0.0, generator=generator) if variant == "fuse" else None,
        heads={"h00": FirstToken(HIDDEN, 2)},
    )
    tokens = torch.randint(5, 50, (3, 7), generator=generator)
    mask = torch.ones_like(tokens)
    tokens[1, 5:], mask[1, 5:] = 1, 0
    return AssertionInput(
        model=model,
        batch=SimpleNamespace(input_ids=tokens, attention_mask=mask),
        task="pos",
        start=snapshot(model),
        start_backbone="" if variant == "full-ft" else state_fingerprint(model.backbone.state_dict()),
        stored=lambda: {name: tensor.clone() for name, tensor in model.own_state().items()},
        pristine=pristine,
    )


def training_step(found: AssertionInput) -> None:
    with torch.no_grad():
        for parameter in found.model.trainable().values():
            parameter.add_(0.01)


@pytest.mark.parametrize("variant", VARIANTS)
def test_sound_models_pass_and_stay_as_they_were(variant: str) -> None:
    found = evidence(variant)
    found.model.train()
    before = state_fingerprint(found.model.state_dict())
    verdicts = check("built", found)
    assert state_fingerprint(found.model.state_dict()) == before
    assert found.model.training
    assert all(parameter.grad is None for parameter in found.model.parameters())
    training_step(found)
    verdicts += check("trained", found)
    moments = ("built", "trained")
    assert [verdict.assertion for verdict in verdicts] == [a.name for m in moments for a in TABLE if m in a.when]
    for verdict in verdicts:
        assert (verdict.value is None) == (verdict.kind == "not applicable") == bool(verdict.because)


def test_table_has_a_rule_for_every_variant() -> None:
    for assertion in TABLE:
        rules = [assertion.of_variant(composition(variant)) for variant in VARIANTS]
        assert all(rule.because for rule in rules if rule.kind == "not applicable")
        assert assertion.of_variant(composition("language")) == assertion.of_variant(composition("adapter"))


def test_measured_start_effects() -> None:
    """What is exact and what is not: zero up-projections are exact, the library's start values are only small."""
    values = {verdict.assertion: verdict.value for verdict in check("built", evidence("stack"))}
    assert values["neutral-when-zero"] == 0.0
    assert 0.0 < (values["effect-at-start"] or 0) < 0.05
    assert (values["intermediate-matters"] or 0) > 0.01


def _unfreeze_intermediate(found: AssertionInput) -> None:
    found.model.adapters["i00"].requires_grad_(True)


def _freeze_head(found: AssertionInput) -> None:
    found.model.heads["h00"].weight.requires_grad_(False)


def _unfreeze_backbone(found: AssertionInput) -> None:
    next(found.model.backbone.parameters()).requires_grad_(True)


def _rename_adapter(found: AssertionInput) -> None:
    found.model.adapters["t"] = found.model.adapters["t00"]


def _lose_residual(found: AssertionInput) -> None:
    class Broken(Bottleneck):
        def ffn(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
            return norm(total) + super().ffn(total, residual, norm) - total

    found.model.adapters["t00"][0].__class__ = Broken  # type: ignore[index]


def _wild_start(found: AssertionInput) -> None:
    with torch.no_grad():
        for parameter in found.model.adapters["t00"].parameters():
            parameter.normal_(0.0, 1.0)


def _biased_start(found: AssertionInput) -> None:
    with torch.no_grad():
        found.model.adapters["t00"][1].down.bias[0] = 0.01  # type: ignore[index]


def _wrong_value(found: AssertionInput) -> None:
    with torch.no_grad():
        found.model.fusion[0].value.weight.normal_(0.0, 0.02)  # type: ignore[index]


def _empty_intermediate(found: AssertionInput) -> None:
    part = "i00" if "i00" in found.model.adapters else "t00"
    with torch.no_grad():
        for layer in found.model.adapters[part]:  # type: ignore[union-attr]
            layer.up.weight.zero_()
            layer.up.bias.zero_()


def _forget_intermediate_weights(found: AssertionInput) -> None:
    assert found.pristine is not None
    found.model.backbone.load_state_dict(found.pristine.state_dict())


def _gate_over_padding(found: AssertionInput) -> None:
    class Gated(Bottleneck):
        def ffn(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
            changed = super().ffn(total, residual, norm)
            return total + (changed - total) * (1 + total.mean(dim=1, keepdim=True))

    for layer in found.model.adapters["t00"]:  # type: ignore[union-attr]
        layer.__class__ = Gated


def _nothing(found: AssertionInput) -> None:
    pass


BUILT: list[tuple[str, str, Callable[[AssertionInput], None]]] = [
    ("trainable-names", "stack", _unfreeze_intermediate),
    ("trainable-names", "adapter", _freeze_head),
    ("trainable-names", "fuse", _unfreeze_backbone),
    ("prefix-free-names", "adapter", _rename_adapter),
    ("neutral-when-zero", "adapter", _lose_residual),
    ("neutral-when-zero", "stack", _lose_residual),
    ("start-values", "adapter", _wild_start),
    ("start-values", "stack", _biased_start),
    ("fusion-of-copies", "fuse", _wrong_value),
    ("intermediate-matters", "stack", _empty_intermediate),
    ("intermediate-matters", "sequential", _empty_intermediate),
    ("intermediate-matters", "full-ft", _forget_intermediate_weights),
    ("padding-invariance", "sequential", _gate_over_padding),
]


@pytest.mark.parametrize(("assertion", "variant", "mutate"), BUILT)
def test_mutants_of_built_models_are_caught(
    assertion: str, variant: str, mutate: Callable[[AssertionInput], None]
) -> None:
    found = evidence(variant)
    mutate(found)
    with pytest.raises(VariantError, match=f"variant '{variant}'.*built") as caught:
        check("built", found)
    assert f"\n  {assertion}: " in str(caught.value)


def test_vanished_fused_adapters_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fusion that mixes only the target adapter gives plausible numbers; leaving the others out changes none."""
    real = model_module.TransferModel._adapt

    def only_target(self: TransferModel) -> Any:
        with self.without("i00", "i01"):
            return real(self)

    monkeypatch.setattr(model_module.TransferModel, "_adapt", only_target)
    with pytest.raises(VariantError, match="intermediate-matters"):
        check("built", evidence("fuse"))


def test_an_ignored_mask_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    real = model_module.encode
    monkeypatch.setattr(model_module, "encode", lambda b, ids, mask, *rest, **kw: real(b, ids, None, *rest, **kw))
    with pytest.raises(VariantError, match="padding-invariance"):
        check("built", evidence("head-only"))


def _change_backbone(found: AssertionInput) -> None:
    with torch.no_grad():
        found.model.backbone.encoder.layer[1].output.dense.bias[0] += 1e-6  # type: ignore[union-attr,index]


def _restore_backbone(found: AssertionInput) -> None:
    found.model.backbone.load_state_dict(evidence("full-ft").model.backbone.state_dict())


def _change_frozen(found: AssertionInput) -> None:
    with torch.no_grad():
        found.model.adapters["i00"][0].up.bias[0] += 1e-6  # type: ignore[index]


def _restore_head(found: AssertionInput) -> None:
    found.model.heads.load_state_dict(evidence("fuse").model.heads.state_dict())


def _drop_stored(found: AssertionInput) -> None:
    state = found.model.own_state()
    found.stored = lambda: {name: tensor for name, tensor in state.items() if "up.bias" not in name}


def _change_stored(found: AssertionInput) -> None:
    state = found.model.own_state()
    found.stored = lambda: {name: tensor + 1e-7 for name, tensor in state.items()}


TRAINED: list[tuple[str, str, Callable[[AssertionInput], None]]] = [
    ("backbone-weights", "stack", _change_backbone),
    ("backbone-weights", "full-ft", _restore_backbone),
    ("frozen-weights", "stack", _change_frozen),
    ("frozen-weights", "fuse", _change_frozen),
    ("everything-trained", "fuse", _restore_head),
    ("complete-on-disk", "adapter", _drop_stored),
    ("complete-on-disk", "head-only", _change_stored),
]


@pytest.mark.parametrize(("assertion", "variant", "mutate"), TRAINED)
def test_mutants_of_trained_models_are_caught(
    assertion: str, variant: str, mutate: Callable[[AssertionInput], None]
) -> None:
    found = evidence(variant)
    training_step(found)
    mutate(found)
    with pytest.raises(VariantError, match=f"variant '{variant}'.*trained") as caught:
        check("trained", found)
    assert f"\n  {assertion}: " in str(caught.value)


def test_an_untrained_model_is_caught() -> None:
    with pytest.raises(VariantError, match=r"everything-trained.*is 2"):
        check("trained", evidence("adapter"))


def test_every_assertion_has_a_mutant() -> None:
    judged = {
        a.name
        for a in TABLE
        for rule in (*(a.of_variant(composition(name)) for name in VARIANTS), a.above_language or RECORDED)
        if rule.kind not in ("recorded", "not applicable")
    }
    above_language = {"language-matters", "invertible-embeddings"}  # test_language.py
    merged = {"merged-weights", "merged-parts-matter"}  # test_merged_assertions.py
    assert {name for name, *_ in (*BUILT, *TRAINED)} | above_language | merged == judged


def test_the_page_is_that_of_the_table() -> None:
    root = Path(__file__).parents[3]
    page = (root / "docs" / "design" / "assertions.md").read_text(encoding="utf-8")
    assert runpy.run_path(str(root / "scripts" / "table_assertions.py"))["page"]() == page
    for assertion in TABLE:
        assert f"| {assertion.name} | {', '.join(assertion.when)} |" in page
