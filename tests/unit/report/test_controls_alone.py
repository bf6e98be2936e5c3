"""Studies without anything to compare: controls alone, or the source language alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from planted_hypotheses import results_of
from planted_study import LANGUAGES, PlantedStudy, plant, write_accuracy

from adapterxfer.report.content import Findings
from adapterxfer.report.display import Cell
from adapterxfer.report.findings import find
from adapterxfer.report.headline import headline
from adapterxfer.report.page import facts_line
from adapterxfer.report.settings import ReportSettings


def findings_of(study: PlantedStudy) -> Findings:
    return find(results_of(study), ReportSettings(title="planted", recipe="planted", resamples=200, seed=3))


def control_cell(backbone: str, predict: str, control: str, *, seed: int = 0) -> Cell:
    size = 9 if backbone else 0
    labels = {"backbone": backbone, "variant": "control", "intermediate": "none", "target": "xnli", "seed": seed,
              "parameters": size, "non_embedding_parameters": size, "predict": predict, "control": control}  # fmt: skip
    return Cell.from_labels(labels)


def controls_alone(tmp_path: Path, *, missing: bool = False) -> PlantedStudy:
    """A head on the frozen backbone with two seeds, and a rule; nothing else was asked for."""
    rng = np.random.default_rng(5)
    cells = [control_cell("tiny-1", f"head-{seed}", "head-only", seed=seed) for seed in (1, 2)]
    cells.append(control_cell("", "majority", "majority"))
    folders = {}
    for cell, share in zip(cells, (0.6, 0.6, 0.9), strict=True):
        folders[cell.predict] = tmp_path / cell.predict
        write_accuracy(folders[cell.predict], {code: rng.random(100) < share for code in LANGUAGES}, target="xnli")
    if missing:
        folders.pop("head-2")
    return PlantedStudy(cells, folders, LANGUAGES)


def test_a_study_of_controls_alone_says_so_and_shows_its_scores(tmp_path: Path) -> None:
    findings = findings_of(controls_alone(tmp_path))
    (best,) = (s.score for s in findings.scores if s.control == "head-only" and s.group_kind == "zero-shot")
    said = "There are only controls, of which no gain can be asked; best zero-shot scores of head-only: xnli"
    assert headline(findings).sentence == f"{said} {best:.1f}."
    assert findings.seeds == (1, 2)
    assert "2 seeds" in facts_line(findings)
    assert "unfinished study" not in {caution.check for caution in findings.cautions}
    assert any(c.check == "controls alone" and "nothing to compare" in c.text for c in findings.cautions)


def test_controls_whose_study_is_not_finished(tmp_path: Path) -> None:
    findings = findings_of(controls_alone(tmp_path, missing=True))
    assert headline(findings).sentence.startswith("There are only controls so far, of which no gain can be asked; best")
    assert findings.seeds == (1,)
    assert {caution.check for caution in findings.cautions} >= {"unfinished study", "controls alone"}


def test_a_study_of_the_source_language_alone_is_finished_all_the_same(tmp_path: Path) -> None:
    languages = {"en": LANGUAGES["en"]}
    findings = findings_of(plant(tmp_path, lambda *_: 0.0, targets=("xnli",), languages=languages))
    said = "No language but the source language is tested, so there is no zero-shot score."
    assert headline(findings).sentence == said
