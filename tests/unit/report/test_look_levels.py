"""A study that is judged more than once: levels, what decides when, and looks nobody declared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from planted_study import PlantedStudy, plant

from adapterxfer.cli.report import say_verdicts
from adapterxfer.exchange.item_tables import write_item_tables
from adapterxfer.recipe.hypotheses import asked, read_hypotheses
from adapterxfer.report.content import plain
from adapterxfer.report.findings import asked_apart, compared, find, spending, verdicts
from adapterxfer.report.look_levels import declared_looks, undeclared
from adapterxfer.report.results import Results
from adapterxfer.report.score_files import read_scores
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.undecided import undecided

DECLARED: list[dict[str, Any]] = [
    {"id": "helps", "family": "helps", "contrast": "gain", "over": {"variant": "full-ft"}},
    {"id": "nothing", "family": "nothing", "contrast": "gain", "over": {"variant": "stack"}},
]
SETTINGS = ReportSettings(recipe="planted", resamples=200, looks=(3, 5, 10), hypotheses=read_hypotheses(DECLARED))
LATE = replace(SETTINGS, looks=(5, 10))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> PlantedStudy:
    """Ten seeds: full fine-tuning gains 25 points, stack nothing."""
    return plant(
        tmp_path_factory.mktemp("looks"),
        lambda _b, variant, *_: 25.0 if variant == "full-ft" else 0.0,
        examples=60, seeds=tuple(range(1, 11)), variants=("full-ft", "stack"), targets=("xnli",),
        sizes={"tiny-1": (200_000, 60_000)},
    )  # fmt: skip


def results_of(study: PlantedStudy, seeds: int, *, planned: int = 10) -> Results:
    """The first seeds are finished, of those that are planned."""
    cells = [cell for cell in study.cells if cell.seed <= planned]
    folders = {cell.predict: study.folders[cell.predict] for cell in cells if cell.seed <= seeds}
    return Results.from_folders(cells, folders, languages=study.languages)


def test_levels_are_those_of_the_declared_looks() -> None:
    assert [(look.number, look.seeds) for look in declared_looks(SETTINGS)] == [(1, 3), (2, 5), (3, 10)]
    assert [round(look.alpha, 5) for look in declared_looks(SETTINGS)] == [0.00035, 0.00544, 0.04776]
    assert declared_looks(replace(SETTINGS, looks=())) == ()


@pytest.mark.parametrize(("finished", "look"), [(3, 1), (4, 1), (5, 2), (9, 2), (10, 3)])
def test_a_study_is_judged_at_the_last_look_it_reaches(study: PlantedStudy, finished: int, look: int) -> None:
    results = results_of(study, finished)
    seeds = SETTINGS.looks[look - 1]
    tests = {test.hypothesis: test for test in verdicts(results, SETTINGS)}
    nothing = tests["nothing"]
    assert nothing.outcome == "inconclusive"
    assert nothing.runs == seeds
    assert f"look {look} of 3, with {seeds} seeds" in nothing.remark
    alone = replace(SETTINGS, looks=(), level=1.0 - declared_looks(SETTINGS)[look - 1].alpha)
    same = {test.hypothesis: test for test in verdicts(results_of(study, seeds, planned=seeds), alone)}
    assert (nothing.p, nothing.low, nothing.high) == (same["nothing"].p, same["nothing"].low, same["nothing"].high)


def test_what_a_look_decided_stays_decided_as_it_was(study: PlantedStudy) -> None:
    at_five, at_ten = (
        {test.hypothesis: test for test in verdicts(results_of(study, seeds), SETTINGS)} for seeds in (5, 10)
    )
    first = at_five["helps"]
    assert first.outcome == "difference found"
    assert at_ten["helps"] == first
    assert first.runs in (3, 5)


@pytest.mark.parametrize("finished", [2, 3, 5, 6, 10])
def test_a_table_is_judged_at_the_look_its_seeds_reach(study: PlantedStudy, tmp_path: Path, finished: int) -> None:
    """Tables had no seeds to count: whatever they held, the first look was yet to come."""
    results = results_of(study, finished)
    write_item_tables(results, tmp_path, about={"study": "planted", "adapterxfer": "0.1.0"})
    table = read_scores(tmp_path / "xnli.parquet")
    assert table.trained_seeds == tuple(sorted({cell.seed for cell in results.cells}))
    assert [plain(test) for test in verdicts(table, SETTINGS)] == [plain(t) for t in verdicts(results, SETTINGS)]
    (decided,) = [test for test in verdicts(table, SETTINGS) if test.hypothesis == "helps"]
    assert (decided.outcome == "difference found") == (finished >= 3)


def test_an_expectation_before_the_first_look_is_not_judged_yet(
    study: PlantedStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = [{**claim, "expect": "positive"} for claim in DECLARED]
    settings = replace(SETTINGS, hypotheses=read_hypotheses(expected))
    say_verdicts(verdicts(results_of(study, 2), settings))
    shown = capsys.readouterr().out
    assert shown.count("expected positive: not judged yet\n") == 2


def test_before_the_first_look_nothing_is_judged(study: PlantedStudy) -> None:
    results = results_of(study, 2)
    tests = verdicts(results, SETTINGS)
    assert {test.outcome for test in tests} == {"inconclusive"}
    assert all("the first declared look is at 3 seeds" in test.remark for test in tests)
    findings = find(results, SETTINGS)
    assert {effect.verdict for effect in findings.effects} == {"inconclusive"}
    assert findings.settings["look"] is None


def test_the_report_says_which_look_it_is_about(study: PlantedStudy) -> None:
    findings = find(results_of(study, 5), SETTINGS)
    assert findings.settings["looks"] == [3, 5, 10]
    assert findings.settings["look"]["seeds"] == 5
    assert findings.settings["level"] == pytest.approx(1.0 - findings.settings["look"]["alpha"])
    gain = next(e for e in findings.effects if e.kind == "gain" and e.variant == "full-ft" and not e.intermediate)
    assert gain.verdict == "difference found"


def test_only_undecided_tests_name_systems_for_more_seeds(study: PlantedStudy) -> None:
    tests, rows = undecided(results_of(study, 5), SETTINGS)
    assert len(tests) == 2
    (row,) = rows
    assert row.test.hypothesis == "nothing"
    assert {place.variant for place in row.systems} == {"stack"}
    assert {place.intermediate for place in row.systems} == {"none", "nli"}
    assert {place.seed for place in row.systems} == {0}


def test_what_later_seeds_take_back_is_counted_as_it_was_found(
    study: PlantedStudy, tmp_path_factory: pytest.TempPathFactory
) -> None:
    opposite = plant(
        tmp_path_factory.mktemp("opposite"),
        lambda _b, variant, *_: -25.0 if variant == "full-ft" else 0.0,
        examples=60, seeds=tuple(range(1, 11)), variants=("full-ft", "stack"), targets=("xnli",),
        sizes={"tiny-1": (200_000, 60_000)},
    )  # fmt: skip
    late = {cell.predict: opposite.folders[cell.predict] for cell in study.cells if cell.seed > 5}
    results = Results.from_folders(study.cells, {**study.folders, **late}, languages=study.languages)
    findings = find(results, LATE)
    assert {test.hypothesis: test.outcome for test in findings.tests}["helps"] == "difference found"
    assert {row.family: (row.found, row.inconclusive) for row in findings.families}["helps"] == (1, 0)
    at_the_end = find(results, replace(LATE, looks=()))
    assert {row.family: (row.found, row.inconclusive) for row in at_the_end.families}["helps"] == (0, 1)


@pytest.mark.parametrize("finished", [2, 5, 10])
def test_families_and_ladders_count_the_outcomes_that_are_shown(study: PlantedStudy, finished: int) -> None:
    """Families were once counted at the last look, and main questions were decided before the first one."""
    findings = find(results_of(study, finished), LATE)
    shown = {test.family: test.outcome for test in findings.tests}
    assert {row.family: row.found for row in findings.families} == {
        family: int(outcome == "difference found") for family, outcome in shown.items()
    }
    assert ("difference found" in shown.values()) == (finished > 2)
    counted = {row.family: (row.tests, row.found) for row in findings.default_families}
    for family, (tests, found) in counted.items():
        rows = {(e.estimate, e.p): e for e in findings.effects if e.hypotheses == family and not e.judged_in}
        assert (tests, found) == (len(rows), sum(e.verdict == "difference found" for e in rows.values())), family
    assert any(found for _, found in counted.values()) == (finished > 2)
    means = {
        effect.variant: effect for effect in findings.effects
        if effect.kind == "gain" and effect.group_kind == "zero-shot"
        and not (effect.backbone or effect.intermediate or effect.target or effect.pair_kind)
    }  # fmt: skip
    for ladder in findings.ladders:
        if ladder.text.startswith("Gain, "):
            assert (ladder.outcome, ladder.runs) == (means[ladder.subject].verdict, means[ladder.subject].seeds)


SIDES = {"contrast": "difference", "of": "score", "a": "stack", "b": "full-ft"}


@pytest.mark.parametrize("finished", [2, 3, 5, 10])
def test_questions_asked_apart_are_judged_at_the_same_look(study: PlantedStudy, finished: int) -> None:
    """`compare`, `contrast` and `power` once took all seeds that were finished, at the level of a single look."""
    results = results_of(study, finished)
    findings = find(results, SETTINGS)
    assert spending(results, SETTINGS) == findings.spending
    (row,) = [
        effect for effect in findings.effects
        if (effect.kind, effect.variant, effect.backbone) == ("variant difference", "stack", "")
    ]  # fmt: skip
    (test,) = asked_apart(results, SETTINGS, [asked(SIDES)])
    same = compared(results, SETTINGS, ("stack", "full-ft"), of="score", over={})
    mean = next(effect for effect in same if not effect.backbone)
    assert (mean.verdict, mean.p_adjusted, mean.ends, mean.seeds) == (row.verdict, row.p_adjusted, row.ends, row.seeds)
    assert (test.outcome, test.p_adjusted, test.runs) == (row.verdict, row.p_adjusted, row.seeds)
    assert test.ends == pytest.approx(row.ends)
    for hypothesis in DECLARED:
        (again,) = asked_apart(results, SETTINGS, [asked({**hypothesis, "id": "asked", "family": "asked"})])
        (known,) = [other for other in findings.tests if other.hypothesis == hypothesis["id"]]
        assert (again.outcome, again.verdict, again.p_adjusted) == (known.outcome, known.verdict, known.p_adjusted)
        assert (again.ends, again.detectable) == (known.ends, known.detectable)
        assert ("the first declared look is at 3 seeds" in again.remark) == (finished == 2)


@pytest.mark.parametrize(
    ("looks", "earlier", "seeds", "rate"),
    [((), (2,), 3, "7.7%"), ((), (2, 3, 5), 10, "13.2%"), ((), (), 3, ""), ((2, 3), (2,), 3, ""), ((), (3,), 3, "")],
)
def test_an_undeclared_look_is_named_with_its_error_rate(
    looks: tuple[int, ...], earlier: tuple[int, ...], seeds: int, rate: str
) -> None:
    caution = undeclared(replace(SETTINGS, looks=looks, earlier_looks=earlier), seeds)
    assert (caution is not None) == bool(rate)
    if caution is not None:
        assert f"in {rate} of studies, in more of them where the runs are few, and not in 5%" in caution.text
