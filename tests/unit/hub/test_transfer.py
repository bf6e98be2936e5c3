"""Push and pull over HTTP against a Hub on localhost: round trips, faults, and caches."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hub_study import Make, StudyFiles
from safetensors.torch import load_file
from stand_in_hub import StandInHub, card_problems

from adapterxfer import load_bundle
from adapterxfer.cli.main import main
from adapterxfer.errors import BundleError, HubError
from adapterxfer.hub.inspection import inspect_bundle
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.places import parse_place
from adapterxfer.hub.pulling import Pulled
from adapterxfer.hub.pulling import pull as pull_from
from adapterxfer.hub.pushing import push as push_to
from adapterxfer.store.store import Store

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

VARIANTS = ("full-ft", "sequential", "stack", "fuse")
TRAINED = ("world-xnli", "world-pos", "world-xqa", "world-xmc")


class Waits(list[float]):
    """Takes the place of time.sleep."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def push(folder: Path, **options: object) -> object:
    return push_to(folder, "org/name", sleep=Waits(), **options)  # type: ignore[arg-type]


def pull(place: str = "org/name") -> Pulled:
    return pull_from(parse_place(place), sleep=Waits())


@pytest.mark.parametrize("target", TRAINED)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_and_format_makes_the_round_trip(
    bundle: Make, hub: StandInHub, variant: str, target: str
) -> None:
    folder = bundle(variant, target)
    pushed = push_to(folder, "org/name")
    assert pushed.changed
    pulled = pull(f"org/name@{pushed.commit}")
    assert pulled.fetched
    before, after = open_bundle(folder).model, open_bundle(pulled.folder).model
    for name, tensor in before.own_state().items():
        assert torch.equal(tensor, after.own_state()[name]), name
    ids = torch.tensor([[0, 7, 8, 9, 2]])
    with torch.inference_mode():
        assert float((before(ids) - after(ids)).abs().max()) <= 1e-6


FRESH = """
import sys
import torch
from safetensors.torch import save_file
from adapterxfer import load_bundle
from adapterxfer.formats.registry import get_format
from adapterxfer.hub.manifest import read_json
from adapterxfer.hub.probes import ask

answers = {}
for place in sys.argv[2:]:
    bundle = load_bundle(place)
    for head in bundle.manifest.composition.heads:
        probes = read_json(bundle.folder / "probes.json")["probes"][head.id]["examples"]
        _, outputs, hidden, _ = ask(bundle.model, head.id, get_format(head.format, head.protocol), probes)
        answers[place.partition("@")[0] + " outputs"], answers[place.partition("@")[0] + " hidden"] = outputs, hidden
    answers[place.partition("@")[0] + " embed"] = torch.from_numpy(bundle.embed(["red cat", "the dog sees a house"]))
save_file({name: tensor.contiguous() for name, tensor in answers.items()}, sys.argv[1])
"""


def test_a_fresh_process_with_an_empty_cache_gives_the_same_logits(
    bundle: Make, hub: StandInHub, tmp_path: Path
) -> None:
    """Every variant on every format, and the intermediate models that retrieval is evaluated with."""
    folders = {f"org/{v}-{t}": bundle(v, t) for v in VARIANTS for t in TRAINED}
    folders |= {f"org/{v}-retrieval": bundle(v, phase="intermediate") for v in ("full-ft", "stack")}
    places = [f"{name}@{push_to(folder, name, private=True).commit}" for name, folder in folders.items()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HF_HOME": str(tmp_path / "hf")}
    command = [sys.executable, "-c", FRESH, str(tmp_path / "answers.safetensors"), *places]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "%|" not in done.stderr, "a progress bar"
    found = load_file(tmp_path / "answers.safetensors")
    assert len(found) == 3 * len(folders) == 54
    for name, folder in folders.items():
        loaded = load_bundle(folder)
        stored = load_file(folder / "probes.safetensors")
        (head,) = loaded.manifest.composition.heads
        embedded = torch.from_numpy(loaded.embed(["red cat", "the dog sees a house"]))
        for kind, expected in (
            ("outputs", stored[f"{head.id}.outputs"]), ("hidden", stored[f"{head.id}.hidden"]), ("embed", embedded),
        ):  # fmt: skip
            assert float((found[f"{name} {kind}"] - expected).abs().max()) <= 1e-6, (name, kind)


def test_the_same_content_makes_no_commit(bundle: Make, hub: StandInHub) -> None:
    folder = bundle("stack")
    first = push_to(folder, "org/name")
    uploads = hub.count("PUT", "/upload/")
    second = push_to(folder, "org/name")
    assert (second.changed, second.commit) == (False, first.commit)
    assert hub.count("PUT", "/upload/") == uploads
    assert hub.count("POST", "/commit/") == 1


def test_another_bundle_replaces_every_file(bundle: Make, hub: StandInHub) -> None:
    push_to(bundle("fuse"), "org/name")
    hub.commit("org/name", {**hub.files("org/name"), "old.json": b"{}"})
    push_to(bundle("full-ft"), "org/name")
    expected = {p.relative_to(bundle("full-ft")).as_posix() for p in bundle("full-ft").rglob("*") if p.is_file()}
    assert set(hub.files("org/name")) - {".gitattributes"} == expected


def test_branches_and_pinned_commits(bundle: Make, hub: StandInHub) -> None:
    first = push_to(bundle("stack"), "org/name")
    second = push_to(bundle("fuse"), "org/name", revision="fused")
    assert pull("org/name").commit == first.commit
    assert pull("org/name@fused").commit == second.commit
    assert pull(f"org/name@{first.commit}").manifest.composition.variant == "stack"
    with pytest.raises(HubError, match="no such revision"):
        pull("org/name@another")


def test_a_dry_run_sends_nothing(bundle: Make, hub: StandInHub) -> None:
    planned = push_to(bundle("stack"), "org/name", dry_run=True)
    assert planned.changed is None
    assert "heads.safetensors" in planned.files
    assert hub.requests == []


def test_the_published_card_is_valid_and_names_the_repository(bundle: Make, hub: StandInHub) -> None:
    from huggingface_hub import ModelCard

    push_to(bundle("stack", full=False), "org/name")
    text = hub.files("org/name")["README.md"].decode()
    assert 'load_bundle("org/name")' in text
    assert card_problems(text) == []
    card = ModelCard(text)
    assert card.data.license == "apache-2.0"
    assert len(card.data.eval_results) > 1


def test_machine_paths_and_tokens_do_not_leave(bundle: Make, hub: StandInHub, tmp_path: Path) -> None:
    from test_hostile import reseal

    for text in ("/home/somebody/data", "hf_" + "a" * 34, "C:\\\\Users"):
        folder = Path(shutil.copytree(bundle("stack"), tmp_path / f"copy{len(list(tmp_path.iterdir()))}"))
        content = json.loads((folder / "recipe.json").read_text())
        (folder / "recipe.json").write_text(json.dumps({**content, "title": text.replace("\\\\", "\\")}))
        reseal(folder)
        with pytest.raises(BundleError, match=r"recipe\.json: holds (what looks like an access token|a path)"):
            push_to(folder, "org/name")
    assert hub.requests == []


class TestFaultsOfAPush:
    def test_a_dropped_upload_is_tried_again(self, bundle: Make, hub: StandInHub) -> None:
        hub.fail("PUT", "/upload/", "drop", times=2)
        assert push_to(bundle("stack"), "org/name", sleep=Waits()).changed
        assert pull().manifest.composition.variant == "stack"

    def test_a_push_that_died_is_completed_by_the_next(self, bundle: Make, hub: StandInHub) -> None:
        hub.fail("POST", "/commit/", "drop", times=99)
        with pytest.raises(HubError, match="cannot be reached") as caught:
            push(bundle("stack"))
        assert "run the same command again" in caught.value.fix
        with pytest.raises(BundleError, match=r"no bundle\.json"):
            pull()
        hub.faults.clear()
        uploads = hub.count("PUT", "/upload/")
        assert uploads > 0
        push(bundle("stack"))
        assert hub.count("PUT", "/upload/") == uploads, "what was uploaded is not sent again"
        assert pull().manifest.composition.variant == "stack"

    def test_a_commit_whose_answer_is_lost(self, bundle: Make, hub: StandInHub) -> None:
        hub.fail("POST", "/commit/", "lost")
        pushed = push_to(bundle("stack"), "org/name", sleep=Waits())
        assert pushed.changed
        assert pushed.commit == hub.repositories["org/name"].branches["main"]

    @pytest.mark.parametrize(
        ("status", "path", "reason"),
        [
            (401, "/api/repos/create", "does not accept your token"),
            (403, "/preupload/", "your token may not do this"),
            (409, "/commit/", "somebody else changed the repository"),
            (412, "/commit/", "somebody else changed the repository"),
        ],
    )
    def test_refusals_are_not_repeated(
        self, bundle: Make, hub: StandInHub, status: int, path: str, reason: str
    ) -> None:
        hub.fail("POST", path, status=status, times=99)
        with pytest.raises(HubError, match=reason):
            push(bundle("stack"))
        assert hub.count("POST", path) == 1
        hub.faults.clear()
        push(bundle("stack"))

    def test_a_wrong_token(self, bundle: Make, hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_TOKEN", "hf_" + "wrong" * 7)
        with pytest.raises(HubError, match="does not accept your token"):
            push(bundle("stack"))

    def test_rate_limits_are_waited_for(self, bundle: Make, hub: StandInHub) -> None:
        waits = Waits()
        hub.fail("POST", "/commit/", status=429, headers={"Retry-After": "7"}, times=2)
        push_to(bundle("stack"), "org/name", sleep=waits)
        assert waits == [7.0, 7.0]
        hub.fail("POST", "/api/repos/create", status=429, headers={"Retry-After": "3600"}, times=9)
        with pytest.raises(HubError, match="the Hub asks to wait 3600 s"):
            push_to(bundle("stack"), "org/name", sleep=waits)
        assert waits == [7.0, 7.0], "an hour is not waited for"

    def test_an_upload_with_a_wrong_hash_is_refused_and_the_next_push_completes(
        self, bundle: Make, hub: StandInHub
    ) -> None:
        hub.fail("PUT", "/upload/", "corrupt", times=99)
        with pytest.raises(HubError, match=r"refused \(HTTP 400\)"):
            push(bundle("stack"))
        assert hub.count("POST", "/commit/") == 0
        with pytest.raises(BundleError, match=r"no bundle\.json"):
            pull()
        hub.faults.clear()
        push(bundle("stack"))
        inspect_bundle(pull().folder)

    def test_a_server_error_in_an_upload_is_tried_again(self, bundle: Make, hub: StandInHub) -> None:
        waits = Waits()
        hub.fail("PUT", "/upload/", status=501, times=2)
        assert push_to(bundle("stack"), "org/name", sleep=waits).changed
        assert waits
        inspect_bundle(pull().folder)

    def test_server_errors_are_tried_again(self, bundle: Make, hub: StandInHub) -> None:
        waits = Waits()
        hub.fail("POST", "/preupload/", status=500, times=2)
        push_to(bundle("stack"), "org/name", sleep=waits)
        assert waits == [1.0, 2.0]
        hub.fail("POST", "/preupload/", status=500, times=99)
        with pytest.raises(HubError, match=r"the Hub failed \(HTTP 500\)"):
            push(bundle("fuse"))

    def test_somebody_else_pushes_meanwhile(self, bundle: Make, hub: StandInHub) -> None:
        push(bundle("stack"))
        original = hub.fault_for

        def interfere(method: str, path: str) -> object:
            if method == "POST" and "/preupload/" in path:
                hub.commit("org/name", {**hub.files("org/name"), "theirs.json": b"{}"})
            return original(method, path)

        hub.fault_for = interfere  # type: ignore[method-assign, assignment]
        with pytest.raises(HubError, match="somebody else changed the repository"):
            push(bundle("fuse"))
        assert "theirs.json" in hub.files("org/name")


class TestFaultsOfAPull:
    """Each with `bundle("stack")` on the Hub; a repeated pull completes, and half a bundle is never used."""

    @pytest.fixture(autouse=True)
    def _published(self, bundle: Make, hub: StandInHub) -> None:
        self.commit = push_to(bundle("stack"), "org/name").commit

    def nothing_half(self, tmp_path: Path) -> None:
        home = tmp_path / "pulled" / "org--name"
        assert not home.exists() or [p.name for p in home.iterdir() if p.is_dir()] == []

    @pytest.mark.parametrize("kind", ["drop", "truncate"])
    def test_broken_downloads_go_on(self, hub: StandInHub, kind: str) -> None:
        hub.fail("GET", "/resolve/.*adapter.safetensors", kind, times=2)
        inspect_bundle(pull().folder)

    def test_a_download_that_never_ends_well(self, hub: StandInHub, tmp_path: Path) -> None:
        hub.fail("GET", "/resolve/.*heads.safetensors", "drop", times=999)
        with pytest.raises(HubError, match="cannot be reached"):
            pull()
        self.nothing_half(tmp_path)
        (partial,) = (tmp_path / "pulled" / ".partial").glob("*/")
        finished = {name for name in hub.files("org/name") if (partial / name).is_file()}
        assert {"bundle.json", "README.md"} <= finished
        assert "heads.safetensors" not in finished
        hub.faults.clear()
        before = len(hub.requests)
        folder = pull().folder
        inspect_bundle(folder)
        asked = [path for method, path in hub.requests[before:] if method == "GET" and "/resolve/" in path]
        fetched = {path.split(f"/resolve/{self.commit}/")[1] for path in asked}
        whole = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        assert fetched == whole - finished, "finished files are kept, the others are fetched"

    @pytest.mark.parametrize(
        ("status", "reason"),
        [(401, "does not accept your token|logged in"), (403, "your token may not"), (404, "no such"),
         (409, "somebody else"), (500, r"the Hub failed \(HTTP 500\)")],
    )  # fmt: skip
    def test_refusals(self, hub: StandInHub, tmp_path: Path, status: int, reason: str) -> None:
        hub.fail("GET", "/api/models/", status=status, times=99)
        with pytest.raises(HubError, match=reason):
            pull()
        self.nothing_half(tmp_path)
        hub.faults.clear()
        inspect_bundle(pull().folder)

    def test_rate_limits_are_waited_for(self, hub: StandInHub) -> None:
        waits = Waits()
        hub.fail("GET", "/api/models/", status=429, headers={"Retry-After": "3"}, times=2)
        pull_from(parse_place("org/name"), sleep=waits)
        assert waits == [3.0, 3.0]

    def test_a_wrong_byte_is_noticed(self, hub: StandInHub, tmp_path: Path) -> None:
        hub.fail("GET", "/resolve/.*heads.safetensors", "corrupt", times=1)
        inspect_bundle(pull().folder)
        shutil.rmtree(tmp_path / "pulled")
        hub.fail("GET", "/resolve/.*heads.safetensors", "corrupt", times=99)
        with pytest.raises(BundleError, match=r"heads\.safetensors as sent by the Hub do not match"):
            pull()
        self.nothing_half(tmp_path)

    def test_a_changed_file_with_an_old_manifest(self, hub: StandInHub, tmp_path: Path) -> None:
        files = dict(hub.files("org/name"))
        files["heads.safetensors"] = files["heads.safetensors"][:-1] + b"\x00"
        hub.commit("org/name", files)
        with pytest.raises(BundleError, match="do not match the manifest"):
            pull()
        self.nothing_half(tmp_path)

    @pytest.mark.parametrize("name", ["pytorch_adapter.bin", "../../evil.json", "run.pickle"])
    def test_dangerous_repositories_are_not_downloaded(self, hub: StandInHub, tmp_path: Path, name: str) -> None:
        hub.commit("org/name", {**hub.files("org/name"), name: b"x"})
        before = hub.count("GET", "/resolve/")
        with pytest.raises(BundleError, match=r"leads out of the bundle|a format that can hold code"):
            pull()
        assert hub.count("GET", "/resolve/") == before
        self.nothing_half(tmp_path)

    def test_a_repository_that_is_no_bundle(self, hub: StandInHub) -> None:
        hub.commit("org/other", {"config.json": b"{}", "model.safetensors": b""})
        with pytest.raises(BundleError, match="not a bundle of adapterxfer"):
            pull("org/other")

    def test_missing_and_private_repositories(self, hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(HubError, match="no such repository"):
            pull("org/nothing")
        hub.repositories["org/name"].private = True
        monkeypatch.setenv("HF_TOKEN", "hf_" + "wrong" * 7)
        with pytest.raises(HubError, match=r"log in|logged in|your token"):
            pull()

    def test_a_pinned_bundle_needs_no_server_again(self, hub: StandInHub) -> None:
        first = pull(f"org/name@{self.commit}")
        before = len(hub.requests)
        assert pull(f"org/name@{self.commit}") == Pulled(
            first.folder, "org/name", self.commit, first.manifest, fetched=False, offline=False
        )
        assert len(hub.requests) == before

    def test_the_server_is_gone_while_the_cache_is_warm(self, hub: StandInHub) -> None:
        first = pull()
        hub.server.shutdown()
        hub.server.server_close()
        again = pull()
        assert (again.folder, again.offline, again.fetched) == (first.folder, True, False)
        with pytest.raises(HubError, match="cannot be reached"):
            pull("org/another")

    def test_a_branch_that_moved_is_noticed(self, bundle: Make, hub: StandInHub) -> None:
        first = pull()
        push_to(bundle("fuse"), "org/name")
        second = pull()
        assert second.commit != first.commit
        assert second.manifest.composition.variant == "fuse"
        assert open_bundle(first.folder).manifest.composition.variant == "stack", "the old one stays what it was"

    def test_a_damaged_cache_is_fetched_anew(self, hub: StandInHub) -> None:
        first = pull(f"org/name@{self.commit}")
        path = first.folder / "heads.safetensors"
        path.write_bytes(path.read_bytes()[:-4])
        again = pull(f"org/name@{self.commit}")
        assert again.fetched
        inspect_bundle(again.folder)


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
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / study.recipe.name).symlink_to(study.recipe)
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
    findings = find(results, ReportSettings(title="x", resamples=100))
    high = [dataclasses.replace(s, score=99.0) if s.target == "world-retrieval" else s for s in findings.scores]
    assert any(s.score == 99.0 for s in high)
    found = sharing(dataclasses.replace(findings, scores=tuple(high)))
    assert found is not None
    assert "world-retrieval" not in found.commands[0]


def test_names() -> None:
    assert parse_place("org/name@main").revision == "main"
    assert parse_place("hub:org/name@" + "a" * 40).pinned
    for text in ("name", "a/b/c", "../x", "org/..", "org/name@", "org/na me", "org/-x", "/abs/path", "org/name@../x"):
        with pytest.raises(BundleError, match="no folder and no name on the Hub"):
            parse_place(text)
