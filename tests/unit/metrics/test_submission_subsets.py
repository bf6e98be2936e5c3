"""Declared subsets, groups, premises of sampled files, and indices that count from another number."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterxfer.cli.main import main
from adapterxfer.data.examples import PairExample
from adapterxfer.errors import DataError
from adapterxfer.metrics import METRICS
from adapterxfer.metrics.benchmarks import BENCHMARKS, GROUPS
from adapterxfer.metrics.submission import count_task
from adapterxfer.metrics.submission_labels import label_lines, premise_clusters
from adapterxfer.predict.official import write_submission
from adapterxfer.predict.table import write_predictions
from adapterxfer.report.submission import score_submission

NLI = ("entailment", "neutral", "contradiction")
TATOEBA = BENCHMARKS["xtreme-r"]["tatoeba"]


def write(folder: Path, task: str, language: str, lines: list[str]) -> Path:
    suffix = (BENCHMARKS["xtreme"] | BENCHMARKS["xtreme-r"])[task].suffix
    path = folder / task / f"test-{language}.{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def xnli_stage(folder: Path, languages: str, premises: int = 12, kept: int = 2) -> Path:
    """A stage whose test set was sampled: ``kept`` hypotheses of each premise."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    examples = [
        PairExample(f"{p}-{h}", f"p{p}", code, "a", "b", NLI[(p + h) % 3])
        for code in languages.split()
        for p in range(premises)
        for h in range(kept)
    ]
    guesses = [e.label if rng.random() < 0.7 else "neutral" for e in examples]
    metadata = {"stage_key": "k", "task": "xnli", "format": "sequence_classification", "protocol": "accuracy"}
    write_predictions(folder, examples, guesses, METRICS["accuracy"], metadata=metadata)
    return folder


def test_the_export_of_some_languages_is_scored_as_a_declared_subset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = xnli_stage(tmp_path / "stage", "de en sw")
    write_submission([stage], tmp_path / "mine")
    write_submission([stage], tmp_path / "labels", gold=True)
    scores = score_submission("xtreme-r", tmp_path / "labels", tmp_path / "mine", resamples=50)
    task = scores.tasks["xnli"]
    assert set(task.languages) == {"de", "en", "sw"}
    assert len(task.absent) == 12
    assert (scores.overall, dict(scores.groups)) == (None, {})
    # the premises of the study are the clusters, though only two of three hypotheses are left
    assert {entry.clusters for entry in task.languages.values()} == {12}
    assert task.notes == ()
    arguments = ["score", "--benchmark", "xtreme-r", "--labels", str(tmp_path / "labels"), "--resamples", "20"]
    assert main([*arguments, "--predictions", str(tmp_path / "mine")]) == 0
    printed = capsys.readouterr().out
    assert "mean of 3" in printed
    assert "subset: xnli in 3 of 15 languages" in printed
    (tmp_path / "mine" / "submission.json").unlink()
    assert main([*arguments, "--predictions", str(tmp_path / "mine")]) == 2
    assert "declare a subset with --subset" in capsys.readouterr().err
    assert main([*arguments, "--predictions", str(tmp_path / "mine"), "--subset", "sw,de", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["tasks"]["xnli"]["languages"]) == {"de", "sw"}
    assert main([*arguments, "--predictions", str(tmp_path / "mine"), "--subset", "sw,xx"]) == 2
    assert "language 'xx' is in no task" in capsys.readouterr().err


def test_declared_clusters_must_fit_the_lines(tmp_path: Path) -> None:
    write_submission([xnli_stage(tmp_path / "a", "de en")], tmp_path / "mine")
    write_submission([xnli_stage(tmp_path / "b", "de en")], tmp_path / "labels", gold=True)
    for folder in ("mine", "labels"):
        path = tmp_path / folder / "xnli" / "test-de.tsv"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(DataError, match=r"submission.json: 24 clusters for 23 lines"):
        score_submission("xtreme-r", tmp_path / "labels", tmp_path / "mine", resamples=10)


def test_a_group_is_the_mean_of_its_tasks_where_all_are_complete(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    table = BENCHMARKS["xtreme"]
    for code in table["pawsx"].languages:
        write(tmp_path / "labels", "pawsx", code, ["0", "1"] * 30)
        write(tmp_path / "mine", "pawsx", code, [str(value) for value in rng.integers(0, 2, 60)])
    for code in table["xnli"].languages:
        write(tmp_path / "labels", "xnli", code, list(NLI) * 20)
        write(tmp_path / "mine", "xnli", code, [NLI[value] for value in rng.integers(0, 3, 60)])
    scores = score_submission("xtreme", tmp_path / "labels", tmp_path / "mine", resamples=50)
    means = [scores.tasks[name].average.value for name in ("pawsx", "xnli")]
    assert set(scores.groups) == {"classification"}
    assert scores.groups["classification"].value == pytest.approx(np.mean(means))
    assert scores.groups["classification"].low < np.mean(means) < scores.groups["classification"].high
    part = score_submission("xtreme", tmp_path / "labels", tmp_path / "mine", resamples=50, subset=["de", "fr"])
    assert dict(part.groups) == {}
    for benchmark, groups in GROUPS.items():
        assert {name for members in groups.values() for name in members} <= set(BENCHMARKS[benchmark])


LABELS = st.lists(st.permutations(NLI), min_size=2, max_size=40).map(lambda ps: [label for p in ps for label in p])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(LABELS, st.integers(0, 10**6))
def test_lines_are_premises_only_where_whole_premises_are_there(labels: list[str], seed: int) -> None:
    assert premise_clusters(labels) == tuple(str(row // 3) for row in range(len(labels)))
    rng = np.random.default_rng(seed)
    sample = [labels[row] for row in np.sort(rng.choice(len(labels), size=len(labels) - 1, replace=False))]
    assert premise_clusters(sample) is None  # no multiple of three is left


def test_a_sample_of_xnli_without_declaration_is_not_cut_into_triples(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    task = BENCHMARKS["xtreme-r"]["xnli"]
    sampled = [NLI[value] for value in rng.integers(0, 3, 60)]
    for code in task.languages:
        write(tmp_path / "labels", "xnli", code, sampled if code == "sw" else list(NLI) * 20)
        write(tmp_path / "mine", "xnli", code, [NLI[value] for value in rng.integers(0, 3, 60)])
    counted = count_task(task, tmp_path / "labels", tmp_path / "mine")
    assert {len(set(language.clusters)) for language in counted.values()} == {60}
    assert "lines of sw are no whole premises" in counted["de"].note


POOLS = st.integers(20, 60).flatmap(lambda size: st.permutations(range(size)))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(POOLS, st.integers(0, 10**6), st.floats(0.0, 1.0))
def test_indices_of_the_pool_pass_and_those_moved_by_one_do_not(
    tmp_path_factory: pytest.TempPathFactory, gold: list[int], seed: int, share: float
) -> None:
    folder, rng, size = tmp_path_factory.mktemp("pool"), np.random.default_rng(seed), len(gold)
    right = np.array(gold)
    guesses = np.where(rng.random(size) < share, right, rng.integers(0, size, size))
    labels = write(folder / "labels", "tatoeba", "de", [str(value) for value in gold])
    mine = write(folder / "mine", "tatoeba", "de", [str(value) for value in guesses])
    assert label_lines(TATOEBA, labels, mine)[1] == [str(value) for value in guesses]
    if (guesses == size - 1).any() or share > 0.7:
        write(folder / "mine", "tatoeba", "de", [str(value + 1) for value in guesses])
        with pytest.raises(DataError, match=r"test-de.tsv:\d+: index \d+ is one too many: the indices count from 1"):
            label_lines(TATOEBA, labels, mine)
    # labels that count from 1 themselves take indices from 1, and refuse those from 0
    write(folder / "labels", "tatoeba", "de", [str(value + 1) for value in gold])
    write(folder / "mine", "tatoeba", "de", [str(value + 1) for value in guesses])
    assert label_lines(TATOEBA, labels, mine)
    if (guesses == 0).any() or share > 0.7:
        write(folder / "mine", "tatoeba", "de", [str(value) for value in guesses])
        with pytest.raises(DataError, match=r"one too few: the indices count from 0"):
            label_lines(TATOEBA, labels, mine)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([*map(str, range(29)), "500"], r"test-de.tsv:30: index 500 is beyond the pool: .* 30 sentences 0 to 29"),
        ([f"{n:03d}" for n in range(30)], r"test-de.tsv:1: '000' has leading zeros"),
        ([f"{n}.0" for n in range(30)], r"test-de.tsv:1: '0.0' is no line number"),
        ([*map(str, range(29)), "-1"], r"test-de.tsv:30: '-1' is no line number"),
        ([*map(str, range(29)), "9" * 30], r"test-de.tsv:30: .* is no line number"),
    ],
)
def test_indices_that_no_sentence_has_are_named(tmp_path: Path, lines: list[str], reason: str) -> None:
    labels = write(tmp_path / "labels", "tatoeba", "de", [str(n) for n in range(30)])
    with pytest.raises(DataError, match=reason):
        label_lines(TATOEBA, labels, write(tmp_path / "mine", "tatoeba", "de", lines))


def test_a_sample_of_the_pool_allows_every_index(tmp_path: Path) -> None:
    """As in the mock data of XTREME: labels show a part of the pool, so nothing says where it ends."""
    labels = write(tmp_path / "labels", "tatoeba", "de", [str(40 * n + 7) for n in range(25)])
    mine = write(tmp_path / "mine", "tatoeba", "de", [str(40 * n + 7 + 3 * (n % 2)) for n in range(25)])
    assert label_lines(TATOEBA, labels, mine)
    write(tmp_path / "mine", "tatoeba", "de", [str(40 * n + 8) for n in range(25)])
    with pytest.raises(DataError, match="one too many"):
        label_lines(TATOEBA, labels, mine)


def test_candidates_that_are_no_text_are_refused(tmp_path: Path) -> None:
    task = BENCHMARKS["xtreme-r"]["mewslix"]
    for folder, content in (("labels", {"m": ["Q1"]}), ("mine", {"m": [1]})):
        path = tmp_path / folder / "mewslix" / "test-de.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="candidate 1 of 'm' is no text"):
        count_task(task, tmp_path / "labels", tmp_path / "mine", languages=["de"])
