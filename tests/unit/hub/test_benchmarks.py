"""`.eval_results/`: only scores on a whole test set that the Hub knows as a benchmark get an entry there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_study import Make
from stand_in_hub import StandInHub
from stand_in_state import Repository
from transfers import Waits, pull

from adapterxfer.errors import BundleError, HubError
from adapterxfer.hub.addresses import parse_address
from adapterxfer.hub.benchmarks import benchmark_places, benchmark_tasks, with_places, write_eval_results
from adapterxfer.hub.pulling import pull as pull_from
from adapterxfer.hub.pushing import push
from adapterxfer.plan import build_plan
from adapterxfer.recipe.loading import parse_recipe

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

COMMIT = "a" * 40
TASKS = [
    {"id": "swahili", "config": "sw", "split": "test"},
    {"id": "urdu", "config": "ur", "split": "validation"},
    {"id": "no split", "config": "th"},
]
RECIPE = """
recipe: 1
name: places
backbones: [world-nano]
intermediate_tasks: [none]
target_tasks: [{target}]
variants: [full-ft]
seeds: [1]
train: {{default: {{batch_size: 8, steps: 2, learning_rate: 1e-3}}}}
tasks: {{{target}: {{{options}}}}}
data_revisions: {{{revisions}}}
"""


def row(
    language: str, *, config: str, split: str = "test", score: float | None = 61.234, **more: Any
) -> dict[str, Any]:
    place = {"dataset": "org/nli", "revision": COMMIT, "config": config, "split": split}
    fields = {"target": "xnli", "metric": "accuracy", "secondary": False, "group": "language", "languages": 1}
    return {**fields, "language": language, "score": score, "hub": place, **more}


@pytest.fixture
def benchmark(hub: StandInHub) -> StandInHub:
    files = {"eval.yaml": yaml.safe_dump({"name": "NLI", "tasks": TASKS}).encode()}
    hub.repositories["datasets/org/nli"] = Repository(commits={COMMIT: files}, branches={"main": COMMIT})
    hub.repositories["datasets/org/plain"] = Repository(commits={COMMIT: {"x": b"y"}}, branches={"main": COMMIT})
    return hub


def test_tasks_of_a_benchmark(benchmark: StandInHub) -> None:
    assert benchmark_tasks("org/nli", COMMIT, sleep=Waits()) == {
        ("sw", "test"): "swahili", ("ur", "validation"): "urdu",
    }  # fmt: skip
    assert benchmark_tasks("org/plain", "", sleep=Waits()) == {}
    benchmark.repositories["datasets/org/plain"].commits[COMMIT]["eval.yaml"] = b"tasks: [\n"
    assert benchmark_tasks("org/plain", "", sleep=Waits()) == {}
    benchmark.fail("HEAD", "eval.yaml", status=403, times=9)
    with pytest.raises(HubError, match="may not do this"):
        benchmark_tasks("org/nli", COMMIT, sleep=Waits())


def test_only_scores_on_a_task_of_it_become_entries(benchmark: StandInHub, tmp_path: Path) -> None:
    rows = [
        row("sw", config="sw"),
        row("ur", config="ur"),  # another split than the benchmark's
        row("en", config="en", group="source"),  # no task
        row("th", config="th", score=None),
        row("sw", config="sw", secondary=True),
        {**row("hi", config="hi"), "hub": None},
    ]
    written = write_eval_results(tmp_path, {"scores": rows}, "stack", sleep=Waits())
    path = tmp_path / ".eval_results" / "org-nli.yaml"
    assert written == {".eval_results/org-nli.yaml": path.stat().st_size}
    assert yaml.safe_load(path.read_text("utf-8")) == [
        {
            "dataset": {"id": "org/nli", "task_id": "swahili", "revision": COMMIT},
            "value": 61.23,
            "notes": "accuracy in points, sw, zero-shot, trained on English; stack",
        }
    ]


def test_the_librarys_own_reader_takes_it(benchmark: StandInHub, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    if not hasattr(hub, "parse_eval_result_entries"):
        pytest.skip("this huggingface_hub is older than the format")
    write_eval_results(tmp_path, {"scores": [row("sw", config="sw")]}, "stack", sleep=Waits())
    (entry,) = hub.parse_eval_result_entries(
        yaml.safe_load((tmp_path / ".eval_results/org-nli.yaml").read_text("utf-8"))
    )
    assert (entry.dataset_id, entry.task_id, entry.value, entry.dataset_revision) == (
        "org/nli",
        "swahili",
        61.23,
        COMMIT,
    )


@pytest.mark.parametrize(
    ("target", "options", "revisions", "expected"),
    [
        ("world-xnli", "test_examples: 9", "", None),
        ("pawsx", "languages: [de], source: hub", "", ("google-research-datasets/paws-x", "", "de", "test")),
        ("pawsx", "languages: [de], source: hub, test_examples: 50", "", None),
        ("xnli", "languages: [de], source: hub", "", None),  # another repository may be read in its place
        ("xnli", "languages: [de], source: hub", f"facebook/xnli: {COMMIT}", ("facebook/xnli", COMMIT, "de", "test")),
    ],
)
def test_places_of_test_sets(target: str, options: str, revisions: str, expected: tuple[str, ...] | None) -> None:
    plan = build_plan(parse_recipe(RECIPE.format(target=target, options=options, revisions=revisions), "r"))
    places = benchmark_places(plan, [cell for cell in plan.cells if not cell.control])
    if expected is None:
        assert places == {}
        return
    assert tuple(places[target, "de"].values()) == expected
    rows = [{"target": target, "language": name, "languages": count} for name, count in (("de", 1), ("zero-shot", 14))]
    placed = with_places(rows, places)
    assert placed[0]["hub"]["config"] == "de"
    assert "hub" not in placed[1]


def test_a_push_carries_them_and_a_pull_leaves_them(bundle: Make, benchmark: StandInHub, tmp_path: Path) -> None:
    folder = bundle("stack")
    results = json.loads((folder / "results.json").read_text("utf-8"))
    assert not any(row.get("hub") for row in results["scores"]), "the world's scores are on no leaderboard"
    pushed = push(folder, "org/name", sleep=Waits())
    assert not any(name.startswith(".eval_results") for name in pushed.files)
    files = benchmark.repositories["org/name"]
    commit = files.branches["main"]
    files.commits[commit][".eval_results/org-nli.yaml"] = b"[]"
    assert pull().manifest.name
    files.commits[commit][".eval_results/run.py"] = b""
    (tmp_path / "cache").mkdir()
    with pytest.raises(BundleError, match=r"run\.py: does not belong"):
        pull_from(parse_address("org/name"), root=tmp_path / "cache", sleep=Waits())
