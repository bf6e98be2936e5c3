"""Questions asked apart from the report: one number has one verdict, interval and smallest effect everywhere."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from planted_study import plant

from adapterxfer.recipe.hypotheses import asked, read_hypotheses
from adapterxfer.report.content import Effect
from adapterxfer.report.findings import asked_apart, find
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings

SETTINGS = ReportSettings(recipe="planted", resamples=200)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Three backbones and seeds; full fine-tuning gains 8 points, fusion in some languages what it loses in others."""
    in_language = {"a1": 12.0, "a3": -12.0, "c1": 12.0, "c3": -12.0, "en": 0.0}
    study = plant(
        tmp_path_factory.mktemp("apart"),
        lambda _b, variant, _i, _t, code: {"full-ft": 8.0, "stack": 0.0, "fuse": in_language[code]}[variant],
        examples=60, seeds=(1, 2, 3), targets=("xnli",),
    )  # fmt: skip
    return Results.from_folders(study.cells, study.folders, languages=study.languages)


@pytest.fixture(scope="module")
def effects(results: Results) -> tuple[Effect, ...]:
    return find(results, SETTINGS).effects


@pytest.mark.parametrize(
    ("kind", "question", "turned"),
    [
        ("variant difference", {"contrast": "difference", "of": "score", "a": "stack", "b": "full-ft"}, False),
        ("variant difference", {"contrast": "difference", "of": "score", "a": "full-ft", "b": "stack"}, True),
        ("gain kept", {"contrast": "difference", "a": "stack", "b": "full-ft"}, False),
        ("gain", {"contrast": "gain", "over": {"variant": "full-ft"}}, False),
    ],
)
def test_a_number_of_the_report_has_its_interval_and_its_smallest_effect(
    results: Results, effects: tuple[Effect, ...], kind: str, question: dict[str, Any], *, turned: bool
) -> None:
    sides = ("stack", "full-ft") if "a" in question else ("full-ft",)
    rows = {
        effect.backbone: effect
        for effect in effects
        if (effect.kind, effect.variant, effect.group_kind) == (kind, sides[0], "zero-shot")
        and effect.against in sides[1:] + ("",) * (len(sides) == 1)
        and not effect.intermediate and not effect.target and not effect.pair_kind
    }  # fmt: skip
    tests = [*asked_apart(results, SETTINGS, [asked(question)])]
    tests += asked_apart(results, SETTINGS, [asked({**question, "each": ["backbone"]})])
    assert len(tests) == len(rows) == 4
    sign = -1.0 if turned else 1.0
    for test in tests:
        row = rows[test.subject]
        assert "Judged as" in test.remark
        assert test.detectable == pytest.approx(row.detectable)
        assert (test.outcome, test.p_adjusted) == (row.verdict, row.p_adjusted)
        assert test.p == pytest.approx(row.p)
        assert test.standard_error == pytest.approx(row.standard_error)
        assert test.estimate == pytest.approx(sign * row.estimate)
        assert row.adjusted_low is not None
        assert row.adjusted_high is not None
        ends = [(row.low, row.high), (row.adjusted_low, row.adjusted_high)]
        expected = [pair if sign > 0 else (-pair[1], -pair[0]) for pair in ends]
        assert (test.low, test.high) == pytest.approx(expected[0])
        assert test.ends == pytest.approx(expected[1])


def test_every_row_of_power_has_the_smallest_effect_of_the_test_that_decides(results: Results) -> None:
    """Numbers of targets were once judged in a family of their own, and scopes were ignored."""
    declared: list[dict[str, Any]] = [
        {
            "id": scope.replace("+", "."),
            "family": scope.replace("+", "."),
            "contrast": "gain",
            "over": {"variant": "fuse"},
            "scope": scope,
        }
        for scope in ("items", "items+runs", "languages")
    ]
    findings = find(results, replace(SETTINGS, hypotheses=read_hypotheses(declared)))
    spent = {row.subject: row for row in findings.spending}
    for test in findings.tests:
        row = spent[test.name]
        assert row.detectable == pytest.approx(test.detectable)
        if test.scope != "languages":
            assert row.standard_error == pytest.approx(test.standard_error)
        assert row.runs is not None
        assert row.interaction is not None
        total = math.sqrt(row.items**2 + row.runs**2 + row.interaction**2)
        assert total == pytest.approx(row.standard_error)
        assert dict(row.with_seeds)[3] == pytest.approx(row.detectable, rel=1e-6)
    assert spent["items"].standard_error != spent["items.runs"].standard_error
    assert spent["items"].runs == 0.0
    assert len({test.detectable for test in findings.tests}) == 3
    assert spent["languages"].advice == "Neither seeds nor test items: the scatter over languages decides."
    gains = {
        effect.variant: effect for effect in findings.effects
        if effect.hypotheses == "mean gain" or (effect.kind == "gain" and effect.judged_in.startswith("hypothesis"))
        if not (effect.backbone or effect.intermediate or effect.target or effect.pair_kind)
        and effect.group_kind == "zero-shot"
    }  # fmt: skip
    assert set(gains) == {"full-ft", "stack", "fuse"}
    for variant, effect in gains.items():
        for name in (f"Gain, {variant}", f"Gain on xnli, {variant}"):
            assert spent[name].detectable == pytest.approx(effect.detectable), name
            assert spent[name].standard_error == pytest.approx(effect.standard_error)
            assert spent[name].estimate == pytest.approx(effect.estimate)
        assert spent[f"Gain on xnli, {variant}"].languages


def test_a_gain_of_one_backbone_keeps_the_variance_that_its_family_moderates(
    results: Results, effects: tuple[Effect, ...]
) -> None:
    (row,) = [
        effect for effect in effects
        if (effect.kind, effect.variant, effect.backbone, effect.hypotheses)
        == ("gain", "full-ft", "tiny-1", "gain at each size") and effect.group_kind == "zero-shot"
    ]  # fmt: skip
    (test,) = asked_apart(
        results, SETTINGS, [asked({"contrast": "gain", "over": {"variant": "full-ft", "backbone": "tiny-1"}})]
    )
    assert "moderated" in row.resampled
    assert test.resampled == row.resampled
    assert (test.p, test.standard_error) == pytest.approx((row.p, row.standard_error))
    assert (test.rungs[1].low, test.rungs[1].high) == pytest.approx((row.low, row.high))


@pytest.mark.parametrize("turned", [False, True])
def test_a_one_sided_verdict_says_nothing_of_the_other_side(results: Results, *, turned: bool) -> None:
    sides = {"a": "full-ft", "b": "stack"}
    question: dict[str, Any] = {"contrast": "difference", "of": "score", "alternative": "greater", **sides}
    settings = replace(SETTINGS, hypotheses=read_hypotheses([{"id": "better", "family": "better", **question}]))
    question |= {"a": "stack", "b": "full-ft"} if turned else {}
    (test,) = asked_apart(results, settings, [asked(question)])
    assert ("Judged as hypothesis better" in test.remark) != turned
    assert test.estimate is not None
    assert test.p is not None
    assert (test.estimate > 0) == (test.p < 0.5)
