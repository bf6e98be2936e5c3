"""The commands at the end of a report: for models that can be bundled, and for others the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from planted_study import PlantedStudy, plant

from adapterxfer.report.content import Findings
from adapterxfer.report.findings import find
from adapterxfer.report.page import render_html, render_markdown
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.sharing import sharing


def findings_with(root: Path, adapter: str) -> Findings:
    """A study in which `stack` is best, with one adapter."""
    study: PlantedStudy = plant(
        root, lambda _, variant, *rest: 20.0 if variant == "stack" else 5.0, variants=("full-ft", "stack")
    )
    cells = [replace(cell, adapter=adapter if cell.variant == "stack" else "") for cell in study.cells]
    results = Results.from_folders(cells, study.folders, languages=study.languages)
    return find(results, ReportSettings(title="planted", recipe="planted", recipe_file="planted.yaml", resamples=100))


def test_a_model_that_can_be_bundled_has_its_commands(tmp_path: Path) -> None:
    found = sharing(findings_with(tmp_path, "seq_bn/2"))
    assert found is not None
    assert "stack after nli on tiny-3" in found.text
    assert [command.split()[1] for command in found.commands] == ["bundle", "push"]


def test_commands_call_the_recipe_as_the_run_did_and_quote_what_a_shell_would_split(tmp_path: Path) -> None:
    findings = findings_with(tmp_path, "seq_bn/2")
    for file, shown in {
        "quickstart": "quickstart",
        "studies/mine.yaml": "studies/mine.yaml",
        "my studies/a b.yaml": "'my studies/a b.yaml'",
    }.items():
        found = sharing(replace(findings, recipe_file=file))
        assert found is not None
        assert found.commands[0].startswith(f"adapterxfer bundle {shown} --only backbone=tiny-3 --only variant=stack")
        assert "recipe_file" not in findings.as_json()


def test_scores_of_no_recipe_are_not_said_how_to_bundle(tmp_path: Path) -> None:
    findings = replace(findings_with(tmp_path, "seq_bn/2"), recipe_file="")
    assert sharing(findings) is None
    assert "adapterxfer bundle" not in render_html(findings, (), ())


@pytest.mark.parametrize(
    ("adapter", "reason"),
    [("seq_bn/2+language", "rests on language adapters"), ("seq_bn/2/upper-half", "upper half of the layers")],
)
def test_a_model_that_is_refused_has_the_reason_in_place_of_commands(tmp_path: Path, adapter: str, reason: str) -> None:
    findings = findings_with(tmp_path, adapter)
    assert findings.adapters == {"stack": adapter}
    found = sharing(findings)
    assert found is not None
    assert found.commands == ()
    assert "stack after nli on tiny-3" in found.text
    assert reason in found.text
    for text in (render_markdown(findings, (), ()), render_html(findings, (), ())):
        assert reason in text
        assert "adapterxfer bundle" not in text


def test_models_that_search_are_no_bundles(tmp_path: Path) -> None:
    findings = findings_with(tmp_path, "seq_bn/2")
    searching = [replace(s, target="lareqa", score=99.0) if s.target == "xnli" else s for s in findings.scores]
    targets = tuple(replace(facts, name="lareqa") if facts.name == "xnli" else facts for facts in findings.targets)
    both = replace(findings, scores=tuple(searching), targets=targets)
    found = sharing(both)
    assert found is not None
    assert "target=panx" in found.commands[0]
    alone = replace(both, scores=tuple(score for score in searching if score.target == "lareqa"))
    found = sharing(alone)
    assert found is not None
    assert found.commands == ()
    assert "searched" in found.text
