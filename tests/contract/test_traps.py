"""Traps of the data sets, each with the test that springs it: the list is checked, and what was missing is tested here."""
# ruff: noqa: E501 - a trap and its test read better on one line

from __future__ import annotations

import ast
import json
import unicodedata
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from official_files import write_task

from adapterxfer.catalog import BELEBELE_CODES, FLORES, SIB200_CODES, data_sets, parts_of_task, protocols_of, tasks
from adapterxfer.data import choices, classification, hub, questions
from adapterxfer.data.files import list_files
from adapterxfer.data.original import read_original
from adapterxfer.errors import CatalogueError
from adapterxfer.metrics import METRICS

TESTS = Path(__file__).parents[1]

TRAPS = {
    "repositories with a loading script load no more": "integration/test_dataset_hub.py::test_real_load_dataset_from_a_hub_on_localhost",
    "the converted branch joins all languages unless a folder is named": "integration/test_dataset_hub.py::test_real_load_dataset_from_a_hub_on_localhost",
    "lazy columns and dicts of lists of the library": "integration/test_dataset_hub.py::test_real_load_dataset_from_a_hub_on_localhost",
    "bare repository ids are rejected": "contract/test_traps.py::test_repositories_have_a_namespace",
    "table readers merge TSV rows at quotes and lose null and NA": "unit/data/test_official.py::test_tsv_is_read_without_quoting",
    "the Hub's own tables lost null and NA": "contract/test_traps.py::test_cells_that_a_table_reader_lost_are_no_text",
    "lines end at line feeds only": "unit/data/test_official.py::test_lines_end_at_line_feeds_only",
    "CosmosQA is real CSV": "unit/data/test_official.py::test_cosmosqa_is_real_csv",
    "SQuAD's JSON is parsed by hand": "unit/data/test_original.py::test_the_gold_sentence_is_cut_out_and_offsets_follow",
    "revisions are pinned or said to be unpinned": "contract/test_catalogue_sources.py::test_revisions_are_commits_or_said_to_be_unpinned",
    "label order differs between sources: names, never ids": "unit/data/test_hub_rows.py::test_ids_become_names_in_the_order_the_repository_states",
    "a head with another order of labels": "unit/predict/test_stage.py::test_a_model_of_another_labelling_or_backbone_is_refused",
    "ANLI's letters": "unit/data/test_official_labels.py::test_anli_letters_and_rounds",
    "contradictory": "unit/data/test_official_labels.py::test_xnli_translated_training_spells_contradictory",
    "gold - and -1": "unit/data/test_official_labels.py::test_nli_labels_are_mapped_by_name_and_rows_without_gold_left_out",
    "1-based labels": "unit/data/test_official_labels.py::test_one_based_labels_become_zero_based",
    "1-based labels on the Hub": "unit/data/test_hub_rows.py::test_one_based_text_labels",
    "letters as labels": "unit/data/test_official_labels.py::test_commonsenseqa_letters_follow_the_choices",
    "HellaSwag's label is a number, a text or empty": "unit/data/test_official_labels.py::test_hellaswag_label_is_number_or_text",
    "BoolQ's answer is a truth value or a class": "contract/test_traps.py::test_boolq_by_value_or_by_name",
    "orders of tags differ; MasakhaNER has dates": "unit/data/test_hub_rows.py::test_tags_by_name_dates_out",
    "ANLI+ of the paper has no FEVER": "contract/test_traps.py::test_anli_plus_is_the_papers",
    "CosmosQA's table counts an unreleased set": "contract/test_traps.py::test_sizes_are_those_of_the_release",
    "supertags unseen in training": "unit/data/test_official_texts.py::test_supertags_unseen_in_training_become_unknown",
    "SQuAD 2.0: empty answers": "unit/data/test_official_texts.py::test_squad_v2_keeps_unanswerable_questions",
    "contexts begin with blanks": "contract/test_traps.py::test_offsets_count_characters_of_the_raw_context",
    "offsets are characters, not bytes": "contract/test_traps.py::test_offsets_count_characters_of_the_raw_context",
    "contexts are not NFC and stay so": "contract/test_traps.py::test_offsets_count_characters_of_the_raw_context",
    "QQP: broken lines": "unit/data/test_official.py::test_qqp_skips_few_broken_lines_and_refuses_many",
    "QQP: F1 of duplicates": "contract/test_traps.py::test_duplicates_have_an_f1",
    "RACE on another repository is one level only": "contract/test_catalogue_sources.py::test_revisions_are_commits_or_said_to_be_unpinned",
    "stripped contexts on the Hub": "unit/data/test_hub_rows.py::test_stripped_contexts_are_repaired",
    "offsets repaired by the nearest occurrence": "unit/data/test_official_texts.py::test_offsets_are_repaired_by_the_nearest_occurrence",
    "ids shared by languages, MLQA's by some": "unit/data/test_official_texts.py::test_mlqa_shares_ids_between_some_languages",
    "TyDi QA: languages by id": "unit/data/test_official_texts.py::test_tydiqa_languages_are_told_by_their_ids",
    "TyDi QA: no English development set": "contract/test_official_round_trip.py::test_examples_keep_the_contract",
    "google/xtreme's udpos is contaminated": "contract/test_traps.py::test_contaminated_and_lossy_copies_are_refused",
    "google/xtreme's PAWS-X lost rows": "contract/test_traps.py::test_contaminated_and_lossy_copies_are_refused",
    "treebanks by ISO prefix": "unit/data/test_fused.py::test_the_protocol_decides_words_and_training_treebanks",
    "XTREME fuses multiword tokens": "unit/data/test_fused.py::test_a_multiword_token_is_one_word_with_the_tag_that_ranks_highest",
    "treebanks with hidden words; non-joiners and spaces in words": "unit/data/test_fused.py::test_hidden_sentences_spaces_and_non_joiners",
    "chunks of bare tags depend on seqeval's version": "golden/test_official_metrics.py::test_tagging",
    "PAN-X: the first colon": "unit/data/test_official_texts.py::test_panx_cuts_at_the_first_colon_and_counts_signs_without_width",
    "a lone word-start mark before a Chinese character": "unit/formats/test_formats.py::test_tagging_skips_a_lone_mark_but_not_the_only_token",
    "words without any token": "unit/formats/test_tokenization.py::test_words_without_tokens_are_kept",
    "sentences longer than the window are split and joined": "unit/formats/test_formats.py::test_tagging_gives_each_word_one_tag_whatever_the_length",
    "MasakhaNER: dates, orphans, empty words": "unit/data/test_official_texts.py::test_masakhaner_dates_orphans_and_empty_words",
    "Masakhane: two licences, shown as non-commercial": "contract/test_traps.py::test_conflicting_licences_are_shown_as_the_stricter_one",
    "XCOPA's questions are broken": "unit/data/test_official.py::test_xcopa_questions_are_repaired_from_estonian",
    "XCOPA's questions as published": "contract/test_traps.py::test_xcopa_repair_can_be_left_out",
    "choices differ in number": "unit/formats/test_formats.py::test_missing_choices_never_win",
    "BUCC needs its pools": "unit/predict/test_bucc.py::test_bucc_mines_equal_sentences_and_leaves_repeated_ones_out",
    "BUCC's gold was deleted": "unit/predict/test_pools.py::test_damaged_pools_are_named",
    "Tatoeba: trailing line feeds, a path as language": "integration/test_dataset_hub.py::test_real_load_dataset_from_a_hub_on_localhost",
    "Tatoeba: sorted English side": "unit/data/test_official.py::test_tatoeba_sorted_english_is_refused",
    "Tatoeba: direction": "golden/test_official_metrics.py::test_tatoeba_direction",
    "LAReQA: breaks, not sentences; eleven right candidates": "unit/predict/test_lareqa.py::test_lareqa_asks_for_the_answer_in_all_languages",
    "Mewsli-X: marked mentions, description without title": "unit/predict/test_mewslix.py::test_mewsli_marks_the_mention_and_escapes_braces",
    "Mewsli-X: entities were removed": "unit/predict/test_mewslix.py::test_mewsli_without_entities_is_refused",
    "XTREME's folder: equal labels": "unit/data/test_official_labels.py::test_labels_that_were_all_removed_are_refused",
    "XTREME's folder: no tags": "unit/data/test_official_texts.py::test_tags_that_were_removed_are_refused",
    "XTREME's folder: empty answers": "unit/data/test_official_texts.py::test_removed_answers_are_refused",
    "XTREME's folder: XCOPA's labels are 0": "contract/test_traps.py::test_xcopa_with_all_labels_0_is_refused",
    "Thai and Chinese under two normalisers": "golden/test_official_metrics.py::test_answers",
    "codes of languages": "contract/test_catalogue_sources.py::test_codes_reach_the_files",
    "Quechua is not one variety": "contract/test_traps.py::test_other_varieties_do_not_stand_in",
    "licences": "contract/test_catalogue_sources.py::test_every_real_task_fits_the_rest_of_the_package",
}
"""What is wrong with the data -> the test that would notice."""  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_has_its_test(trap):
    path, _, name = TRAPS[trap].partition("::")
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert name in functions
    assert any(isinstance(node, ast.Assert | ast.With) for node in ast.walk(functions[name]))


def test_repositories_have_a_namespace():
    for data in data_sets().values():
        for source in data.hub.places() if data.hub is not None else ():
            assert source.repository.count("/") == 1


def test_cells_that_a_table_reader_lost_are_no_text(monkeypatch):
    rows = [
        {"index_id": i, "category": ("travel", "sports")[i % 2], "text": None if i == 1 else f"t{i}"} for i in range(4)
    ]
    monkeypatch.setattr(hub, "_load", lambda *asked: (list(rows), {}))
    notes: Counter[str] = Counter()
    found = hub.read_repository(data_sets()["sib200"], "test", "de", "sequence_classification", notes)
    assert [e.text for e in found] == ["t0", "t2", "t3"]
    assert notes["rows with empty cells left out"] == 1


def test_boolq_by_value_or_by_name(monkeypatch):
    own = [{"passage": "p", "question": "q", "answer": value} for value in (True, False)]
    other = [{"passage": "p", "question": "q", "label": value} for value in (1, 0)]
    names = {"label": ("False", "True")}

    def load(source, split, language, code):
        return (own, {}) if source.repository == "google/boolq" else (other, names)

    monkeypatch.setattr(hub, "_load", load)
    first = hub.read_repository(data_sets()["boolq"], "train", "en", "sequence_classification", Counter())
    broken = [{"passage": "p", "question": "q"}]
    monkeypatch.setattr(
        hub, "_load", lambda s, *rest: (broken, {}) if s.repository == "google/boolq" else load(s, *rest)
    )
    notes: Counter[str] = Counter()
    second = hub.read_repository(data_sets()["boolq"], "train", "en", "sequence_classification", notes)
    assert [e.label for e in first] == [e.label for e in second] == ["True", "False"]
    assert notes["examples from the alternate aps/super_glue"] == 2


def test_anli_plus_is_the_papers():
    parts = parts_of_task("anli+")
    assert (
        [data.name for data, _, _ in parts.train] == [data.name for data, _, _ in parts.dev] == ["anli", "mnli", "snli"]
    )
    assert tasks()["anli+"].train_examples == sum(data.sizes["train"] for data, _, _ in parts.train) == 1104934
    assert sum(data.sizes["dev"] for data, _, _ in parts.dev) == 22857


def test_sizes_are_those_of_the_release():
    assert data_sets()["cosmosqa"].sizes == {"train": 25262, "dev": 2985}


def test_offsets_count_characters_of_the_raw_context(tmp_path):
    decomposed = unicodedata.normalize("NFD", "\u00e9t\u00e9")
    context = f"  \u0928\u092e\u0938\u094d\u0924\u0947 \U0001f600 {decomposed} ja."
    assert unicodedata.normalize("NFC", context) != context
    start = context.index("ja")
    assert start != context.encode().index(b"ja")
    entry = {"id": "1", "question": "q", "answers": [{"text": "ja", "answer_start": start}]}
    path = tmp_path / "xquad.hi.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": context, "qas": [entry]}]}]}))
    notes: Counter[str] = Counter()
    (example,) = questions.read_answerable([path], "hi", notes)
    assert (example.context, example.answer_starts) == (context, (start,))
    assert not notes["answer offsets repaired"]


def test_duplicates_have_an_f1():
    counts = [
        METRICS["duplicate_f1"].count(p, g) for p, g in (("duplicate", "duplicate"), ("duplicate", "not_duplicate"))
    ]
    assert METRICS["duplicate_f1"].score([sum(column) for column in zip(*counts, strict=True)]) == pytest.approx(
        200 / 3
    )


def test_contaminated_and_lossy_copies_are_refused():
    for name in ("udpos", "pawsx"):
        data = data_sets()[name]
        assert "google/xtreme" in data.refused
        with pytest.raises(CatalogueError, match="a repository instead of google/xtreme"):
            replace(data, hub=replace(data.hub, repository="google/xtreme"))


def test_conflicting_licences_are_shown_as_the_stricter_one():
    for name in ("masakhaner2", "masakhapos"):
        assert data_sets()[name].restricted == "non-commercial"
        assert tasks()[name].licence == "stated twice, differently"


def test_xcopa_repair_can_be_left_out(tmp_path):
    languages = ("th",)
    write_task(tmp_path, "xcopa", languages)
    path = tmp_path / "data/th/test.th.jsonl"
    path.write_text(path.read_text().replace('"cause"', '"effect"'))
    found = {}
    for protocol in (tasks()["xcopa"].protocol, protocols_of("xcopa")["as-released"].text):
        data = read_original(
            "xcopa", tmp_path, list_files(tmp_path), languages, train_examples=None, dev_examples=None,
            test_examples=None, seed=0, protocol=protocol,
        )  # fmt: skip
        found[protocol] = (
            {e.question for e in data.splits[("test", "th")]},
            data.notes.get("questions repaired from 'et'"),
        )
    assert list(found.values()) == [({"What was the cause?"}, 24), ({"What was the effect?"}, None)]


def test_xcopa_with_all_labels_0_is_refused(tmp_path):
    rows = [
        {"premise": "p", "choice1": "a", "choice2": "b", "question": "cause", "label": 0, "idx": i} for i in range(100)
    ]
    path = tmp_path / "test.th.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(Exception, match="they were removed from this copy"):
        choices.read_xcopa([path], "th", Counter())


def test_other_varieties_do_not_stand_in():
    for codes in (FLORES, SIB200_CODES, BELEBELE_CODES):
        assert not {"qu", "aym"} & set(codes)
    # Ayacucho Quechua is one variety under one code, in AmericasNLI and in SIB-200; Belebele has none.
    assert (SIB200_CODES["quy"], "quy" in BELEBELE_CODES) == ("quy_Latn", False)
    assert len(set(classification.NLI)) == 3
