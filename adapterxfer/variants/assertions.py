"""What must hold of every variant: a table assertion x variant x method, checked on each model built and trained.

A wrong composition trains without complaint and gives plausible numbers, so nothing is trained before the assertions on
the built model hold, and nothing is stored before those on the trained or merged one do. Each result goes into
``model.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch

from adapterxfer.catalog.methods import METHODS, MethodSpec
from adapterxfer.catalog.methods.configured import spec_with
from adapterxfer.catalog.variants import PARTS, VariantSpec
from adapterxfer.errors import VariantError
from adapterxfer.variants import measures, measures_merged
from adapterxfer.variants.casts import LOW
from adapterxfer.variants.measures import AssertionInput
from adapterxfer.variants.rules import Assertion, AssertionResult, Moment, Rule

EXACT = Rule("exact")
TRAINED_BEFORE = "its adapter was trained before"
TRAINED_FURTHER = "it is trained further as a whole"
NO_ADAPTER = "there is no adapter"


def _not(because: str) -> Rule:
    return Rule("not applicable", because=because)


def _all(rule: Rule) -> Callable[[VariantSpec], Rule]:
    return lambda _: rule


UNFUSED = _not("there is no fusion")
ALL_TRAINS = _not("everything beside the backbone trains")
MATTERS = Rule("at least", 1e-4)
"""For parts that must do something: ten times above what rounding alone changes (`ROUNDING`)."""
START = Rule("at most", 0.5)
RECORDED = Rule("recorded")

NO_LANGUAGE = _not("there is no adapter of a language")
INVERTIBLE = Rule("at most", 1e-5)

ROUNDING = Rule("at most", 1e-5)
"""For effects that are zero up to the order of additions: DoRA divides lengths that are equal."""

ROUNDINGS = 8
"""Steps of rounding, each of one machine epsilon, that states may be off where a backbone is in bfloat16 or float16."""

SAME_SUM = Rule("at most", 1e-6)
"""For weighted sums in double precision that are stored in single precision."""
PRODUCTS = Rule("at most", 1e-5)
"""For updates that are products of rounded factors."""

NEUTRAL: Mapping[str, Rule | None] = {
    "exact": None,
    "rounding": ROUNDING,
    "start": _not("the weights that change nothing are those it starts with, which 'effect-at-start' judges"),
    "moved": _not("its settings keep another residual than the block's output, so no weights change nothing"),
    "never": _not("it takes attention from the tokens whatever its weights"),
}
"""By `MethodSpec.neutral`, where the parts that are new have weights that change nothing."""

START_VALUES: Mapping[str, Rule | None] = {
    "normal": None,
    "neutral": _not("it starts without effect, which 'effect-at-start' judges"),
    "special": _not("its weights are not the matrices of a bottleneck"),
}
"""By `MethodSpec.start`."""


def _effect_at_start(method: MethodSpec) -> Rule | None:
    return ROUNDING if method.start == "neutral" else None


def _inverse(method: MethodSpec) -> Rule | None:
    return None if "embedding" in method.places else _not("it leaves the embeddings as they are")


def _merged_weights(method: MethodSpec) -> Rule | None:
    return PRODUCTS if method.merges == "updates" else None


COPIES = Rule("at most", 1e-3)
"""A fresh fusion's values are the identity up to 1e-6 in every other place, which sums up over the width."""


def _fresh(variant: VariantSpec, alone: Rule, fused: Rule) -> Rule:
    """Rules about the start of fresh adapters: of an adapter, or of several in a fusion."""
    if not variant.adapters:
        return _not(NO_ADAPTER)
    if variant.continues:
        return _not(TRAINED_BEFORE)
    return fused if variant.fuses else alone


def _intermediate_matters(variant: VariantSpec) -> Rule:
    if variant.control:
        return _not(variant.control)
    return _not("there is no intermediate") if variant.name in PARTS else MATTERS


BUILT: tuple[Moment, ...] = ("built",)
TRAINED: tuple[Moment, ...] = ("trained",)
MERGED: tuple[Moment, ...] = ("merged",)

TABLE: tuple[Assertion, ...] = (
    Assertion(
        name="trainable-names",
        says="names that train and should not, or should and do not",
        when=(*BUILT, *MERGED),
        measure=measures.wrong_trainable_names,
        of_variant=_all(EXACT),
    ),
    Assertion(
        name="prefix-free-names",
        says="module names that are the beginning of another",
        when=(*BUILT, *MERGED),
        measure=measures.colliding_module_names,
        of_variant=_all(EXACT),
    ),
    Assertion(
        name="neutral-when-zero",
        says="largest change of hidden states by the parts that are new, their up-projections set to zero",
        when=BUILT,
        measure=measures.change_by_zeroed_adapters,
        of_variant=lambda variant: _fresh(variant, EXACT, EXACT),
        of_method=lambda method: NEUTRAL[method.neutral],
        fresh=True,
    ),
    Assertion(
        name="start-values",
        says="relative error of the deviation of fresh adapter matrices; infinite if a bias is not zero",
        when=BUILT,
        measure=measures.error_of_start_values,
        of_variant=lambda variant: _fresh(variant, START, _not("its adapters were trained before")),
        of_method=lambda method: START_VALUES[method.start],
        fresh=True,
    ),
    Assertion(
        name="effect-at-start",
        says="relative change of hidden states by the fresh adapter as initialised: small, not zero, and growing with "
        "size",
        when=BUILT,
        measure=measures.change_by_fresh_adapter,
        of_variant=lambda variant: _fresh(variant, RECORDED, _not("a fresh fusion starts as the mean of its adapters")),
        of_method=_effect_at_start,
        fresh=True,
    ),
    Assertion(
        name="fusion-of-copies",
        says="relative distance between a fresh fusion of one adapter with itself and that adapter",
        when=BUILT,
        measure=measures.distance_of_fused_copies,
        of_variant=lambda variant: COPIES if variant.fuses else UNFUSED,
        fresh=True,
    ),
    Assertion(
        name="intermediate-matters",
        says="smallest relative change of the logits when an intermediate's effect is set to zero",
        when=BUILT,
        measure=measures.change_without_intermediate,
        of_variant=_intermediate_matters,
    ),
    Assertion(
        name="language-matters",
        says="relative change of the logits when the adapter of the language is left out",
        when=BUILT,
        measure=measures.change_without_language,
        of_variant=_all(NO_LANGUAGE),
        above_language=MATTERS,
    ),
    Assertion(
        name="invertible-embeddings",
        says="largest relative error when the map of the embeddings is taken back",
        when=(*BUILT, *MERGED),
        measure=measures.error_of_inverse,
        of_variant=lambda variant: INVERTIBLE if variant.adapters else _not(NO_ADAPTER),
        of_method=_inverse,
        above_language=INVERTIBLE,
    ),
    Assertion(
        name="padding-invariance",
        says="largest relative change of hidden states at real tokens when more padding is appended",
        when=(*BUILT, *MERGED),
        measure=measures.change_by_padding,
        of_variant=_all(Rule("at most", 1e-4)),
    ),
    Assertion(
        name="backbone-weights",
        says="1 if the fingerprint of the backbone's weights is not that before training",
        when=(*TRAINED, *MERGED),
        measure=measures.backbone_changed,
        of_variant=lambda variant: Rule("at least", 1.0) if variant.trains_backbone else EXACT,
    ),
    Assertion(
        name="frozen-weights",
        says="1 if the fingerprint of the frozen adapters changed in training",
        when=TRAINED,
        measure=measures.frozen_parts_changed,
        of_variant=lambda variant: EXACT if variant.keeps_adapters else ALL_TRAINS,
        above_language=EXACT,
    ),
    Assertion(
        name="everything-trained",
        says="parts that should train and whose weights are all unchanged",
        when=TRAINED,
        measure=measures.parts_left_untrained,
        of_variant=_all(EXACT),
    ),
    Assertion(
        name="complete-on-disk",
        says="tensors missing, unknown or different when the stored file is read again",
        when=(*TRAINED, *MERGED),
        measure=measures.differences_on_disk,
        of_variant=_all(EXACT),
    ),
    Assertion(
        name="merged-weights",
        says="largest relative difference between a tensor (an update, for LoRA) and the same sum computed another way",
        when=MERGED,
        measure=measures_merged.error_of_merged_weights,
        of_variant=_all(SAME_SUM),
        of_method=_merged_weights,
    ),
    Assertion(
        name="merged-parts-matter",
        says="smallest relative change of hidden states when an adapter's effect, or that of the backbone's merged "
        "weights, is taken away",
        when=MERGED,
        measure=measures_merged.change_without_merged_parts,
        of_variant=lambda variant: MATTERS if variant.trains else _not("only heads are merged"),
    ),
)
"""Rows in the order they are checked."""


def check(when: Moment, evidence: AssertionInput) -> list[AssertionResult]:
    """Measure and judge all assertions of one moment.

    Args:
        when: the moment; see `Moment`.
        evidence: the model and what is needed to measure; its parameters, mode and gradients are left as they were.

    Raises:
        VariantError: an assertion does not hold; all that fail are named.
    """
    composition = evidence.model.composition
    verdicts, failed = [], []
    for assertion in TABLE:
        if when not in assertion.when:
            continue
        rule = _in_format(_rule(assertion, evidence), evidence)
        value = None if rule.kind == "not applicable" else float(assertion.measure(evidence))
        verdicts.append(AssertionResult(assertion.name, rule.kind, rule.limit, value, rule.because))
        if value is not None and not rule.holds(value):
            bound = "0" if rule.kind == "exact" else f"{rule.kind} {rule.limit:g}"
            failed.append(f"{assertion.name}: {assertion.says} is {value:g}; expected {bound}")
    if failed:
        raise VariantError(
            f"variant '{composition.variant}' on backbone '{evidence.model.loaded.name}', {when}:\n  "
            + "\n  ".join(failed),
            fix="do not trust this model; the library versions or the adapters it was built from differ from what "
            "this version was made for",
        )
    return verdicts


def as_json(verdicts: Iterable[AssertionResult]) -> list[dict[str, Any]]:
    """Verdicts as JSON values."""
    return [verdict.as_json() for verdict in verdicts]


def _in_format(rule: Rule, evidence: AssertionInput) -> Rule:
    """The rule for a backbone whose states have fewer digits than float32: what is at most rounding may be larger."""
    dtype = next(evidence.model.backbone.parameters()).dtype
    if rule.kind != "at most" or dtype not in LOW:
        return rule
    return replace(rule, limit=max(rule.limit, ROUNDINGS * torch.finfo(dtype).eps))


def _rule(assertion: Assertion, evidence: AssertionInput) -> Rule:
    composition = evidence.model.composition
    if assertion.fresh and evidence.trained_before:
        return _not(TRAINED_FURTHER)
    if assertion.name == "intermediate-matters" and composition.trains_backbone and not composition.intermediate:
        return _not("there is no intermediate")
    if assertion.above_language is not None and composition.language is not None:
        return assertion.above_language
    rule = assertion.of_variant(composition.spec)
    if rule.kind == "not applicable" or not composition.adapters:
        return rule
    last = composition.adapters[-1]
    return assertion.of_method(spec_with(METHODS[last.method], last.config)) or rule
