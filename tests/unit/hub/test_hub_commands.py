"""The commands that share models, and the ones that a report prints."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hub_study import Make, StudyFiles
from stand_in_hub import StandInHub
from transfers import pull

from adapterxfer.cli.main import main
from adapterxfer.errors import BundleError
from adapterxfer.hub.addresses import parse_address
from adapterxfer.hub.inspection import inspect_bundle
from adapterxfer.store.store import Store

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def test_the_command_line(bundle: Make, hub: StandInHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(bundle("stack"))
    assert main(["push", folder, "--to", "org/name", "--dry-run"]) == 0
    assert "would push" in capsys.readouterr().out
    assert main(["push", folder, "--to", "org/name"]) == 0
    commit = hub.repositories["org/name"].branches["main"]
    assert f"org/name@{commit}" in capsys.readouterr().out
    assert main(["push", folder, "--to", "org/name"]) == 0
    assert "unchanged, no commit" in capsys.readouterr().out
    assert main(["pull", f"org/name@{commit}", "--out", str(tmp_path / "copy")]) == 0
    assert "verified" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "copy"), "--debug"]) == 0
    assert "stored probes" in capsys.readouterr().out
    (tmp_path / "copy" / "heads.safetensors").write_bytes(b"")
    assert main(["verify", str(tmp_path / "copy")]) == 2
    assert "heads.safetensors: 0 bytes; expected" in capsys.readouterr().err
    assert main(["pull", "org/nothing"]) == 1
    assert "no such repository" in capsys.readouterr().err


def test_the_commands_at_the_end_of_a_report_work_as_printed(
    study: StudyFiles, hub: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, store = study.plan(), Store(study.store)
    assert plan.report is not None
    text = (store.folder(plan.report) / "report.md").read_text()
    printed = [line.strip() for line in text.split("## Share it")[1].splitlines() if line.startswith("    ")]
    assert [line.split()[:2] for line in printed] == [["adapterxfer", "bundle"], ["adapterxfer", "push"]]
    (tmp_path / study.recipe.name).symlink_to(study.recipe)
    (tmp_path / "store").symlink_to(study.store)
    monkeypatch.chdir(tmp_path)
    for line in printed:
        assert main(shlex.split(line)[1:]) == 0, line
    (folder,) = (tmp_path / "bundles").iterdir()
    repository = f"ORG/{folder.name}"
    assert list(hub.repositories) == [repository]
    assert inspect_bundle(pull(repository).folder).name == folder.name


def test_a_target_without_training_is_never_the_one_to_share(study: StudyFiles) -> None:
    """However high retrieval scores: there is no model of that target, so no command could bundle it."""
    import dataclasses

    from adapterxfer.report.findings import find
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings
    from adapterxfer.report.sharing import sharing

    results = Results.from_plan(study.plan(), Store(study.store))
    findings = find(results, ReportSettings(title="x", recipe_file="x.yaml", resamples=100))
    high = [dataclasses.replace(s, score=99.0) if s.target == "world-retrieval" else s for s in findings.scores]
    assert any(s.score == 99.0 for s in high)
    found = sharing(dataclasses.replace(findings, scores=tuple(high)))
    assert found is not None
    assert "world-retrieval" not in found.commands[0]


def test_names() -> None:
    assert parse_address("org/name@main").revision == "main"
    assert parse_address("hub:org/name@" + "a" * 40).pinned
    for text in ("name", "a/b/c", "../x", "org/..", "org/name@", "org/na me", "org/-x", "/abs/path", "org/name@../x"):
        with pytest.raises(BundleError, match="no folder and no name on the Hub"):
            parse_address(text)
