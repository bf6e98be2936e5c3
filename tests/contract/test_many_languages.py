"""Languages that a recipe has to name are read as all others, and the traps of the sets in many languages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from official_files import ROWS, write_task

from adapterxfer.catalog import parts_of_task, tasks
from adapterxfer.data.check import check_folder
from adapterxfer.data.examples import PairExample
from adapterxfer.data.files import list_files
from adapterxfer.data.knowledge import listed_choices
from adapterxfer.data.original import read_original
from adapterxfer.data.short_texts import read_afrisenti, read_masakhanews
from adapterxfer.errors import DataError
from adapterxfer.plan import Sources, build_plan
from adapterxfer.recipe import parse_recipe

OPTIONS = {"train_examples": None, "dev_examples": None, "test_examples": None, "seed": 0}


@pytest.mark.parametrize(
    ("task", "languages"), [("sib200", ("nqo", "ace-Arab", "ar-Latn", "en")), ("belebele", ("npi-Latn", "arz", "sw"))]
)
def test_languages_that_have_to_be_named(tmp_path: Path, task: str, languages: tuple[str, ...]) -> None:
    write_task(tmp_path, task, languages)
    data = read_original(task, tmp_path, list_files(tmp_path), languages, **OPTIONS)  # type: ignore[arg-type]
    assert data.languages("test") == languages
    assert {len(data.splits[("test", code)]) for code in languages} == {ROWS}
    (checked,) = check_folder(tmp_path, [task])
    tests = {part.language: part.examples for part in checked.parts if (part.role, part.state) == ("test", "found")}
    assert tests == dict.fromkeys(languages, ROWS)


def test_a_plan_in_all_languages(tmp_path: Path) -> None:
    text = """\
recipe: 1
name: all
backbones: [xlm-r-base]
intermediate_tasks: [none]
target_tasks: [sib200]
variants: [full-ft]
seeds: [1]
controls: false
data_root: DATA
tasks: {sib200: {languages: all}}
train: {default: {learning_rate: 1e-3, steps: 10}}
"""
    write_task(tmp_path, "sib200", (*tasks()["sib200"].languages, *tasks()["sib200"].more))
    recipe = parse_recipe(text.replace("DATA", str(tmp_path)), "r")
    plan = build_plan(recipe, sources=Sources(recipe))
    (prepared,) = (stage for stage in plan.stages.values() if stage.kind == "prepare")
    assert len(prepared.identity["languages"]) == 205
    assert len(prepared.identity["source"]["files"]) == 205 + 2  # the English training and development data


def test_a_tweet_that_begins_with_a_quotation_mark_is_one_tweet(tmp_path: Path) -> None:
    path = tmp_path / "test.tsv"
    path.write_text('tweet\tlabel\n"so\tpositive\nwell"\tnegative\nplain\tneutral\n', encoding="utf-8")
    examples = read_afrisenti([path], "sw", Counter())
    assert [e.text for e in examples if isinstance(e, PairExample)] == ['"so', 'well"', "plain"]


def test_an_article_may_hold_tabs_and_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "test.tsv"
    path.write_text('category\theadline\ttext\turl\nhealth\t"a ""b"""\t"one\ttwo\nthree"\t/x\n', encoding="utf-8")
    (article,) = read_masakhanews([path], "sw", Counter())
    assert isinstance(article, PairExample)
    assert (article.text, article.label) == ('a "b" one\ttwo\nthree', "health")
    path.write_text("category\theadline\ttext\turl\nweather\ta\tb\t/x\n", encoding="utf-8")
    with pytest.raises(DataError, match="'weather' is not one of: business"):
        read_masakhanews([path], "sw", Counter())


@pytest.mark.parametrize("cell", ["a, b", "['a']", "{'a': 1}", "__import__('os')", "[['a'], ['b']]", ""])
def test_choices_are_a_list_and_nothing_is_executed(cell: str) -> None:
    assert listed_choices("['it\\'s', 'b', 3]", "x") == ["it's", "b", "3"]
    with pytest.raises(DataError, match="not a list of at least two"):
        listed_choices(cell, "file:1")


def test_sentiment_is_in_one_order_everywhere() -> None:
    orders = {parts_of_task(name).labels for name in ("nusax", "afrisenti")}
    assert orders == {("negative", "neutral", "positive")}
