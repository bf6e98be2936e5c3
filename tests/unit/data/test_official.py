"""Official files: quoting and encodings, parallel test sets, and how files are found."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from adapterxfer.data import bitext, choices, classification
from adapterxfer.data.files import list_files
from adapterxfer.data.official import find
from adapterxfer.errors import DataError

from tiny_files import jsonl, put, read, read_parts  # isort: skip


# Quoting, line ends, encodings


def test_tsv_is_read_without_quoting(tmp_path):
    path = put(tmp_path, "fr/test_2k.tsv", 'id\tsentence1\tsentence2\tlabel\n1\t"open\tnull\t1\n2\tNA\tclosed"\t0\n')
    found = classification.read_pawsx([path], "fr", Counter())
    assert [(e.text, e.text_pair, e.label) for e in found] == [('"open', "null", "1"), ("NA", 'closed"', "0")]


def test_lines_end_at_line_feeds_only(tmp_path):
    path = put(tmp_path, "x.tsv", "premise\thypothesis\tlabel\r\na\u2028b\x85c\td\tneutral\r\n")
    (example,) = classification.read_nli([path], "en", Counter())
    assert example.text == "a\u2028b\x85c"


def test_cosmosqa_is_real_csv(tmp_path):
    text = 'id,context,question,answer0,answer1,answer2,answer3,label\ni,"a, ""b""\nc",q,w,x,y,z,3\n'
    (example,) = choices.read_cosmosqa([put(tmp_path, "valid.csv", text)], "en", Counter())
    assert (example.context, example.label) == ('a, "b"\nc', 3)


def test_qqp_skips_few_broken_lines_and_refuses_many(tmp_path):
    header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
    good = "".join(f"{i}\t1\t2\tq {i}\tr\t{i % 2}\n" for i in range(150))
    notes: Counter[str] = Counter()
    found = classification.read_qqp([put(tmp_path, "a.tsv", header + good + "9\tbroken\n")], "en", notes)
    assert (len(found), notes["broken rows left out"]) == (150, 1)
    assert {e.label for e in found} == {"duplicate", "not_duplicate"}
    with pytest.raises(DataError, match="are broken"):
        classification.read_qqp([put(tmp_path, "b.tsv", header + "1\t2\n" * 10 + good)], "en", Counter())


def test_other_encodings_and_truncated_packs_are_errors(tmp_path):
    with pytest.raises(DataError, match="UTF-8"):
        classification.read_nli([put(tmp_path, "x.jsonl", '{"a": "\u00e9"}'.encode("latin-1"))], "en", Counter())
    path = put(tmp_path, "y.jsonl.gz", jsonl({"a": 1}) * 100)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match="cannot be read"):
        classification.read_nli([path], "en", Counter())


# Parallel test sets


def test_xcopa_questions_are_repaired_from_estonian(tmp_path):
    row = {"premise": "p", "choice1": "a", "choice2": "b", "label": 1, "idx": 3}
    broken = put(tmp_path, "test.th.jsonl", jsonl({**row, "question": "effect"}))
    right = put(tmp_path, "test.et.jsonl", jsonl({**row, "question": "cause"}))
    notes: Counter[str] = Counter()
    (example,) = choices.read_xcopa([broken, right], "th", notes)
    assert example.question == "What was the cause?"
    assert notes["questions repaired from 'et'"] == 1
    assert choices.read_xcopa([broken], "th", Counter())[0].question == "What was the effect?"
    assert choices.read_xcopa([right], "et", Counter())[0].example_id == "3"


def test_xnli_premises_are_clusters_in_every_language(tmp_path):
    lines = [f"{code}\t{label}\ts{i}\th{i}" for code in ("de", "sw") for i, label in
             enumerate(["neutral", "entailment", "contradiction", "neutral"])]  # fmt: skip
    path = put(tmp_path, "xnli.test.tsv", "language\tgold_label\tsentence1\tsentence2\n" + "\n".join(lines) + "\n")
    german, swahili = (classification.read_xnli([path], code, Counter()) for code in ("de", "sw"))
    assert [e.cluster_id for e in german] == ["0", "0", "0", "1"]
    assert [e.example_id for e in german] == [e.example_id for e in swahili]
    with pytest.raises(DataError, match="labels removed"):
        classification.read_xnli([put(tmp_path, "xnli/test-de.tsv", "a\tb\nc\td\n")], "de", Counter())


def test_tatoeba_sorted_english_is_refused(tmp_path):
    foreign = put(tmp_path, "tatoeba.deu-eng.deu", "".join(f"Satz {i}\n" for i in range(60)))
    english = put(tmp_path, "tatoeba.deu-eng.eng", "".join(f"Line {(i * 7) % 60}\n" for i in range(60)))
    found = bitext.read_tatoeba([foreign, english], "de", Counter())
    assert (found[1].text, found[1].translation) == ("Satz 1", "Line 7")
    put(tmp_path, "tatoeba.deu-eng.eng", "".join(f"Line {i:02}\n" for i in range(60)))
    with pytest.raises(DataError, match="sorted"):
        bitext.read_tatoeba([foreign, english], "de", Counter())


def test_lareqa(tmp_path):
    pool = {"data": [{"paragraphs": [{
        "context": "One. Two.", "sentences": ["One.", "TWO."], "sentence_breaks": [[0, 4], [5, 9]],
        "qas": [{"id": "q", "question": "?", "answers": [{"text": "Two", "answer_start": 5}]}],
    }]}]}  # fmt: skip
    notes: Counter[str] = Counter()
    made = bitext.read_lareqa(put(tmp_path, "xquad-r/de.json", json.dumps(pool)), "de", notes)
    assert made.candidates[made.gold["q"]] == ("Two.", "One. Two.")
    assert notes["sentences that differ from their place"] == 1


# Finding files


def test_missing_files_are_named_with_their_official_names(tmp_path):
    put(tmp_path, "any/where/multinli_1.0_train.jsonl", "")
    problems = [need.problem for need in find("xnli", list_files(tmp_path), ("de", "sw")) if need.problem]
    assert len(problems) == 2
    assert "xnli.test.tsv" in problems[0]


def test_two_copies_are_ambiguous(tmp_path):
    for folder in ("a", "b"):
        put(tmp_path, f"{folder}/train-v1.1.json", "{}")
    assert any("keep one" in need.problem for need in find("squad-v1", list_files(tmp_path), ()))


def test_half_a_development_set_is_missing_not_cut(tmp_path):
    for name in ("R1", "R2", "R3"):
        put(tmp_path, f"{name}/train.jsonl", "")
    assert not any(need.problem for need in find("anli", list_files(tmp_path), ()))
    put(tmp_path, "R1/dev.jsonl", "")
    assert sum(bool(need.problem) for need in find("anli", list_files(tmp_path), ())) == 2


def test_copa_is_read_without_siqa_which_is_trained_before_it(tmp_path):
    siqa = {"context": "c", "question": "q", "answerA": "a", "answerB": "b", "answerC": "c"}
    copa = {"premise": "p", "choice1": "a", "choice2": "b", "question": "cause", "label": 0, "idx": 1}
    put(tmp_path, "socialiqa/train.jsonl", jsonl(siqa, siqa))
    put(tmp_path, "socialiqa/train-labels.lst", "1\n2\n")
    put(tmp_path, "COPA/train.jsonl", jsonl(copa, {**copa, "idx": 2}))
    put(tmp_path, "COPA/val.jsonl", jsonl(copa))
    put(tmp_path, "data/th/test.th.jsonl", jsonl({**copa, "idx": 9}))
    data = read("xcopa", tmp_path, ("th",))
    assert [len(e.choices) for e in data.splits["train", "en"]] == [2, 2]
    assert read_parts(tmp_path, "siqa", "train")[0].choices == ("a", "b", "c")
