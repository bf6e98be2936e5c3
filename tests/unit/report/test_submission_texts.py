"""Equal sentences of a submission are one cluster where the test files are given; else a caution says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterxfer.errors import DataError
from adapterxfer.report.submission import score_submission

TAGS = ("B-PER", "B-LOC", "O", "B-ORG")


def put(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def submission(root: Path, code: str, sentences: Sequence[str]) -> None:
    """Official test file, labels and predictions of PAN-X: every word has a tag of its place."""
    tagged = [[(word, TAGS[n % 4]) for n, word in enumerate(text.split(), start=row)] for row, text in
              enumerate(sentences)]  # fmt: skip
    put(root / "data" / "panx" / f"test-{code}.tsv",
        "".join("".join(f"{code}:{word}\t{tag}\n" for word, tag in one) + "\n" for one in tagged))  # fmt: skip
    put(
        root / "labels" / "panx" / f"test-{code}.tsv",
        "\n\n".join("\n".join(t for _, t in one) for one in tagged) + "\n",
    )
    put(
        root / "mine" / "panx" / f"test-{code}.tsv",
        "\n\n".join("\n".join("B-PER" for _ in one) for one in tagged) + "\n",
    )


def score(root: Path, *, texts: bool) -> tuple[int, tuple[str, ...]]:
    scores = score_submission(
        "xtreme",
        root / "labels",
        root / "mine",
        subset=["id"],
        resamples=50,
        data_root=root / "data" if texts else None,
    )
    task = scores.tasks["panx"]
    return task.languages["id"].clusters, task.notes


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=19))
def test_clusters_are_the_different_sentences(tmp_path_factory: pytest.TempPathFactory, texts: list[int]) -> None:
    root = tmp_path_factory.mktemp("scored")
    submission(root, "id", ["a b", *(f"word {n}" for n in texts), "c d e"])
    clusters, notes = score(root, texts=True)
    assert (clusters, notes) == (len(set(texts)) + 2, ())
    clusters, notes = score(root, texts=False)
    assert clusters == len(texts) + 2
    assert "sentences that occur several times count as independent" in notes[0]


@pytest.mark.parametrize("change", [("\n\n", "\n\n\n"), ("\n", "\r\n"), ("\n\n", "\n \n")])
def test_blank_lines_are_as_the_scorer_reads_them(tmp_path: Path, change: tuple[str, str]) -> None:
    submission(tmp_path, "id", ["a b", "c", "a b", "d e"])
    for side in ("labels", "mine"):
        path = tmp_path / side / "panx" / "test-id.tsv"
        path.write_bytes(path.read_bytes().replace(*(text.encode() for text in change)))
    assert score(tmp_path, texts=True) == (3, ())


def test_treebanks_are_read_as_the_labels_are(tmp_path: Path) -> None:
    """XTREME joins the words of a treebank, a study need not: the reading that fits the labels is taken."""
    rows = "1-2\tim\t_\t_{}\n1\tin\t_\tADP{}\n2\tdem\t_\tDET{}\n3\tHaus\t_\tNOUN{}\n\n".replace("{}", "\t_" * 6)
    short = "1\tHaus\t_\tNOUN" + "\t_" * 6 + "\n\n"
    put(tmp_path / "data" / "de_gsd-ud-test.conllu", rows + short + rows + short)
    for words in (3, 2):
        lines = ["ADP", "DET", "NOUN"] if words == 3 else ["ADP", "NOUN"]
        for side in ("labels", "mine"):
            put(tmp_path / side / "udpos" / "test-de.tsv", "\n\n".join(["\n".join(lines), "NOUN"] * 2) + "\n")
        scores = score_submission(
            "xtreme", tmp_path / "labels", tmp_path / "mine", subset=["de"], resamples=20, data_root=tmp_path / "data"
        )
        assert scores.tasks["udpos"].languages["de"].clusters == 2, words


def test_other_texts_than_those_of_the_labels_are_refused(tmp_path: Path) -> None:
    submission(tmp_path, "id", ["a b", "c", "d e"])
    words = tmp_path / "data" / "panx" / "test-id.tsv"
    text = words.read_text()
    words.write_text(text + text)
    with pytest.raises(DataError, match=r"3 items; the test file below .* has 6"):
        score(tmp_path, texts=True)
    words.write_text("".join(f"id:{word}\tO\n\n" for word in "abc"))
    with pytest.raises(DataError, match="sentence 0 has 2 tags; the test file has 1 words"):
        score(tmp_path, texts=True)
    words.unlink()
    with pytest.raises(DataError, match="no test file of panx in 'id'"):
        score(tmp_path, texts=True)
