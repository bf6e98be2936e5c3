"""Configurations of the adapters library inside our encoders: neutral, trained, stored, and the backbone untouched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

pytest.importorskip("adapters")

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.catalog import METHODS
from adapterxfer.catalog.methods.adapters_configs import ADAPTERS
from adapterxfer.errors import VariantError
from adapterxfer.training.optimiser import decays
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.assertions import check
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.measures import AssertionInput
from adapterxfer.variants.places import places_of

HIDDEN, LAYERS, PAD = 32, 2, 1
Tiny = Callable[[str], LoadedBackbone]
RUNNING = sorted(name for name, facts in ADAPTERS.kinds.items() if facts["runs"])
SMALL: dict[str, dict[str, Any]] = {"compacter": {"reduction_factor": 4}, "compacter++": {"reduction_factor": 4}}


class Lab:
    """Adapters of one tiny encoder, and what it says with them."""

    def __init__(self, tiny: Tiny) -> None:
        self.tiny = tiny
        self.tokens = torch.randint(5, 50, (3, 7), generator=torch.Generator().manual_seed(4))
        self.mask = torch.ones_like(self.tokens)
        self.tokens[1, 5:], self.mask[1, 5:] = PAD, 0

    def build(self, name: str, seed: int = 1, model_type: str = "xlm-roberta", **config: Any) -> Adapter:
        shape = AdapterShape.of({"method": f"adapters:{name}", "config": {**SMALL.get(name, {}), **config}}, HIDDEN)
        loaded, generator = self.tiny(model_type), torch.Generator().manual_seed(seed)
        return Adapter(LAYERS, HIDDEN, shape, generator=generator, linears=loaded.linears, encoder=loaded.model)

    def states(self, *adapters: Adapter, recompute: bool = False) -> torch.Tensor:
        model, places = self.tiny("xlm-roberta").model, places_of(adapters)
        return encode(model, self.tokens, self.mask, places, recompute=recompute)[self.mask.bool()]

    def hidden(self, *adapters: Adapter) -> torch.Tensor:
        with torch.no_grad():
            return self.states(*adapters)


@pytest.fixture
def lab(tiny_of: Tiny) -> Lab:
    return Lab(tiny_of)


def moved(adapter: Adapter) -> Adapter:
    with torch.no_grad():
        for weight in adapter.parameters():
            if decays(weight) or weight.ndim < 2:  # a diagonal of ones stays
                generator = torch.Generator().manual_seed(weight.numel())
                weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
    return adapter


@pytest.mark.parametrize("name", RUNNING)
def test_every_configuration_trains_and_comes_back(lab: Lab, name: str) -> None:
    adapter, bare, spec = lab.build(name).eval(), lab.hidden(), METHODS[f"adapters:{name}"]
    if spec.start == "neutral":
        assert (lab.hidden(adapter) - bare).abs().max() < 1e-4
    lab.states(adapter).square().sum().backward()
    touched = [weight for weight in adapter.parameters() if weight.grad is not None and bool(weight.grad.abs().any())]
    assert touched, "nothing would train"
    changed = lab.hidden(moved(adapter))
    assert (changed - bare).abs().max() > 1e-3
    again = lab.build(name, seed=7).eval()
    again.load_state_dict(adapter.state_dict())
    assert torch.equal(lab.hidden(again), changed)
    assert adapter.can_be_neutral == (spec.neutral in ("exact", "rounding"))
    if adapter.can_be_neutral:
        adapter.neutralise()
        assert (lab.hidden(adapter) - bare).abs().max() <= (0.0 if spec.neutral == "exact" else 1e-5)


@pytest.mark.parametrize("name", ["prefix_tuning", "compacter", "seq_bn_inv", "vera", "loreft", "mam"])
def test_activations_that_are_computed_again_give_the_same_gradients(lab: Lab, name: str) -> None:
    gradients = []
    for recompute in (False, True):
        adapter = moved(lab.build(name).eval())
        lab.hidden(adapter)  # what a pass without gradients has left must not be taken
        lab.states(adapter, recompute=recompute).square().sum().backward()
        gradients.append([weight.grad for weight in adapter.parameters()])
    assert any(gradient is not None and bool(gradient.any()) for gradient in gradients[0])
    for kept, again in zip(*gradients, strict=True):
        assert (kept is None) == (again is None)
        assert kept is None or torch.equal(kept, again)


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        ("adapter", "par_bn"), ("stack", "seq_bn"), ("stack", "ia3"), ("sequential", "lora"), ("fuse", "seq_bn"),
        ("sequential", "seq_bn_inv"), ("stack", "prefix_tuning_flat"), ("sequential", "noreft"),
    ],
)  # fmt: skip
def test_models_hold_under_the_assertions(evidence_of: Callable[..., AssertionInput], variant: str, name: str) -> None:
    evidence = evidence_of(variant, f"adapters:{name}")
    names = {result.assertion: result for result in check("built", evidence)}
    assert names["padding-invariance"].value is not None
    assert set(evidence.model.trainable()) == {
        key
        for key in evidence.model.own_state()
        if key.startswith(("fusion." if variant == "fuse" else "adapters.t00.", "heads."))
    }
    assert not any(key.endswith("dense/weight") for key in evidence.model.own_state()), "frozen maps are not stored"


def test_equal_seeds_give_equal_start_values_and_others_do_not(lab: Lab) -> None:
    one, same, other = lab.build("seq_bn", 1), lab.build("seq_bn", 1), lab.build("seq_bn", 2)
    pairs = list(zip(one.parameters(), same.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)


def test_dropout_of_the_library_follows_the_mode(lab: Lab) -> None:
    adapter = moved(lab.build("seq_bn", dropout=0.9))
    adapter.train()
    assert not torch.equal(lab.hidden(adapter), lab.hidden(adapter))
    adapter.eval()
    assert torch.equal(lab.hidden(adapter), lab.hidden(adapter))


def test_layers_can_be_left_out(lab: Lab) -> None:
    for name in ("seq_bn", "prefix_tuning_flat"):
        whole, upper = lab.build(name), lab.build(name, leave_out=[0])
        assert sum(w.numel() for w in upper.parameters()) < sum(w.numel() for w in whole.parameters())
        assert not torch.equal(lab.hidden(moved(upper)), lab.hidden())


def test_the_backbone_stays_as_it_is(lab: Lab) -> None:
    before = {name: tensor.clone() for name, tensor in lab.tiny("xlm-roberta").model.state_dict().items()}
    for name in RUNNING:
        lab.build(name)
    model = lab.tiny("xlm-roberta").model
    assert type(model).__module__.startswith("transformers")
    now = model.state_dict()
    assert now.keys() == before.keys()
    assert all(torch.equal(before[name], now[name]) for name in before)
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_a_projection_that_torch_reads_as_whole_numbers_is_not_decayed(lab: Lab) -> None:
    kept = [name for name, weight in lab.build("loreft").named_parameters() if weight.ndim == 2 and not decays(weight)]
    assert len(kept) == 2 * LAYERS
    assert all(name.endswith("parametrizations/weight/original") for name in kept)


@pytest.mark.parametrize(
    ("name", "config", "says"),
    [
        ("lora", {"rank": 4}, "no key 'rank'"),
        ("seq_bn", {"is_parallel": True}, "no key 'is_parallel'"),
        ("seq_bn", {"non_linearity": "nothing"}, "nothing"),
        ("compacter", {"reduction_factor": 8, "phm_dim": 5}, "phm_dim"),
        ("mam", {"reduction_factor": 8}, "no key 'reduction_factor'"),
    ],
)
def test_mistakes_in_a_configuration(lab: Lab, name: str, config: dict[str, Any], says: str) -> None:
    with pytest.raises(VariantError, match=says):
        lab.build(name, **config)


def test_encoders_that_the_library_does_not_have_are_refused(lab: Lab) -> None:
    with pytest.raises(VariantError, match="no encoder modernbert"):
        lab.build("seq_bn", model_type="modernbert")


@pytest.mark.parametrize("model_type", ["bert", "electra", "deberta-v2"])
@pytest.mark.parametrize("name", ["double_seq_bn", "lora", "ia3"])
def test_other_encoders_of_the_library(lab: Lab, model_type: str, name: str) -> None:
    loaded = lab.tiny(model_type)
    adapter = moved(lab.build(name, model_type=model_type)).eval()
    from adapterxfer.variants.hooked import hooked_copy

    own = loaded.architecture.own_encoder
    model = loaded.model if own else hooked_copy(loaded.model, loaded.architecture)
    with torch.no_grad():
        bare, changed = (encode(model, lab.tokens, lab.mask, places_of(some)) for some in ([], [adapter]))
    assert (bare - changed)[lab.mask.bool()].abs().max() > 1e-3
