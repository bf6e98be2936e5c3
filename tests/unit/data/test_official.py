"""Readers of the official layouts, and every trap of the data sets, on files of a few lines."""

from __future__ import annotations

import bz2
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.data import bitext, choices, classification, questions, tagged
from adapterxfer.data.compositions import COMPOSITIONS
from adapterxfer.data.files import list_files
from adapterxfer.data.official import UNKNOWN_TAG, find, read_official
from adapterxfer.data.storage import check_task
from adapterxfer.errors import DataError


def jsonl(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def put(root: Path, name: str, content: str | bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    if name.endswith(".gz"):
        data = gzip.compress(data)
    elif name.endswith(".bz2"):
        data = bz2.compress(data)
    path.write_bytes(data)
    return path


def squad(entries: list[tuple[str, str, str, list[tuple[str, int]]]]) -> str:
    """``(id, context, question, answers)``, one paragraph each."""
    paragraphs = [
        {
            "context": c,
            "qas": [{"id": i, "question": q, "answers": [{"text": t, "answer_start": s} for t, s in answers]}],
        }
        for i, c, q, answers in entries
    ]
    return json.dumps({"version": "1.1", "data": [{"title": "", "paragraphs": paragraphs}]}, ensure_ascii=False)


def read(task: str, root: Path, languages: tuple[str, ...] = ()) -> Any:
    data = read_official(
        task, root, list_files(root), languages, train_examples=None, dev_examples=None, test_examples=None, seed=0
    )
    check_task(data)
    return data


# Labels: names, order, hidden and missing gold


def test_nli_labels_are_mapped_by_name_and_rows_without_gold_left_out(tmp_path):
    rows = [{"sentence1": "A", "sentence2": "B", "gold_label": g, "pairID": str(i)}
            for i, g in enumerate(["contradiction", "-", "neutral"])]  # fmt: skip
    notes: Counter[str] = Counter()
    found = classification.read_nli([put(tmp_path, "snli_1.0_train.jsonl.gz", jsonl(*rows))], "en", notes)
    assert [e.label for e in found] == ["contradiction", "neutral"]
    assert notes["examples without a gold label left out"] == 1
    assert len({e.cluster_id for e in found}) == 1  # the same premise
    assert COMPOSITIONS["snli"].labels == ("entailment", "neutral", "contradiction")


def test_xnli_translated_training_spells_contradictory(tmp_path):
    path = put(tmp_path, "multinli.train.en.tsv", 'premise\thypo\tlabel\nHe said "no\tIt"s\tcontradictory\n')
    (example,) = classification.read_nli([path], "en", Counter())
    assert (example.text, example.text_pair, example.label) == ('He said "no', 'It"s', "contradiction")


def test_anli_letters_and_rounds(tmp_path):
    row = {"uid": "u", "context": "premise", "hypothesis": "h", "label": "n"}
    for name in ("R1", "R2", "R3"):
        put(tmp_path, f"anli_v1.0/{name}/train.jsonl", jsonl(row, {**row, "uid": "v", "label": "c"}))
    data = read_parts(tmp_path, "anli", "train")
    assert [e.label for e in data] == ["neutral", "contradiction"] * 3
    assert len({e.example_id for e in data}) == 6  # the same uid in three rounds


def read_parts(root: Path, task: str, role: str, languages: tuple[str, ...] = ()) -> list[Any]:
    from adapterxfer.data.official import read_part

    needs = find(task, list_files(root), languages)
    need = next(need for need in needs if need.role == role)
    return read_part(need.dataset, need.split, need.language, root, needs, role, Counter())


def test_fever_evidence_is_the_premise(tmp_path):
    row = {"fid": 7, "context": "evidence", "query": "claim", "label": "REFUTES"}
    (example,) = classification.read_fever([put(tmp_path, "train_fitems.jsonl", jsonl(row))], "en", Counter())
    assert (example.text, example.text_pair, example.label) == ("evidence", "claim", "contradiction")


def test_labels_that_were_all_removed_are_refused(tmp_path):
    rows = [{"sentence1": f"a {i}", "sentence2": "b", "gold_label": "entailment"} for i in range(25)]
    with pytest.raises(DataError, match="removed"):
        classification.read_nli([put(tmp_path, "x.jsonl", jsonl(*rows))], "en", Counter())


def test_unknown_labels_name_their_line(tmp_path):
    rows = [
        {"sentence1": "a", "sentence2": "b", "gold_label": "neutral"},
        {"sentence1": "a", "sentence2": "b", "gold_label": "2"},
    ]
    with pytest.raises(DataError, match=r"x\.jsonl:2: label '2'"):
        classification.read_nli([put(tmp_path, "x.jsonl", jsonl(*rows))], "en", Counter())


def test_one_based_labels_become_zero_based(tmp_path):
    siqa = {"context": "c", "question": "q", "answerA": "a", "answerB": "b", "answerC": "c"}
    paths = [put(tmp_path, "siqa/train.jsonl", jsonl(siqa, siqa)), put(tmp_path, "siqa/train-labels.lst", "1\n3\n")]
    assert [e.label for e in choices.read_siqa(paths, "en", Counter())] == [0, 2]
    version = put(tmp_path, "socialIQa_v1.4_trn.jsonl", jsonl({**siqa, "correct": "B"}))
    assert choices.read_siqa([version], "en", Counter())[0].label == 1
    grande = {"qID": "1", "sentence": "The _ is big.", "option1": "cat", "option2": "dog", "answer": "2"}
    (example,) = choices.read_winogrande([put(tmp_path, "dev.jsonl", jsonl(grande))], "en", Counter())
    assert (example.context, example.choices, example.label) == ("The", ("cat is big.", "dog is big."), 1)
    bele = {"link": "l", "question_number": 1, "flores_passage": "p", "question": "q", "correct_answer_num": "4"}
    bele |= {f"mc_answer{n}": str(n) for n in (1, 2, 3, 4)}
    assert choices.read_belebele([put(tmp_path, "eng_Latn.jsonl", jsonl(bele))], "en", Counter())[0].label == 3
    header = "InputStoryid\t" + "\t".join(f"InputSentence{n}" for n in (1, 2, 3, 4))
    header += "\tRandomFifthSentenceQuiz1\tRandomFifthSentenceQuiz2\tAnswerRightEnding\n"
    story = put(tmp_path, "story.tsv", header + "s\ta\tb\tc\td\tx\ty\t2\n")
    (example,) = choices.read_xstorycloze([story], "sw", Counter())
    assert (example.context, example.label) == ("a b c d", 1)


def test_siqa_without_its_labels_or_with_too_few(tmp_path):
    siqa = {"context": "c", "question": "q", "answerA": "a", "answerB": "b", "answerC": "c"}
    path = put(tmp_path, "train.jsonl", jsonl(siqa, siqa))
    with pytest.raises(DataError, match="no labels"):
        choices.read_siqa([path], "en", Counter())
    with pytest.raises(DataError, match="1 labels for 2 questions"):
        choices.read_siqa([path, put(tmp_path, "train-labels.lst", "1\n")], "en", Counter())


def test_commonsenseqa_letters_follow_the_choices(tmp_path):
    row = {"id": "i", "answerKey": "B", "question": {"stem": "s", "choices": [
        {"label": "C", "text": "3"}, {"label": "B", "text": "second"}, {"label": "A", "text": "1"}]}}  # fmt: skip
    hidden = {**row, "id": "j", "answerKey": ""}
    notes: Counter[str] = Counter()
    (example,) = choices.read_commonsenseqa([put(tmp_path, "dev.jsonl", jsonl(row, hidden))], "en", notes)
    assert example.choices[example.label] == "second"
    assert notes["examples without a gold label left out"] == 1


def test_hellaswag_label_is_number_or_text(tmp_path):
    row = {"ind": 1, "ctx_a": "A man", "ctx_b": "he", "endings": list("wxyz"), "label": 2}
    path = put(
        tmp_path, "hellaswag_val.jsonl.bz2", jsonl(row, {**row, "ind": 2, "label": "3"}, {**row, "ind": 3, "label": ""})
    )
    found = choices.read_hellaswag([path], "en", Counter())
    assert [(e.choices[0], e.label) for e in found] == [("he w", 2), ("he w", 3)]


def test_race_has_several_questions_per_article(tmp_path):
    article = {
        "id": "high1.txt",
        "article": "text",
        "questions": ["q", "r"],
        "options": [list("abcd")] * 2,
        "answers": ["D", "A"],
    }
    path = put(tmp_path, "RACE/train/high/1.txt", json.dumps(article))
    found = choices.read_race([path], "en", Counter())
    assert [e.label for e in found] == [3, 0]
    assert len({e.cluster_id for e in found}) == 1


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


# Questions and offsets


def test_offsets_are_repaired_by_the_nearest_occurrence(tmp_path):
    context = " \u0915\u093c one two one"  # not NFC, and a leading space: both must stay
    text = squad(
        [("a", context, "q", [("one", 3)]), ("b", context, "r", [("gone", 0)]), ("c", context, "s", [("two", 8)])]
    )
    notes: Counter[str] = Counter()
    found = questions.read_answerable([put(tmp_path, "xquad.hi.json", text)], "hi", notes)
    assert [e.answer_starts for e in found] == [(4,), (8,)]
    assert all(e.context == context for e in found)
    assert notes["answer offsets repaired"] == 1
    assert notes["answers not in their context left out"] == 1


def test_squad_v2_keeps_unanswerable_questions(tmp_path):
    text = squad([("a", "one two", "q", [("two", 4)]), ("b", "one two", "r", [])])
    path = put(tmp_path, "train-v2.0.json", text)
    assert [e.answers for e in questions.read_squad_v2([path], "en", Counter())] == [("two",), ()]
    assert len(questions.read_answerable([path], "en", Counter())) == 1


def test_equal_ids_of_different_questions_are_numbered(tmp_path):
    text = squad([("0", "one two", "q", [("one", 0)]), ("0", "six two", "q", [("six", 0)]), ("0", "one two", "q", [])])
    notes: Counter[str] = Counter()
    found = questions.read_answerable([put(tmp_path, "train.json", text)], "en", notes)
    assert [e.example_id for e in found] == ["0", "0#2"]
    assert (notes["repeated ids numbered"], notes["repeated questions left out"]) == (1, 1)


def test_removed_answers_are_refused(tmp_path):
    path = put(tmp_path, "mlqa.json", squad([("a", "one", "q", [("", 0)]), ("b", "one", "q", [])]))
    for reader in (questions.read_answerable, questions.read_squad_v2):
        with pytest.raises(DataError, match="gold was removed"):
            reader([path], "ar", Counter())


def test_tydiqa_languages_are_told_by_their_ids(tmp_path):
    entries = [
        ("arabic-1", "one", "q", [("one", 0)]),
        ("english-1", "two", "r", [("two", 0)]),
        ("english-2", "six", "r", [("six", 0)]),
    ]
    put(
        tmp_path,
        "tydiqa-goldp-v1.1-train.json",
        squad([(i, f"{c} {n}", q, a) for n, (i, c, q, a) in enumerate(entries * 1)]),
    )
    put(tmp_path, "tydiqa-goldp-v1.1-dev.json", squad(entries))
    data = read_official("tydiqa", tmp_path, list_files(tmp_path), ("ar", "en"), train_examples=None, dev_examples=1,
                         test_examples=None, seed=0)  # fmt: skip
    assert {split: len(found) for split, found in data.splits.items()} == {
        ("train", "en"): 1, ("dev", "en"): 1, ("test", "ar"): 1, ("test", "en"): 2,
    }  # fmt: skip


def test_mlqa_shares_ids_between_some_languages(tmp_path):
    put(tmp_path, "train-v1.1.json", squad([("t", "one two", "q", [("one", 0)]), ("u", "six two", "q", [("six", 0)])]))
    put(tmp_path, "dev-v1.1.json", squad([("d", "one two", "q", [("one", 0)])]))
    put(tmp_path, "MLQA_V1/test/test-context-de-question-de.json", squad([("x", "eins", "q", [("eins", 0)])]))
    both = squad([("x", "uno", "q", [("uno", 0)]), ("y", "dos", "q", [("dos", 0)])])
    put(tmp_path, "MLQA_V1/test/test-context-es-question-es.json", both)
    data = read("mlqa", tmp_path, ("de", "es"))
    assert {e.example_id for e in data.splits["test", "de"]} < {e.example_id for e in data.splits["test", "es"]}


# Tags


def test_panx_cuts_at_the_first_colon_and_counts_signs_without_width(tmp_path):
    path = put(tmp_path, "de/test", "de:10:30\tO\nde:\u200b\tO\nde:Ulm\tB-LOC\n\nde:Bonn\tI-LOC\n")
    notes: Counter[str] = Counter()
    found = tagged.read_panx([path], "de", notes)
    assert [(e.words, e.tags) for e in found] == [
        (("10:30", "\u200b", "Ulm"), ("O", "O", "B-LOC")), (("Bonn",), ("I-LOC",)),
    ]  # fmt: skip
    assert notes["words that some vocabularies give no token"] == 1


def test_tags_that_were_removed_are_refused(tmp_path):
    with pytest.raises(DataError, match="removed"):
        tagged.read_panx([put(tmp_path, "panx/test-de.tsv", "Ulm\nist\n")], "de", Counter())


def test_masakhaner_dates_orphans_and_empty_words(tmp_path):
    path = put(tmp_path, "xho/train.txt", "a B-DATE\nb I-DATE\nc I-PER\nd I-PER\n O\ne I-LOC\n\n")
    notes: Counter[str] = Counter()
    (example,) = tagged.read_masakhaner([path], "xho", notes)
    assert example.words == tuple("abcde")
    assert example.tags == ("O", "O", "B-PER", "I-PER", "B-LOC")
    assert notes["tags of dates made O"] == 2
    assert notes["words without text left out"] == 1


def test_supertags_unseen_in_training_become_unknown(tmp_path):
    put(tmp_path, "ccg/train.tsv", "a b\tN N/N\nc\tN\n")
    put(tmp_path, "ccg/val.tsv", "a b\tN S\n")
    data = read("ccg", tmp_path)
    assert data.labels == ("N", "N/N", UNKNOWN_TAG)
    assert data.splits["dev", "en"][0].tags == ("N", UNKNOWN_TAG)


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


def test_bucc_and_lareqa(tmp_path):
    files = [
        put(tmp_path, "de-en.sample.de", "de-1\teins\nde-2\tzwei\n"),
        put(tmp_path, "de-en.sample.en", "en-1\tone\n"),
    ]
    with pytest.raises(DataError, match=r"no \.gold file"):
        bitext.read_bucc(files, "de")
    found = bitext.read_bucc([*files, put(tmp_path, "de-en.sample.gold", "de-1\ten-1\n")], "de")
    assert (found.sources["de-2"], found.gold) == ("zwei", {("de-1", "en-1")})
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
