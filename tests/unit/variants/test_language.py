"""Adapters of languages below those of tasks: the table of assertions, its mutants, and swapping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from adapterxfer.errors import VariantError
from adapterxfer.variants import model as model_module
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.assertions import check
from adapterxfer.variants.composition import AdapterPart, Composition, HeadPart
from adapterxfer.variants.invertible import InvertibleBottleneck
from adapterxfer.variants.measures import AssertionInput
from adapterxfer.variants.merging import MergeMember, merge

Make = Callable[..., AssertionInput]
HEADS = (HeadPart("h00", "pos", "tagging", ("x", "y")),)
ABOVE = [(v, m, "xlm-roberta") for v in ("adapter", "stack") for m in ("seq_bn", "double_seq_bn", "lora", "prefix")]
ABOVE += [("sequential", "seq_bn", "xlm-roberta"), ("stack", "seq_bn_inv", "xlm-roberta")]
ABOVE += [("fuse", "seq_bn", t) for t in ("xlm-roberta", "xlm-roberta-xl", "deberta-v2", "modernbert")]
ABOVE += [("stack", "seq_bn", t) for t in ("xlm-roberta-xl", "deberta-v2", "modernbert")]


def step(found: AssertionInput) -> None:
    model = found.model.train()
    hidden = model(found.batch.input_ids, found.batch.attention_mask)
    (model.head("pos")(hidden, found.batch).square().sum() + hidden[found.real].square().mean()).backward()
    with torch.no_grad():
        for parameter in model.trainable().values():
            assert parameter.grad is not None or parameter.ndim == 1  # the key bias of a fusion cancels
            parameter.sub_(0.02 * (parameter.grad if parameter.grad is not None else 1.0))
            parameter.grad = None
    model.eval()


@pytest.mark.parametrize("language", ["seq_bn_inv", "seq_bn"])
@pytest.mark.parametrize(("variant", "method", "model_type"), ABOVE)
def test_all_assertions_hold(variant: str, method: str, model_type: str, language: str, evidence_of: Make) -> None:
    found = evidence_of(variant, method, model_type, language=language)
    values = {verdict.assertion: verdict.value for verdict in check("built", found)}
    assert (values["language-matters"] or 0) > 1e-3
    assert (values["invertible-embeddings"] or 0) <= 1e-5
    assert not any(name.startswith("adapters.l00.") for name in found.model.trainable())
    step(found)
    after = {verdict.assertion: verdict for verdict in check("trained", found)}
    assert after["frozen-weights"].kind == "exact"


def _silence(found: AssertionInput) -> None:
    found.model.adapters["l00"].neutralise()  # type: ignore[operator]


def _unfreeze(found: AssertionInput) -> None:
    found.model.adapters["l00"].requires_grad_(True)


class _Forgetful(InvertibleBottleneck):
    """Takes the second step back first, as if the two did not depend on each other."""

    def invert(self, states: Tensor) -> Tensor:
        half = self.first.up.out_features
        a, b = states[..., :half], states[..., half:]
        a = a - self.first.run(b)
        return torch.cat([a, b - self.second.run(a)], dim=-1)


def _wrong_inverse(found: AssertionInput) -> None:
    found.model.adapters["l00"][0].__class__ = _Forgetful  # type: ignore[index]


@pytest.mark.parametrize(
    ("assertion", "mutate"),
    [("language-matters", _silence), ("trainable-names", _unfreeze), ("invertible-embeddings", _wrong_inverse)],
)
@pytest.mark.parametrize("variant", ["adapter", "stack", "fuse"])
def test_mutants_are_caught(
    variant: str, assertion: str, mutate: Callable[[AssertionInput], None], evidence_of: Make
) -> None:
    found = evidence_of(variant, language="seq_bn_inv")
    mutate(found)
    with pytest.raises(VariantError, match=f"\n  {assertion}: "):
        check("built", found)


def test_a_changed_language_is_caught_after_training(evidence_of: Make) -> None:
    found = evidence_of("adapter", language="seq_bn_inv")
    step(found)
    with torch.no_grad():
        found.model.adapters["l00"][0].first.down.bias[0] += 1e-6  # type: ignore[index]
    with pytest.raises(VariantError, match=r"frozen-weights.*is 1"):
        check("trained", found)


def test_a_language_left_out_of_a_fusion_is_caught(evidence_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_module, "below", lambda lower, upper: upper or lower)
    with pytest.raises(VariantError, match="language-matters"):
        check("built", evidence_of("fuse", language="seq_bn_inv"))


@pytest.mark.parametrize("model_type", ["xlm-roberta", "deberta-v2"])
def test_another_language_takes_its_place(model_type: str, evidence_of: Make) -> None:
    found, other = (evidence_of("stack", "seq_bn", model_type, language="seq_bn_inv") for _ in range(2))
    with torch.no_grad():
        for parameter in other.model.adapters["l00"].parameters():
            parameter.mul_(-1.5)
    ids, mask = found.batch.input_ids, found.batch.attention_mask
    with torch.no_grad():
        english, expected = found.model.eval()(ids, mask), other.model.eval()(ids, mask)
        found.model.speak(other.model.adapters["l00"])  # type: ignore[arg-type]
        swapped = found.model(ids, mask)
    assert torch.equal(swapped[found.real], expected[found.real])
    assert (swapped - english)[found.real].abs().max() > 1e-2
    assert not any(parameter.requires_grad for parameter in found.model.adapters["l00"].parameters())


def test_what_cannot_take_its_place(evidence_of: Make) -> None:
    generator = torch.Generator()
    small = Adapter(2, 32, AdapterShape("seq_bn_inv", 3), generator=generator)
    with pytest.raises(VariantError, match="train all language adapters of a study with one method and size"):
        evidence_of("adapter", language="seq_bn_inv").model.speak(small)
    with pytest.raises(VariantError, match="for a model with none"):
        evidence_of("adapter").model.speak(small)


def test_the_language_lies_below_the_task(evidence_of: Make) -> None:
    """The order matters: the task's adapter reads what the language's made, not the other way round."""
    found = evidence_of("sequential", language="seq_bn")
    model: Any = found.model.eval()
    ids, mask = found.batch.input_ids, found.batch.attention_mask
    with torch.no_grad():
        right = model(ids, mask)
        model.adapters["l00"], model.adapters["t00"] = model.adapters["t00"], model.adapters["l00"]
        wrong = model(ids, mask)
    assert (right - wrong)[found.real].abs().max() > 1e-3


def test_compositions() -> None:
    below, task = (
        AdapterPart(id="l00", role="language", name="en", method="seq_bn_inv", bottleneck_size=4),
        AdapterPart(id="t00", role="target", name="t", method="seq_bn", bottleneck_size=4),
    )
    made = Composition("adapter", (below, task), HEADS)
    assert made.language == below
    assert made.task_adapters == (task,)
    assert Composition.from_json(made.as_json()) == made
    with pytest.raises(VariantError, match="is not one that can be built"):
        Composition("language", (below, task), HEADS)
    with pytest.raises(VariantError, match="is not one that can be built"):
        Composition("full-ft", (task,), HEADS)


def test_a_merge_keeps_the_language(evidence_of: Make) -> None:
    one, two = (evidence_of("sequential", language="seq_bn_inv").model for _ in range(2))
    with torch.no_grad():
        for parameter in two.adapters["t00"].parameters():
            parameter.add_(0.1)
    members = [MergeMember(m.composition, m.own_state(), 0.5) for m in (one, two)]
    composition, state = merge(members)
    assert composition.language == one.composition.language
    kept = {n: t for n, t in one.own_state().items() if n.startswith("adapters.l00.")}
    assert kept
    assert all(torch.equal(state[name], tensor) for name, tensor in kept.items())
    middle = (one.own_state()["adapters.t00.0.up.bias"] + two.own_state()["adapters.t00.0.up.bias"]) / 2
    assert torch.allclose(state["adapters.t00.0.up.bias"], middle)
    plain = evidence_of("sequential").model
    with pytest.raises(VariantError, match="cannot be merged"):
        merge([members[0], MergeMember(plain.composition, plain.own_state(), 0.5)])


def test_embeddings_of_another_width_are_refused(evidence_of: Make) -> None:
    with pytest.raises(VariantError, match="the embeddings of rembert are narrower"):
        evidence_of("adapter", "seq_bn", "rembert", language="seq_bn_inv")
