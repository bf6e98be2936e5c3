"""Development data in the target languages: each task's official files, told apart from those of the test."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tiny_files import jsonl, put, squad

from adapterxfer.catalog import task_specs, with_target_dev
from adapterxfer.data.examples import Example
from adapterxfer.data.files import list_files
from adapterxfer.data.storage import check_task
from adapterxfer.data.target_dev import describe_target_dev, find_dev, read_hub_dev, read_target_dev
from adapterxfer.errors import DataError

TESTED = {name: spec.target_dev for name, spec in task_specs().items() if spec.target_dev is not None}
ROOT = os.environ.get("ADAPTERXFER_REALDATA", "")


def read(task: str, root: Path, *languages: str, dev_examples: int | None = None, protocol: str = "") -> Any:
    data = read_target_dev(
        task, root, list_files(root), languages, dev_examples=dev_examples, seed=0, protocol=protocol
    )
    check_task(data)
    assert set(data.splits) == {("dev", code) for code in languages}
    return data


def described(task: str, root: Path, *languages: str, tested: dict[str, str] | None = None) -> Any:
    return describe_target_dev(task, root, languages, "", tested=tested or {})


def first(data: Any, language: str) -> Example:
    example: Example = data.splits["dev", language][0]
    assert example.language == language
    return example


def test_every_real_target_says_whether_it_has_some() -> None:
    for name, spec in task_specs().items():
        assert (spec.target_dev is None) == (spec.role == "intermediate"), name
    for name in TESTED:
        assert TESTED[name].why_not or task_specs()[name].trained, name
    assert with_target_dev("xquad") == with_target_dev("tydiqa-gold-sentence") == ("mlqa",)
    assert with_target_dev("belebele") == ("xcopa", "afrimmlu")
    assert with_target_dev("lareqa") == ()


@pytest.mark.parametrize("task", sorted(name for name, entry in TESTED.items() if entry.why_not))
def test_other_tasks_are_refused_with_the_reason(task: str, tmp_path: Path) -> None:
    for ask in (lambda: find_dev(task, (), ["de"]), lambda: described(task, tmp_path, "de")):
        with pytest.raises(DataError, match="no development data in the target languages: ") as error:
            ask()
        assert TESTED[task].why_not in str(error.value)


def test_xnli(tmp_path: Path) -> None:
    """One file of all languages, or one for each; the test beside them is not read."""
    lines = ["language\tgold_label\tsentence1\tsentence2"]
    lines += [
        f"{code}\t{label}\t{code} premise\thypothesis {label}"
        for code in ("en", "de", "sw")
        for label in ("neutral", "entailment", "contradiction")
    ]
    put(tmp_path / "joint", "XNLI-1.0/xnli.dev.tsv", "\n".join(lines) + "\n")
    data = read("xnli", tmp_path / "joint", "de", "sw")
    assert [(e.text, e.label) for e in data.splits["dev", "sw"]] == [
        ("sw premise", label) for label in ("neutral", "entailment", "contradiction")
    ]
    for name in ("dev", "test"):
        put(tmp_path / "single", f"xnli/{name}-de.tsv.gz", f"{name} a\tb\tneutral\n{name} c\td\tentailment\n")
    data = read("xnli", tmp_path / "single", "de")
    assert [e.text for e in data.splits["dev", "de"]] == ["dev a", "dev c"]
    with pytest.raises(DataError, match="no example in language 'hi'"):
        read("xnli", tmp_path / "joint", "de", "hi")
    with pytest.raises(DataError, match=r"dev sw \(xnli\): missing, expected \*/xnli\.dev\.tsv or \*/xnli/dev-sw\.tsv"):
        described("xnli", tmp_path / "single", "de", "sw")


def test_pawsx_americasnli_and_sib200(tmp_path: Path) -> None:
    for name in ("dev_2k", "test_2k"):
        put(tmp_path, f"x-final/ko/{name}.tsv", f'id\tsentence1\tsentence2\tlabel\n1\t{name} "a\tb\t1\n2\tc\td\t0\n')
    example = first(read("pawsx", tmp_path, "ko"), "ko")
    assert (example.text, example.label) == ('dev_2k "a', "1")  # type: ignore[union-attr]
    for name in ("dev", "test"):
        put(tmp_path, f"{name}/quy.tsv", f"premise\thypothesis\tlabel\n{name} a\tb\tneutral\nc\td\tentailment\n")
    assert first(read("americasnli", tmp_path, "quy"), "quy").text == "dev a"  # type: ignore[union-attr]
    put(tmp_path / "empty", "ud/de_gsd-ud-dev.conllu", "# nothing\n")
    with pytest.raises(DataError, match="no development example in de"):
        read("udpos", tmp_path / "empty", "de")
    for name in ("dev", "test"):
        rows = f"index_id\tcategory\ttext\n1\ttravel\t{name}\n2\thealth\tb\n"
        put(tmp_path, f"sib-200/data/annotated/quy_Latn/{name}.tsv", rows)
    assert first(read("sib200", tmp_path, "quy_Latn"), "quy_Latn").text == "dev"  # type: ignore[union-attr]


def copa(question: str, number: int = 0) -> str:
    return jsonl(*({"premise": f"p{i + number}", "choice1": "x", "choice2": "y", "question": question,
                    "label": i % 2, "idx": i} for i in range(3)))  # fmt: skip


def test_xcopa_repairs_the_questions_of_its_validation(tmp_path: Path) -> None:
    """Turkish validation says "effect" everywhere; the Estonian file has the questions."""
    put(tmp_path, "data/tr/val.tr.jsonl", copa("effect"))
    put(tmp_path, "data/tr/test.tr.jsonl", copa("effect", 10))
    put(tmp_path, "data/et/val.et.jsonl", copa("cause"))
    repaired = read("xcopa", tmp_path, "tr")
    assert repaired.notes == {"questions repaired from 'et'": 3}
    assert first(repaired, "tr").context == "p0"  # type: ignore[union-attr]
    assert not read("xcopa", tmp_path, "tr", protocol="accuracy/questions-as-released").notes
    assert set(described("xcopa", tmp_path, "tr").source["files"]) == {"data/et/val.et.jsonl", "data/tr/val.tr.jsonl"}


def test_panx_and_masakhaner(tmp_path: Path) -> None:
    for name in ("dev", "test"):
        put(tmp_path, f"de/{name}", f"de:{name}\tB-PER\nde:x\tO\n\n")
        put(tmp_path, f"masakhane-ner/MasakhaNER2.0/data/yor/{name}.txt", f"{name} B-PER\n2020 B-DATE\n\n")
    assert first(read("panx", tmp_path, "de"), "de").words == ("dev", "x")  # type: ignore[union-attr]
    example = first(read("masakhaner2", tmp_path, "yor"), "yor")
    assert (example.words, example.tags) == (("dev", "2020"), ("B-PER", "O"))  # type: ignore[union-attr]


def conllu(word: str, *more: str) -> str:
    rows = [f"1\t{word}\t_\tNOUN\t_\t_\t0\t_\t_\t_", *more]
    return "\n".join(["# sent_id = s1", *rows, "", ""])


def test_treebanks_of_a_language_are_joined_and_others_left_alone(tmp_path: Path) -> None:
    for name in ("de_gsd-ud-dev", "de_hdt-ud-dev", "de_gsd-ud-test", "grc_perseus-ud-dev", "el_gdt-ud-dev"):
        put(tmp_path, f"ud/{name}.conllu", conllu(name))
    put(tmp_path, "masakhane-pos/data/yor/dev.txt", "dev NOUN\n. PUNCT\n\n")
    data = read("udpos", tmp_path, "de", "el")
    assert [e.words[0] for e in data.splits["dev", "de"]] == ["de_gsd-ud-dev", "de_hdt-ud-dev"]
    assert [e.words[0] for e in data.splits["dev", "el"]] == ["el_gdt-ud-dev"], "not Ancient Greek"
    assert len(data.labels) == 17
    assert first(read("masakhapos", tmp_path, "yor"), "yor").words == ("dev", ".")  # type: ignore[union-attr]
    found = described("udpos", tmp_path, "de", "el", "ka", "yo")
    assert found.languages == ("de", "el"), "releases decide: nothing is missing"
    assert len(found.source["files"]) == 3
    with pytest.raises(DataError, match="no language has a development file"):
        described("udpos", tmp_path, "yo")


def test_words_are_fused_as_in_the_test(tmp_path: Path) -> None:
    more = ("2-3\tzum\t_\t_\t_\t_\t_\t_\t_\t_", "2\tzu\t_\tADP\t_\t_\t1\t_\t_\t_", "3\tdem\t_\tDET\t_\t_\t1\t_\t_\t_")
    put(tmp_path, "ud/de_gsd-ud-dev.conllu", conllu("Haus", *more))
    plain, fused = read("udpos", tmp_path, "de"), read("udpos", tmp_path, "de", protocol="pos/fused-words")
    assert first(plain, "de").words == ("Haus", "zu", "dem")  # type: ignore[union-attr]
    assert first(fused, "de").words == ("Haus", "zum")  # type: ignore[union-attr]


def test_mlqa(tmp_path: Path) -> None:
    for name in ("dev", "test"):
        content = squad([("q1", f"{name} one two", "what?", [("two", len(name) + 5)])])
        put(tmp_path, f"MLQA_V1/{name}/{name}-context-hi-question-hi.json", content)
        put(tmp_path, f"MLQA_V1/{name}/{name}-context-hi-question-en.json", content)
    example = first(read("mlqa", tmp_path, "hi"), "hi")
    assert (example.context, example.answers) == ("dev one two", ("two",))  # type: ignore[union-attr]


def test_the_same_items_are_kept_in_every_language(tmp_path: Path) -> None:
    for code in ("de", "sw"):
        rows = "".join(f"{code} {i}\th\t{('neutral', 'entailment')[i % 2]}\n" for i in range(30))
        put(tmp_path, f"xnli/dev-{code}.tsv", rows)
    data = read("xnli", tmp_path, "de", "sw", dev_examples=7)
    ids = [[e.example_id for e in data.splits["dev", code]] for code in ("de", "sw")]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 7


def test_what_is_tested_cannot_select(tmp_path: Path) -> None:
    put(tmp_path, "de/dev", "de:x\tB-PER\n\n")
    plain = described("panx", tmp_path, "de")
    ((path, content),) = plain.source["files"].items()
    assert described("panx", tmp_path, "de", tested={"de/test": "0" * 64}) == plain
    with pytest.raises(DataError, match="tests on its development data: de/dev\n"):
        described("panx", tmp_path, "de", tested={path: content})
    with pytest.raises(DataError, match=r"de/dev \(the same content as other/test\)"):
        described("panx", tmp_path, "de", tested={"other/test": content})


def test_treebanks_and_masakhapos_are_files() -> None:
    for task in ("udpos", "masakhapos"):
        with pytest.raises(DataError, match="no repository on the Hub holds development data"):
            read_hub_dev(task, ["yor"], dev_examples=None, seed=0)


@pytest.mark.skipif(not ROOT, reason="ADAPTERXFER_REALDATA names no folder")
def test_real_files_of_four_tasks() -> None:
    """XNLI, PAN-X and XCOPA in every language that the folder has; its treebanks have development data in English."""
    root = Path(ROOT)
    names = {"/".join(path.split("/")[-2:]).removesuffix(".gz") for path in list_files(root)}
    for task, begin, end in (("xnli", "dev-", ".tsv"), ("panx", "dev-", ".tsv"), ("xcopa", "val.", ".jsonl")):
        folder = "copa_xcopa" if task == "xcopa" else task
        known = task_specs()[task].languages
        languages = sorted(code for code in known if code != "en" and f"{folder}/{begin}{code}{end}" in names)
        found = described(task, root, *languages)
        assert found.languages == tuple(languages)
        assert len(languages) >= 8
        data = read(task, root, *languages, dev_examples=20)
        assert {len(examples) for examples in data.splits.values()} == {20}
    with pytest.raises(DataError, match="no language has a development file"):
        described("udpos", root, "de", "yo")
