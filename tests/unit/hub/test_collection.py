"""A whole study on the Hub: bundles, an index card, a collection; again without change, and after faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hub_study import Make, StudyFiles
from stand_in_hub import StandInHub, card_problems

from adapterxfer.cli.main import main
from adapterxfer.errors import BundleError, HubError
from adapterxfer.hub.collection import PushedStudy, push_study, repository_name

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def publish(bundle: Make, **options: Any) -> PushedStudy:
    folders = [bundle("stack"), bundle("fuse"), bundle("stack", "world-pos"), bundle("stack", intermediate="none")]
    options = {"study": "hub-study", "title": "A study for bundles", "sleep": lambda seconds: None, **options}
    return push_study(folders, "org", **options)


def content(hub: StandInHub) -> dict[str, Any]:
    return dict(json.loads(hub.files("org/hub-study")["index.json"]))


def test_every_bundle_is_in_the_index_and_in_the_collection(bundle: Make, hub: StandInHub) -> None:
    done = publish(bundle, left_out=["tiny-full-ft-world-xnli"])
    assert done.changed
    rows = content(hub)["bundles"]
    (collection,) = hub.collections.values()
    assert [item["id"] for item in collection["items"]] == ["org/hub-study", *(row["repository"] for row in rows)]
    assert len(rows) == 4
    card = hub.files("org/hub-study")["README.md"].decode()
    assert card_problems(card) == []
    assert "Synthetic demonstration" in card
    assert "tiny-full-ft-world-xnli" in card
    for row, pushed in zip(rows, done.bundles, strict=True):
        assert row["commit"] == hub.repositories[row["repository"]].branches["main"] == pushed.commit
        results = json.loads(hub.files(row["repository"])["results.json"])
        (mean,) = [s for s in results["scores"] if s["group"] == "zero-shot" and s["target"] == row["target"]]
        assert row["score"] == mean["score"]
        assert f"{mean['score']:.1f} ({mean['low']:.1f} to {mean['high']:.1f})" in card
        (item,) = [item for item in collection["items"] if item["id"] == row["repository"]]
        assert f"{mean['score']:.1f}" in item["note"]["text"]
    gains = {(row["variant"], row["target"]): row["gain"] for row in rows}
    assert gains[("adapter", "world-xnli")] is None
    assert isinstance(gains[("stack", "world-xnli")], float)


def test_the_same_study_again_changes_nothing(bundle: Make, hub: StandInHub) -> None:
    first = publish(bundle)
    commits = {name: dict(found.branches) for name, found in hub.repositories.items()}
    before = len(hub.requests)
    second = publish(bundle)
    assert second.changed is False
    assert (second.collection, second.index.commit) == (first.collection, first.index.commit)
    assert {name: dict(found.branches) for name, found in hub.repositories.items()} == commits
    asked = hub.requests[before:]
    assert not [path for method, path in asked if "/commit/" in path or method in ("PUT", "PATCH") or "/items" in path]
    assert len(hub.collections) == 1


def test_a_changed_note_is_written_anew(bundle: Make, hub: StandInHub) -> None:
    publish(bundle)
    (collection,) = hub.collections.values()
    right = [item["note"] for item in collection["items"]]
    collection["items"][1]["note"] = {"text": "old", "html": "old"}
    assert publish(bundle).changed
    assert [item["note"] for item in collection["items"]] == right
    assert hub.count("PATCH", "/items/") == 1


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/collections$"), ("POST", "/items$"), ("POST", "/commit/")])
def test_a_broken_publication_is_completed(bundle: Make, hub: StandInHub, method: str, path: str) -> None:
    hub.fail(method, path, status=500, times=99)
    with pytest.raises(HubError, match="the Hub failed"):
        publish(bundle)
    hub.faults.clear()
    publish(bundle)
    (collection,) = hub.collections.values()
    assert len(collection["items"]) == 5
    assert publish(bundle).changed is False


def test_a_dry_run_sends_nothing(bundle: Make, hub: StandInHub) -> None:
    planned = publish(bundle, dry_run=True)
    assert planned.changed is None
    assert set(planned.index.files) == {"README.md", "index.json"}
    assert hub.requests == []


def test_names_stay_within_the_hubs_limits() -> None:
    assert repository_name("org", "study") == "org/study"
    long = repository_name("org", "study", "b" * 200)
    assert len(long.partition("/")[2]) == 96
    with pytest.raises(BundleError, match="no name on the Hub"):
        repository_name("a/b", "study")


def test_bundles_that_would_collide_are_refused(bundle: Make, hub: StandInHub) -> None:
    with pytest.raises(BundleError, match="two bundles would be"):
        push_study([bundle("stack"), bundle("stack")], "org", study="hub-study", title="x")
    with pytest.raises(BundleError, match="nothing to publish"):
        push_study([], "org", study="hub-study", title="x")
    assert hub.requests == []


def test_the_command(
    study: StudyFiles, hub: StandInHub, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """One bundle, one model of full fine-tuning that is left out; no progress bar in what is printed."""
    from huggingface_hub.utils import are_progress_bars_disabled, enable_progress_bars

    enable_progress_bars()
    monkeypatch.setattr("adapterxfer.hub.checking.verify_fresh", lambda folder, backbone=None: {
        "name": folder.name, "bytes": 1, "difference": 0.0})  # fmt: skip
    command = ["push", "--all", str(study.recipe), "--to", "org", "--store", str(study.store), "--out",
               str(tmp_path / "bundles"), "--only", "variant=stack,full-ft", "--only", "target=world-xnli", "--only",
               "intermediate=world-nli"]  # fmt: skip
    assert main([*command, "--dry-run"]) == 0
    assert "would push org/hub-study-tiny-stack-world-nli-world-xnli" in capfd.readouterr().out
    assert hub.requests == []
    assert main(command) == 0
    printed = capfd.readouterr()
    assert "left out 1 model of full fine-tuning" in printed.out
    assert "collection: https://huggingface.co/collections/org/" in printed.out
    assert are_progress_bars_disabled()
    assert "%|" not in printed.out + printed.err
    assert sorted(hub.repositories) == ["org/hub-study", "org/hub-study-tiny-stack-world-nli-world-xnli"]
    assert main(command) == 0
    assert "nothing changed" in capfd.readouterr().out
    assert main(["push", "x", "--to", "org/name", "--only", "variant=stack"]) == 2
    assert "--only belongs to --all" in capfd.readouterr().err
