"""Every assertion on merged models lets a sound merge pass and catches a mutant made for it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from adapterxfer.backbones.loaded import with_own_weights
from adapterxfer.catalog.methods import names_of
from adapterxfer.errors import VariantError
from adapterxfer.variants.assertions import TABLE, check
from adapterxfer.variants.bottleneck import Bottleneck
from adapterxfer.variants.measures import AssertionInput
from adapterxfer.variants.merging import MergeMember, merge
from adapterxfer.variants.places import Norm
from adapterxfer.variants.storage import assemble

Make = Callable[..., AssertionInput]
Mutate = Callable[[AssertionInput], None]
MERGED = [assertion.name for assertion in TABLE if "merged" in assertion.when]
WEIGHTS = (0.25, 0.75)


def shifted(state: dict[str, Tensor], *, by: float, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: t + by * torch.randn(t.shape, generator=generator) for name, t in state.items()}


def evidence_of_merge(
    make: Make,
    variant: str,
    method: str = "seq_bn",
    *,
    language: str = "",
    arithmetic: bool = False,
    change: Callable[[dict[str, Tensor]], None] = lambda state: None,
) -> AssertionInput:
    """A merge of two models with its evidence; ``change`` breaks the merged tensors before the model is made."""
    found = make(variant, method, **({"language": language} if language else {}))
    loaded, composition = found.model.loaded, found.model.composition
    own = {name: tensor.detach().clone() for name, tensor in found.model.own_state().items()}
    states = [shifted(own, by=0.1, seed=seed) for seed in (1, 2)]
    for state in states:
        state |= {name: tensor for name, tensor in own.items() if name.startswith("adapters.l00.")}
    origin = {n: torch.full_like(t, 0.125) for n, t in own.items()} if arithmetic else None
    members = [MergeMember(composition, state, weight) for state, weight in zip(states, WEIGHTS, strict=True)]
    composition, merged = merge(members, origin)
    change(merged)
    backbone = with_own_weights(replace(loaded, model=found.pristine)) if composition.trains_backbone else loaded
    model = assemble(
        composition, backbone, merged, make_head=lambda part: copy.deepcopy(found.model.heads[part.id]), where="merge"
    )
    return replace(
        found,
        model=model,
        start={},
        start_backbone=loaded.fingerprint,
        stored=lambda: {name: tensor.clone() for name, tensor in model.own_state().items()},
        members=members,
        origin=origin,
    )


@pytest.mark.parametrize("arithmetic", [False, True])
@pytest.mark.parametrize(
    ("variant", "method"),
    [
        ("full-ft", "seq_bn"),
        ("head-only", "seq_bn"),
        *(("sequential", method) for method in names_of(lambda spec: spec.merges)),
        ("stack", "lora"),
        ("fuse", "seq_bn"),
    ],
)
def test_sound_merges_pass(variant: str, method: str, arithmetic: bool, evidence_of: Make) -> None:
    found = evidence_of_merge(evidence_of, variant, method, arithmetic=arithmetic)
    verdicts = check("merged", found)
    assert [verdict.assertion for verdict in verdicts] == MERGED
    values = {verdict.assertion: verdict.value for verdict in verdicts}
    assert values["merged-weights"] is not None
    assert (values["merged-parts-matter"] is None) == (variant == "head-only")
    assert values["backbone-weights"] == float(variant == "full-ft")


def test_a_merge_above_a_language_passes(evidence_of: Make) -> None:
    found = evidence_of_merge(evidence_of, "stack", "seq_bn", language="seq_bn_inv")
    values = {verdict.assertion: verdict.value for verdict in check("merged", found)}
    assert values["invertible-embeddings"] is not None
    with torch.no_grad():
        next(found.model.adapters["l00"].parameters()).add_(0.1)
    with pytest.raises(VariantError, match="merged-weights"):
        check("merged", found)


def test_a_head_of_another_task_stays_the_first_members(evidence_of: Make) -> None:
    found = evidence_of_merge(evidence_of, "sequential")
    other = replace(found.members[1].composition, heads=(replace(found.model.composition.heads[0], task="other"),))
    found.members = [found.members[0], replace(found.members[1], composition=other)]
    with pytest.raises(VariantError, match="merged-weights"):
        check("merged", found)
    with torch.no_grad():
        for name, tensor in found.model.heads["h00"].state_dict().items():
            tensor.copy_(found.members[0].state[f"heads.h00.{name}"])
    check("merged", found)


def _unfreeze_backbone(found: AssertionInput) -> None:
    next(found.model.backbone.parameters()).requires_grad_(True)


def _rename(found: AssertionInput) -> None:
    found.model.adapters["t"] = found.model.adapters["t00"]


def _gate_over_padding(found: AssertionInput) -> None:
    class Gated(Bottleneck):
        def ffn(self, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
            changed = super().ffn(total, residual, norm)
            return total + (changed - total) * (1 + total.mean(dim=1, keepdim=True))

    for layer in found.model.adapters["t00"]:  # type: ignore[union-attr]
        layer.__class__ = Gated


def _other_backbone(found: AssertionInput) -> None:
    found.start_backbone = "0" * 64


def _untouched_backbone(found: AssertionInput) -> None:
    assert found.pristine is not None
    found.model.backbone.load_state_dict(found.pristine.state_dict())


def _lose_stored(found: AssertionInput) -> None:
    state = found.model.own_state()
    found.stored = lambda: {name: tensor for name, tensor in state.items() if not name.endswith("bias")}


def _change_stored(found: AssertionInput) -> None:
    state = found.model.own_state()
    found.stored = lambda: {name: tensor + 1e-7 for name, tensor in state.items()}


def _nudge_one_tensor(found: AssertionInput) -> None:
    with torch.no_grad():
        list(found.model.trainable().values())[-1].add_(1e-5)


def _swap_weights(found: AssertionInput) -> None:
    first, second = found.members
    found.members = [replace(first, weight=second.weight), replace(second, weight=first.weight)]


def _forget_members(found: AssertionInput) -> None:
    found.members = ()


def _silence(found: AssertionInput) -> None:
    module: Any = found.model.adapters[found.model.composition.adapters[0].id]
    module.neutralise()


MUTANTS: list[tuple[str, str, str, Mutate]] = [
    ("trainable-names", "sequential", "seq_bn", _unfreeze_backbone),
    ("prefix-free-names", "sequential", "seq_bn", _rename),
    ("padding-invariance", "sequential", "seq_bn", _gate_over_padding),
    ("backbone-weights", "sequential", "lora", _other_backbone),
    ("backbone-weights", "full-ft", "seq_bn", _untouched_backbone),
    ("complete-on-disk", "stack", "seq_bn", _lose_stored),
    ("complete-on-disk", "full-ft", "seq_bn", _change_stored),
    ("merged-weights", "head-only", "seq_bn", _nudge_one_tensor),
    ("merged-weights", "full-ft", "seq_bn", _swap_weights),
    ("merged-weights", "sequential", "rslora", _swap_weights),
    ("merged-weights", "fuse", "seq_bn", _swap_weights),
    ("merged-weights", "stack", "seq_bn", _forget_members),
    ("merged-parts-matter", "stack", "seq_bn", _silence),
    ("merged-parts-matter", "sequential", "lora", _silence),
    ("merged-parts-matter", "fuse", "seq_bn", _silence),
    ("merged-parts-matter", "full-ft", "seq_bn", _untouched_backbone),
]


@pytest.mark.parametrize(("assertion", "variant", "method", "mutate"), MUTANTS)
def test_mutants_of_merged_models_are_caught(
    assertion: str, variant: str, method: str, mutate: Mutate, evidence_of: Make
) -> None:
    found = evidence_of_merge(evidence_of, variant, method)
    mutate(found)
    with pytest.raises(VariantError, match=f"variant '{variant}'.*merged") as caught:
        check("merged", found)
    assert f"\n  {assertion}: " in str(caught.value)


def _factors_averaged(members: list[MergeMember], state: dict[str, Tensor]) -> None:
    """The classic mistake: averaged factors bring products between different models."""
    for name in state:
        if ".first." in name:
            mean = sum(member.weight * member.state[name] for member in members)
            state[name] = torch.cat([mean, torch.zeros_like(mean)])
        elif ".second." in name:
            mean = sum(2 * member.weight * member.state[name] for member in members)
            state[name] = torch.cat([mean, torch.zeros_like(mean)], dim=1)


def test_averaged_factors_are_caught(evidence_of: Make) -> None:
    found = evidence_of_merge(evidence_of, "sequential", "lora")
    members = list(found.members)
    with pytest.raises(VariantError, match="merged-weights"):
        check(
            "merged",
            evidence_of_merge(evidence_of, "sequential", "lora", change=lambda s: _factors_averaged(members, s)),
        )


def test_a_forgotten_start_is_caught(evidence_of: Make) -> None:
    found = evidence_of_merge(evidence_of, "sequential", "seq_bn", arithmetic=True)
    check("merged", found)
    assert found.origin is not None
    found.origin = {name: tensor * 0 for name, tensor in found.origin.items()}
    check("merged", found)  # the weights add up to 1, so the start cancels
    found.members = [replace(found.members[0], weight=0.5), found.members[1]]
    with pytest.raises(VariantError, match="merged-weights"):
        check("merged", found)


def test_every_assertion_on_merges_has_a_mutant() -> None:
    assert {name for name, *_ in MUTANTS} | {"invertible-embeddings"} == set(MERGED)


def test_inputs_without_labels_are_enough(evidence_of: Make) -> None:
    """Nothing asserted of a merge asks a head, so any batch of token ids will do."""
    found = evidence_of_merge(evidence_of, "stack")
    found.batch = SimpleNamespace(input_ids=found.batch.input_ids, attention_mask=found.batch.attention_mask)
    found.task = "no such task"
    assert check("merged", found)
