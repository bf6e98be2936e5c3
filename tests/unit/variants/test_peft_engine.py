"""``peft:TYPE``: the library's own modules inside our encoders, under our assertions, and its mistakes in our words."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("peft")

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.catalog import METHODS
from adapterxfer.catalog.methods.peft_types import peft_types
from adapterxfer.errors import VariantError
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.assertions import check
from adapterxfer.variants.composition import AdapterPart, Composition, HeadPart
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.measures import AssertionInput
from adapterxfer.variants.places import places_of

HIDDEN, LAYERS, PAD = 32, 2, 1
Tiny = Callable[[str], LoadedBackbone]

pytestmark = pytest.mark.filterwarnings("ignore:Sparse invariant checks")  # FROD multiplies a sparse matrix

SIZES: dict[str, dict[str, Any]] = {
    "C3A": {"block_size": 8}, "FOURIERFT": {"n_frequency": 16}, "MISS": {"r": 8}, "PSOFT": {"r": 8},
    "ROAD": {"group_size": 8}, "SHIRA": {"r": 4}, "WAVEFT": {"n_frequency": 16},
    "VBLORA": {"num_vectors": 16, "vector_length": 8, "topk": 2, "r": 2},
}  # fmt: skip
RUNNING = sorted(name for name, facts in peft_types().items() if facts["runs"])


class Lab:
    """Adapters of one tiny encoder, and what it says with them."""

    def __init__(self, tiny: Tiny) -> None:
        self.tiny = tiny
        self.tokens = torch.randint(5, 50, (3, 7), generator=torch.Generator().manual_seed(4))
        self.mask = torch.ones_like(self.tokens)
        self.tokens[1, 5:], self.mask[1, 5:] = PAD, 0

    def build(self, kind: str, seed: int = 1, model_type: str = "xlm-roberta", **config: Any) -> Adapter:
        shape = AdapterShape.of({"method": f"peft:{kind}", "config": {**SIZES.get(kind, {}), **config}}, HIDDEN)
        generator = torch.Generator().manual_seed(seed)
        return Adapter(LAYERS, HIDDEN, shape, generator=generator, linears=self.tiny(model_type).linears)

    def states(self, adapter: Adapter | None) -> torch.Tensor:
        places = places_of([adapter] if adapter else [])
        return encode(self.tiny("xlm-roberta").model, self.tokens, self.mask, places)[self.mask.bool()]

    def hidden(self, adapter: Adapter | None) -> torch.Tensor:
        with torch.no_grad():
            return self.states(adapter)


@pytest.fixture
def lab(tiny_of: Tiny) -> Lab:
    return Lab(tiny_of)


@pytest.mark.parametrize("kind", RUNNING)
def test_every_type_starts_neutral_trains_and_comes_back(lab: Lab, kind: str) -> None:
    adapter = lab.build(kind).eval()
    bare = lab.hidden(None)
    assert (lab.hidden(adapter) - bare).abs().max() < (1e-4 if METHODS[f"peft:{kind}"].start == "neutral" else 1e-2)
    lab.states(adapter).square().sum().backward()
    touched = [weight for weight in adapter.parameters() if weight.grad is not None and bool(weight.grad.abs().any())]
    assert touched, "nothing would train"
    with torch.no_grad():
        for weight in adapter.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(weight.numel())))
    changed = lab.hidden(adapter)
    assert (changed - bare).abs().max() > 1e-3
    again = lab.build(kind, seed=7).eval()
    again.load_state_dict(adapter.state_dict())
    assert torch.equal(lab.hidden(again), changed)
    if adapter.can_be_neutral:
        adapter.neutralise()
        assert torch.equal(lab.hidden(adapter), bare)


@pytest.mark.parametrize(
    ("variant", "kind"), [("stack", "LOHA"), ("sequential", "OFT"), ("adapter", "LOKR"), ("adapter", "IA3")]
)
def test_models_hold_under_the_assertions(evidence_of: Callable[..., AssertionInput], variant: str, kind: str) -> None:
    evidence = evidence_of(variant, f"peft:{kind}")
    names = {result.assertion: result for result in check("built", evidence)}
    assert names["effect-at-start"].kind in ("at most", "not applicable")
    assert names["neutral-when-zero"].kind == "not applicable"
    assert set(evidence.model.trainable()) == {
        name for name in evidence.model.own_state() if name.startswith(("adapters.t00.", "heads."))
    }
    assert not any("base_layer" in name for name in evidence.model.own_state())


@pytest.mark.parametrize("variant", ["adapter", "stack"])
def test_a_type_that_does_not_start_neutral_has_weights_that_are(
    evidence_of: Callable[..., AssertionInput], variant: str
) -> None:
    names = {result.assertion: result for result in check("built", evidence_of(variant, "peft:UNILORA"))}
    assert names["neutral-when-zero"].value == 0.0
    assert names["effect-at-start"].kind == "recorded"


def test_equal_seeds_give_equal_start_values_and_others_do_not(lab: Lab) -> None:
    one, same, other = lab.build("LORA", 1), lab.build("LORA", 1), lab.build("LORA", 2)
    pairs = list(zip(one.parameters(), same.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)


def test_dropout_of_the_library_follows_the_mode(lab: Lab) -> None:
    adapter = lab.build("LORA", lora_dropout=0.9, r=4)
    with torch.no_grad():
        for weight in adapter.parameters():
            weight.fill_(0.3)
    adapter.train()
    assert not torch.equal(lab.hidden(adapter), lab.hidden(adapter))
    adapter.eval()
    assert torch.equal(lab.hidden(adapter), lab.hidden(adapter))


def test_maps_are_named_by_role(lab: Lab) -> None:
    adapter = lab.build("LORA", target_modules=["key", "ffn_out"])
    assert {name.split(".")[2].split("/")[0] for name in adapter.state_dict()} == {"key", "ffn_out"}
    hooked = lab.build("LORA", model_type="deberta-v2")
    assert {name.split(".")[2].split("/")[0] for name in hooked.state_dict()} == {"query", "value"}


def test_the_backbone_stays_as_it_is(lab: Lab) -> None:
    before = {name: tensor.clone() for name, tensor in lab.tiny("xlm-roberta").model.state_dict().items()}
    for config in ({"init_lora_weights": "pissa"}, {"bias": "all"}):
        with pytest.raises(VariantError, match="changes or trains weights of the backbone"):
            lab.build("LORA", **config)
    now = lab.tiny("xlm-roberta").model.state_dict()
    assert all(torch.equal(before[name], now[name]) for name in before)
    assert not any(parameter.requires_grad for parameter in lab.tiny("xlm-roberta").model.parameters())


def test_what_the_library_writes_into_the_backbone_is_taken_back(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    import peft

    wrap = peft.get_peft_model

    def writing(skeleton: Any, settings: Any) -> Any:
        skeleton.layers[0]["query"].weight.data[0, 0] += 1.0
        return wrap(skeleton, settings)

    before = {name: tensor.clone() for name, tensor in lab.tiny("xlm-roberta").model.state_dict().items()}
    monkeypatch.setattr(peft, "get_peft_model", writing)
    with pytest.raises(VariantError, match="changes or trains weights of the backbone"):
        lab.build("LORA")
    now = lab.tiny("xlm-roberta").model.state_dict()
    assert all(torch.equal(before[name], now[name]) for name in before)


@pytest.mark.parametrize(
    ("kind", "config", "says"),
    [
        ("LOHA", {"rank": 4}, "no key 'rank'"),
        ("LOHA", {"modules_to_save": ["x"]}, "no key 'modules_to_save'"),
        ("LOHA", {"target_modules": ["dense"]}, "names 'dense'; this encoder shows query"),
        ("LOHA", {"r": 0}, "should be a positive"),
        ("C3A", {"block_size": 7}, "block size"),
    ],
)
def test_mistakes_in_a_configuration(lab: Lab, kind: str, config: dict[str, Any], says: str) -> None:
    with pytest.raises(VariantError, match=says):
        lab.build(kind, **config)


def test_methods_of_the_library_are_looked_up_and_not_listed() -> None:
    assert "peft:LOHA" in METHODS
    assert METHODS["peft:LOHA"].engine == "peft"
    assert not any(name.startswith("peft:") for name in METHODS)
    assert "peft:ADALORA" not in METHODS
    with pytest.raises(KeyError):
        METHODS["peft:NOTHING"]


def test_a_description_names_the_configuration_and_others_stay_as_they_were() -> None:
    head = HeadPart("h00", "x", "tagging", ("a", "b"))
    for part in (
        AdapterPart(id="t00", role="target", name="x", method="peft:LOHA", bottleneck_size=1, config='{"r": 4}'),
        AdapterPart(id="t00", role="target", name="x", method="seq_bn", bottleneck_size=4),
    ):
        described = Composition("adapter", (part,), (head,)).as_json()
        assert ("config" in described["adapters"][0]) == bool(part.config)
        assert Composition.from_json(described).adapters == (part,)
        assert part.shape.config == part.config


def test_an_average_of_weights_is_the_average_of_what_they_add(lab: Lab) -> None:
    """As merging takes it, for a type whose table says so, and not for one whose table does not."""
    for kind, linear in (("SHIRA", True), ("LORA", False)):
        assert bool(METHODS[f"peft:{kind}"].merges) == linear
        first, second, mean = (lab.build(kind, seed).eval() for seed in (1, 2, 3))
        with torch.no_grad():
            for number, adapter in enumerate((first, second)):
                for weight in adapter.parameters():
                    weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(number)))
        mean.load_state_dict({n: (t + second.state_dict()[n]) / 2 for n, t in first.state_dict().items()})
        linear_map, states = lab.tiny("xlm-roberta").linears[0]["query"], torch.randn(4, HIDDEN)

        def added(adapter: Adapter) -> torch.Tensor:
            layer: Any = adapter[0]
            base = linear_map(states)  # noqa: B023 - called here only
            return (layer.linear_output("query", linear_map, states, base, base) - base).detach()  # noqa: B023

        difference = (added(mean) - (added(first) + added(second)) / 2).abs().max()
        assert bool(difference < 1e-4) == linear, kind


def test_the_frozen_map_is_computed_once_where_nothing_else_acts(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = lab.build("LORA").eval()
    with torch.no_grad():
        for weight in adapter.parameters():
            weight.add_(0.1)
    once = lab.hidden(adapter)
    calls: list[str] = []
    module: Any = adapter[0]
    plain = module.linear_output
    monkeypatch.setattr(module, "linear_output", lambda *given: calls.append(given[0]) or plain(*given))
    assert torch.equal(lab.hidden(adapter), once)
    assert calls == ["key", "ffn_in", "ffn_out"], "maps that it leaves alone"
    for layer in adapter:
        monkeypatch.setattr(type(layer), "whole_linear", lambda self, role, states: None)
    assert torch.equal(lab.hidden(adapter), once), "to the bit"
    assert sorted(calls[3:]) == ["ffn_in", "ffn_out", "key", "query", "value"]
