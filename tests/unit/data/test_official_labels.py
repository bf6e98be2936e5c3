"""Labels of the official files: names, order, hidden and missing gold."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from adapterxfer.catalog import parts_of_task
from adapterxfer.data import choices, classification
from adapterxfer.errors import DataError

from tiny_files import jsonl, put, read_parts  # isort: skip


def test_nli_labels_are_mapped_by_name_and_rows_without_gold_left_out(tmp_path):
    rows = [{"sentence1": "A", "sentence2": "B", "gold_label": g, "pairID": str(i)}
            for i, g in enumerate(["contradiction", "-", "neutral"])]  # fmt: skip
    notes: Counter[str] = Counter()
    found = classification.read_nli([put(tmp_path, "snli_1.0_train.jsonl.gz", jsonl(*rows))], "en", notes)
    assert [e.label for e in found] == ["contradiction", "neutral"]
    assert notes["examples without a gold label left out"] == 1
    assert len({e.cluster_id for e in found}) == 1  # the same premise
    assert parts_of_task("snli").labels == ("entailment", "neutral", "contradiction")


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
