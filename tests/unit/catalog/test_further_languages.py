"""The languages of the sets in many languages: where each stands, what is known of it, and what is not."""

from __future__ import annotations

import json
import re

import pytest

from adapterxfer.catalog import (
    BELEBELE_CODES,
    FLORES,
    LOW_RESOURCE,
    SIB200_CODES,
    extension_languages,
    further_languages,
    known_languages,
    languages,
    low_resource,
    one_language,
    pretraining_tokens,
    tasks,
    undecided,
)
from adapterxfer.catalog.languages import table_rows
from adapterxfer.cli.main import main
from adapterxfer.recipe import parse_recipe
from adapterxfer.recipe.decidable import languages_of

RECIPE = """\
recipe: 1
name: study
backbones: [xlm-r-base]
intermediate_tasks: [none]
target_tasks: [sib200]
variants: [full-ft]
seeds: [1]
controls: false
train: {default: {learning_rate: 1e-3, steps: 10}}
"""


def test_all_languages_of_belebele_and_sib200():
    assert (len(SIB200_CODES), len(BELEBELE_CODES)) == (205, 122)
    assert len(set(SIB200_CODES.values())) == 205
    assert len(set(BELEBELE_CODES.values())) == 122
    for name, codes in (("sib200", SIB200_CODES), ("belebele", BELEBELE_CODES)):
        task = tasks()[name]
        assert task.languages == tuple(FLORES)
        assert set(task.languages) | set(task.more) == set(codes)
    # What one of them has and the other has not, by their own lists of files.
    assert {code for code in BELEBELE_CODES if code not in SIB200_CODES} == {
        "bn-Latn", "hi-Latn", "npi-Latn", "sin-Latn", "ur-Latn"
    }  # fmt: skip
    assert SIB200_CODES["nqo"] == "nqo_Nkoo"


def test_rows_are_whole_and_new():
    known = set(languages()) | set(extension_languages())
    further = further_languages()
    assert not known & set(further)
    for code, language in further.items():
        assert re.fullmatch("[a-z]{2,3}(-[A-Z][a-z]{3})?", code), code
        assert language.name
        assert language.family not in ("", "unknown")
        assert language.script
        # No class, no tier: nothing is guessed.
        assert (language.joshi_class is None) == (language.resource == "unknown")
    families = {entry.family for entry in known_languages().values()}
    assert not families & {"Atlantic-Congo", "Tai-Kadai", "Austroasiatic", "Nilotic", "Altaic"}
    assert further["amh"].resource == "low"
    assert further["ces"].resource == "high"
    assert further["kea"].resource == "unknown"


def test_one_language_counts_once():
    assert one_language("ace-Arab") == one_language("ace") == "ace"
    assert one_language("yor") == one_language("yo")


def test_tokens_are_those_of_the_tables():
    rows = {row["code"]: row for row in table_rows("corpus_tokens.csv")}
    assert set(rows) == set(known_languages())
    # Yoruba is only in the last phase of mmBERT; Welsh and Maltese are in mC4 and not in CC-100's low end alone.
    assert pretraining_tokens("yo", "mmbert") == pretraining_tokens("yor", "mmbert") == 147_497_592
    assert pretraining_tokens("cym", "mt5") == pytest.approx(4.9e9)
    assert pretraining_tokens("swa", "mt5") == pytest.approx(1e9)
    assert pretraining_tokens("ace-Arab", "mmbert") is None  # the table says nothing of scripts
    assert "ace-Arab" in undecided("tokens", "mmbert")
    assert "ace-Arab" not in low_resource("tokens", series="mmbert")
    assert {"yo", "zul", "quy"} <= set(low_resource("tokens", series="mmbert"))
    assert not {"sw", "eu", "en"} & set(low_resource("tokens", series="mmbert"))
    assert "sw" in low_resource("tokens", tokens=5e9, series="mmbert")


@pytest.mark.parametrize("option", ["sw", "[all]", "all"])
def test_a_recipe_names_all_languages_in_a_word(option: str):
    recipe = parse_recipe(RECIPE, "r", (f"tasks={{sib200: {{languages: {option}}}}}",))
    spoken = recipe.languages_of("sib200")
    assert spoken == ("sw",) if option == "sw" else len(spoken) == 205
    assert parse_recipe(RECIPE, "r", ()).languages_of("sib200") == tuple(FLORES)


def test_tiers_by_tokens_and_their_source():
    recipe = parse_recipe(RECIPE, "r", ("low_resource={by: tokens, tokens: 2e9, series: mmbert}",))
    table = languages_of(recipe)
    assert {table[code].resource for code in ("yo", "amh")} == {"low"}
    assert {table[code].resource for code in ("sw", "en", "ces")} == {"high"}
    assert {table[code].resource for code in ("ace-Arab", "zh-Hant")} == {"unknown"}


def test_families_with_enough_low_resource_languages(capsys: pytest.CaptureFixture[str]):
    assert main(["ls", "families", "--json"]) == 0
    rows = {row["family"]: row for row in json.loads(capsys.readouterr().out)["entries"]}
    total = rows["families with 3 or more"]
    for name in LOW_RESOURCE:
        assert total[name] > total[f"{name}_before"] > 0
    assert (total["joshi_before"], total["joshi"]) == (2, 9)
    assert rows["Saharan"]["languages"] == 1  # Kanuri in two scripts
    assert rows["Niger-Congo"]["languages_before"] == 17  # without Swahili, Wolof and Yoruba under a second code
