"""What the report concludes: planted effects are found, absent ones are not, and every caveat is stated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planted_study import LANGUAGES, PlantedStudy, plant, write_accuracy

from adapterxfer.catalog import ORACLE, oracle_label
from adapterxfer.report.content import MODELS_ONLY, Effect, Findings
from adapterxfer.report.display import Cell
from adapterxfer.report.findings import find
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.tables import build_tables

SETTINGS = ReportSettings(title="planted", recipe="planted", resamples=200, seed=3)


def findings_of(study: PlantedStudy, settings: ReportSettings = SETTINGS) -> Findings:
    return find(Results.from_folders(study.cells, study.folders, languages=study.languages), settings)


def control_cell(backbone: str, predict: str, control: str, *, seed: int = 0) -> Cell:
    size = 9 if backbone else 0
    return Cell(
        backbone=backbone,
        variant="control",
        intermediate="none",
        target="xnli",
        seed=seed,
        parameters=size,
        non_embedding_parameters=size,
        predict=predict,
        control=control,
    )


def mean_effects(findings: Findings, kind: str) -> dict[str, Effect]:
    """Variant -> zero-shot effect averaged over pairs and sizes."""
    return {
        e.variant: e
        for e in findings.effects
        if e.kind == kind and not e.backbone and not e.intermediate and e.group_kind == "zero-shot" and not e.pair_kind
    }


def test_batches_of_questions_change_no_number(planted: PlantedStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = findings_of(planted)
    monkeypatch.setattr("adapterxfer.report.verdicts.BATCH", 37)
    assert findings_of(planted).as_json() == whole.as_json()


def test_planted_gain_is_found_for_every_variant(planted: PlantedStudy) -> None:
    findings = findings_of(planted)
    gains = mean_effects(findings, "gain")
    assert set(gains) == {"full-ft", "stack", "fuse"}
    for effect in gains.values():
        assert effect.verdict == "difference found"
        assert effect.estimate == pytest.approx(12.0, abs=2.5)
        assert effect.low < effect.estimate < effect.high
        assert effect.items_p_adjusted is not None
        assert effect.items_p_adjusted < 0.05
    assert findings.summary[0] == "An English intermediate task helps with full-ft, stack and fuse."


def test_absent_gain_is_inconclusive_and_never_called_no_difference(null_study: PlantedStudy) -> None:
    findings = findings_of(null_study)
    for effect in mean_effects(findings, "gain").values():
        assert effect.verdict == "inconclusive"
        assert effect.low < 0 < effect.high
    single = [e for e in findings.effects if e.hypotheses == "gain of each cell"]
    # Holm keeps the chance of any false row at 5 % for each scope; more than one of 18 would be a defect.
    assert sum(e.verdict == "difference found" or e.remark == MODELS_ONLY for e in single) <= 1
    assert findings.summary[0] == "An English intermediate task: open for full-ft, stack and fuse."


def test_gain_that_falls_with_size_gives_a_negative_slope(tmp_path: Path) -> None:
    sizes = {"tiny-1": 20.0, "tiny-2": 12.0, "tiny-3": 2.0}
    study = plant(tmp_path, lambda backbone, *_: sizes[backbone], examples=400, seeds=(1, 2, 3), targets=("xnli",))
    findings = findings_of(study)
    slope = mean_effects(findings, "trend")["full-ft"]
    # 18 points over log10(450 / 60) = 0.875 decades.
    assert slope.estimate == pytest.approx(-20.6, abs=5.0)
    assert slope.verdict == "difference found"
    assert findings.summary[1].startswith("As backbones grow, the gain falls with full-ft")


def test_adapter_that_loses_the_gain_is_found_and_its_scores_too(tmp_path: Path) -> None:
    study = plant(tmp_path, lambda _b, variant, *_: 14.0 if variant == "full-ft" else 1.0, seeds=(1, 2, 3))
    kept = mean_effects(findings_of(study), "gain kept")["stack"]
    assert kept.verdict == "difference found"
    assert kept.estimate == pytest.approx(-13.0, abs=3.0)


def test_gain_in_one_family_only_is_seen_in_that_family(tmp_path: Path) -> None:
    study = plant(tmp_path, lambda _b, _v, _i, _t, language: 15.0 if language.startswith("c") else 0.0, seeds=(1, 2, 3))
    by_family = {
        e.group: e
        for e in findings_of(study).effects
        if e.kind == "gain" and e.group_kind == "family" and not e.backbone and e.variant == "stack"
    }
    assert by_family["C"].verdict == "difference found"
    assert by_family["A"].verdict == "inconclusive"


def test_p_values_are_adjusted_within_the_family_of_default_hypotheses(planted: PlantedStudy) -> None:
    findings = findings_of(planted)
    families = {row.family: row for row in findings.default_families}
    assert set(families) <= {effect.hypotheses for effect in findings.effects}
    for effect in findings.effects:
        assert effect.adjustment
        if effect.p is not None and effect.p_adjusted is not None:
            assert effect.p_adjusted >= effect.p - 1e-12
        if not effect.judged_in:
            assert families[effect.hypotheses].tests >= 1
    for name, row in families.items():
        judged = {(e.estimate, e.p): e for e in findings.effects if e.hypotheses == name and not e.judged_in}
        assert row.found == sum(e.verdict == "difference found" for e in judged.values())


def test_adapter_baseline_is_one_system_for_stack_and_fuse(planted: PlantedStudy) -> None:
    findings = findings_of(planted)
    same = [
        e
        for e in findings.effects
        if e.kind == "variant difference" and {e.variant, e.against} == {"stack", "fuse"} and e.intermediate == "none"
    ]
    assert same == []


def test_two_sizes_are_called_a_difference(tmp_path: Path) -> None:
    sizes = {"tiny-1": (200_000, 60_000), "tiny-3": (740_000, 450_000)}
    study = plant(tmp_path, lambda *_: 5.0, sizes=sizes, examples=60, targets=("xnli",))
    trend = next(answer for answer in findings_of(study).answers if "shrink" in answer.question)
    assert trend.remark == "Two sizes give a difference, not a trend."
    assert "per tenfold" not in trend.statements[0].text


def test_one_seed_speaks_about_these_models_only(tmp_path: Path) -> None:
    findings = findings_of(plant(tmp_path, lambda *_: 15.0, seeds=(1,)))
    assert {effect.verdict for effect in findings.effects} == {"inconclusive"}
    gain = mean_effects(findings, "gain")["stack"]
    assert gain.remark == MODELS_ONLY
    assert gain.verdict_text == "inconclusive; for these trained models alone: found"
    assert findings.summary[0] == (
        "An English intermediate task: open for full-ft, stack and fuse (for these trained models alone: helps)."
    )
    said = [s for answer in findings.answers for s in answer.statements if findings.effects[s.effect] == gain]
    assert said
    assert all((s.verdict, s.remark) == ("inconclusive", MODELS_ONLY) for s in said)
    # What new test items would show bounds nothing about training again.
    assert not any("minimum detectable effect" in s.text for s in said)
    assert any(caution.check == "few seeds" and "trained once" in caution.text for caution in findings.cautions)


def test_overlapping_pairs_are_left_out_of_means_and_named(tmp_path: Path) -> None:
    study = plant(tmp_path, lambda _b, _v, _i, target, _l: 20.0 if target == "panx" else 0.0)
    cells = [replace(c, overlap=c.target == "panx" and c.intermediate == "nli") for c in study.cells]
    findings = findings_of(PlantedStudy(cells, study.folders, study.languages))
    gain = mean_effects(findings, "gain")["full-ft"]
    assert gain.pairs == 1
    assert gain.verdict == "inconclusive"
    assert any(c.check == "overlapping data" and "nli with panx" in c.text for c in findings.cautions)


def test_missing_cells_are_listed_and_balanced_away(planted: PlantedStudy) -> None:
    gone = {f"panx-tiny-2-full-ft-nli-{seed}" for seed in (1, 2, 3)}
    folders = {name: place for name, place in planted.folders.items() if name not in gone}
    findings = findings_of(PlantedStudy(planted.cells, folders, planted.languages))
    assert findings.finished == findings.planned - 3
    assert "full-ft nli > panx on tiny-2, seed 1" in findings.missing
    assert mean_effects(findings, "gain")["full-ft"].pairs == 1
    assert mean_effects(findings, "gain")["stack"].pairs == 2
    assert any(caution.check == "unfinished study" for caution in findings.cautions)


def test_controls_stand_beside_scores_and_are_warned_about(tmp_path: Path) -> None:
    study = plant(tmp_path, lambda *_: 0.0, targets=("xnli",), variants=("full-ft",), examples=200)
    rng = np.random.default_rng(5)
    folders = dict(study.folders)
    for name, share in (("majority", 0.3), ("lookup", 0.9)):
        folders[name] = tmp_path / name
        correct = {code: rng.random(200) < share for code in LANGUAGES}
        write_accuracy(folders[name], correct, target="xnli")
    controls = [control_cell("", name, name) for name in ("majority", "lookup")]
    findings = findings_of(PlantedStudy([*study.cells, *controls], folders, study.languages))
    against = {(e.against, e.backbone): e for e in findings.effects if e.kind == "above control"}
    assert against["majority", "tiny-1"].estimate > 15
    assert against["lookup", "tiny-1"].estimate < -15
    assert {s.control for s in findings.scores} >= {"majority", "lookup"}
    warned = next(c for c in findings.cautions if c.check == "not above a control")
    assert "lookup" in warned.text
    assert "majority" not in warned.text
    answer = next(a for a in findings.answers if "controls" in a.question)
    assert answer.statements[0].subject == "xnli"
    assert "strongest control, lookup: full-ft -" in answer.statements[0].text
    assert findings.summary[-1] == "On no target is every score above every control (checked: xnli)."


def test_an_oracle_is_shown_and_judged_nowhere(tmp_path: Path) -> None:
    """A diagnostic far above everything changes no effect, verdict, caution or sentence; it only has rows of scores."""
    study = plant(tmp_path, lambda *_: 0.0, targets=("xnli",), variants=("full-ft",), examples=200)
    folders, rng = dict(study.folders), np.random.default_rng(5)
    cells = []
    for seed in (1, 2):
        name = f"oracle-{seed}"
        folders[name] = tmp_path / name
        write_accuracy(folders[name], {code: rng.random(200) < 0.99 for code in LANGUAGES}, target="xnli")
        cells.append(control_cell("tiny-1", name, ORACLE + "full-ft", seed=seed))
    without = findings_of(study)
    findings = findings_of(PlantedStudy([*study.cells, *cells], folders, study.languages))
    assert findings.as_json()["effects"] == without.as_json()["effects"]
    assert findings.answers == without.answers
    assert findings.cautions == without.cautions
    assert findings.summary == without.summary
    assert {s.control for s in findings.scores} - {s.control for s in without.scores} == {ORACLE + "full-ft"}
    (table,) = (table for table in build_tables(findings) if table.name == "scores")
    (row,) = (row for row in table.rows if str(row[2]).startswith("diagnostic, not zero-shot: oracle"))
    assert row[-1] == 2, "seeds"


def with_oracle(study: PlantedStudy, folder: Path, label: str, share: float, backbone: str) -> PlantedStudy:
    """The study with a diagnostic that is right on a share of the items of every language."""
    folders, rng, cells = dict(study.folders), np.random.default_rng(5), []
    for seed in (1, 2):
        name = f"{label}-{seed}".replace("/", "_")
        folders[name] = folder / name
        write_accuracy(folders[name], {code: rng.random(200) < share for code in LANGUAGES}, target="xnli")
        cells.append(control_cell(backbone, name, label, seed=seed))
    return PlantedStudy([*study.cells, *cells], folders, study.languages)


def test_a_diagnostic_stands_beside_scores_of_the_same_languages(tmp_path: Path) -> None:
    """Two of four target languages have no development data: no score there, and no mean over the other two passes
    for one over all four."""
    study = plant(tmp_path, lambda *_: 0.0, targets=("xnli",), variants=("full-ft", "stack"), examples=200)
    backbone, adapter = next((c.backbone, c.adapter) for c in study.cells if c.variant == "stack")
    without = findings_of(study)
    label = oracle_label(f"stack {adapter} after nli", ("a3", "c1"))
    findings = findings_of(with_oracle(study, tmp_path, label, 0.95, backbone))
    plain, made = without.as_json(), findings.as_json()
    counted = {"planned", "finished"}
    assert {key for key in plain if plain[key] != made[key]} == {"scores", *counted}, "nothing else knows of it"
    rows = {(s.group_kind, s.group) for s in findings.scores if s.control == label}
    assert rows == {("source", "en"), ("language", "a1"), ("language", "c3")}
    tables = {table.name: table for table in build_tables(findings)}
    ((*head, zero_shot, oracle, count, lacking, seeds),) = tables["oracle"].rows
    assert head == ["xnli", backbone, f"stack {adapter}", "nli"]
    own = [
        s.score
        for s in findings.scores
        if (s.backbone, s.shown, s.intermediate) == (backbone, "stack", "nli") and s.group in ("a1", "c3")
    ]
    assert len(own) == 2
    assert zero_shot == pytest.approx(sum(own) / 2)
    assert oracle == pytest.approx(95, abs=3)
    assert (count, lacking, seeds) == ("2 of 4", "a3 c1", 2)
    names = [column.label for column in tables["oracle"].columns]
    assert names[4:6] == ["zero-shot, same languages", "diagnostic: oracle (target dev)"]
    (row,) = (row for row in tables["scores"].rows if "oracle" in str(row[2]))
    assert row[4] is None, "no zero-shot mean"
    assert "oracle" not in {table.name for table in build_tables(without)}


def test_untouched_backbone_has_no_run_variance(tmp_path: Path) -> None:
    """A retrieval target: `none` is one prediction file for all seeds and variants."""
    rng = np.random.default_rng(0)
    folders: dict[str, Path] = {}
    cells: list[Cell] = []
    for variant in ("full-ft", "stack"):
        for seed in (1, 2):
            for intermediate, share in (("none", 0.4), ("nli", 0.6)):
                name = "untouched" if intermediate == "none" else f"{variant}-{seed}"
                adapter = "seq_bn/2" if variant == "stack" else ""
                cells.append(
                    Cell(
                        backbone="tiny-1",
                        variant=variant,
                        adapter=adapter,
                        intermediate=intermediate,
                        target="tatoeba",
                        seed=seed,
                        parameters=200,
                        non_embedding_parameters=60,
                        predict=name,
                    )
                )
                if name not in folders:
                    folders[name] = tmp_path / name
                    correct = {code: rng.random(150) < share for code in LANGUAGES}
                    write_accuracy(folders[name], correct, target="tatoeba")
    findings = findings_of(PlantedStudy(cells, folders, LANGUAGES))
    baseline = next(s for s in findings.scores if s.intermediate == "none" and s.group_kind == "zero-shot")
    assert baseline.seeds == 1
    assert mean_effects(findings, "gain")["stack"].estimate == pytest.approx(20.0, abs=6.0)


def test_backbone_without_context_is_named(planted: PlantedStudy) -> None:
    diagnostics = {
        "tiny-1": {"heldout": {"mlm": 5.85, "unigram": 5.78, "shuffled": 5.85}},
        "tiny-2": {"heldout": {"mlm": 4.4, "unigram": 6.3, "shuffled": 8.4}},
    }
    findings = findings_of(planted, replace(SETTINGS, diagnostics=diagnostics))
    named = [c.text for c in findings.cautions if c.check == "backbone uses no context"]
    assert len(named) == 1
    assert named[0].startswith("tiny-1")


def test_kinds_of_pairs_are_not_averaged_together(tmp_path: Path) -> None:
    """A task before its own kind helps, before another kind it hurts; retrieval has no training of its own."""
    planted = {
        ("world-nli", "world-xnli"): 14.0,
        ("world-qa", "world-xnli"): -14.0,
        ("world-nli", "world-retrieval"): -20.0,
    }
    study = plant(
        tmp_path,
        lambda _b, _v, intermediate, target, _l: planted.get((intermediate, target), 0.0),
        intermediates=("none", "world-nli", "world-qa"),
        targets=("world-xnli", "world-retrieval"),
        variants=("full-ft", "stack"),
        seeds=(1, 2, 3),
    )
    findings = findings_of(study)
    kinds = {(e.pair_kind, e.variant): e for e in findings.effects if e.hypotheses == "gain by kind of pair"}
    assert kinds["same kind", "stack"].estimate == pytest.approx(14.0, abs=3.0)
    assert kinds["other kind", "stack"].estimate == pytest.approx(-14.0, abs=3.0)
    assert kinds["no target training", "stack"].pairs == 2
    assert mean_effects(findings, "gain")["stack"].pairs == 2
    assert findings.summary[0] == "An intermediate task of the same kind as the target helps with full-ft and stack."
    assert findings.summary[1] == "One of another kind hurts with full-ft and stack."


def test_study_without_intermediate_tasks_asks_about_scores(tmp_path: Path) -> None:
    study = plant(tmp_path, lambda *_: 0.0, intermediates=("none",), examples=60)
    findings = findings_of(study)
    assert findings.question.startswith("How well do these models do")
    assert {e.kind for e in findings.effects} == {"variant difference", "tier difference"}


def test_two_backbones_of_one_size_are_no_trend(tmp_path: Path) -> None:
    sizes = {"tiny-1": (200_000, 60_000), "tiny-1-seed2": (200_000, 60_000)}
    findings = findings_of(plant(tmp_path, lambda *_: 8.0, sizes=sizes, examples=60, targets=("xnli",)))
    assert not [e for e in findings.effects if e.kind == "trend"]
    assert mean_effects(findings, "gain")


def test_nothing_finished_is_still_a_report(planted: PlantedStudy) -> None:
    findings = findings_of(PlantedStudy(planted.cells, {}, planted.languages))
    assert findings.finished == 0
    assert findings.effects == ()
    assert findings.missing


def test_equivalent_needs_a_declared_margin(tmp_path: Path) -> None:
    """Stack and full fine-tuning gain alike: said only against a margin, and only one that is wide enough."""
    study = plant(tmp_path, lambda *_: 10.0, examples=400, seeds=(1, 2, 3, 4, 5), variants=("full-ft", "stack"))
    results = Results.from_folders(study.cells, study.folders, languages=study.languages)

    def kept(margin: float | None) -> Effect:
        found = find(results, ReportSettings(resamples=400, margin=margin))
        text = " ".join(found.method)
        assert ("declares no margin: statistics.margin" in text) == (margin is None)
        (effect,) = [e for e in found.effects if e.kind == "gain kept" and not e.backbone]
        assert all(e.verdict != "equivalent" and e.p_equivalent is None for e in found.effects if e.kind == "trend")
        gains = [e for e in found.effects if e.kind == "gain" and not e.backbone and not e.intermediate]
        assert {e.verdict for e in gains if e.group_kind == "zero-shot"} == {"difference found"}
        (answer,) = [a for a in found.answers if a.question == "Do adapters keep the gain?"]
        assert ("Equivalent within the declared margin of 8 points" in answer.statements[0].text) == (margin == 8.0)
        return effect

    without, narrow, wide = kept(None), kept(0.05), kept(8.0)
    assert (without.verdict, without.p_equivalent) == ("inconclusive", None)
    assert narrow.verdict == "inconclusive"
    assert narrow.p_equivalent is not None
    assert narrow.p_equivalent > 0.05
    assert (wide.verdict, wide.verdict_text) == ("equivalent", "equivalent within 8 points")
    assert (without.estimate, without.p) == (wide.estimate, wide.p)
