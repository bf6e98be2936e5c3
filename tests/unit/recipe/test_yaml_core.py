"""The YAML 1.2 core schema, positions, and what is refused."""

from __future__ import annotations

import pytest

from adapterxfer.errors import RecipeError
from adapterxfer.recipe.yaml_core import MAX_BYTES, parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-3", -3),
        ("+3", 3),
        ("0o17", 15),
        ("0xff", 255),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("1:30:00", "1:30:00"),
        ("2020-05-13", "2020-05-13"),
        ("1_000", "1_000"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("0b11", "0b11"),
    ],
)
def test_core_schema(text: str, value: object) -> None:
    found = parse_yaml(f"key: {text}", "x").value["key"]
    assert found == value
    assert type(found) is type(value)


def test_positions_of_values_and_keys() -> None:
    document = parse_yaml("a:\n  b: [1, two]\nc: 3\n", "x")
    assert document.value == {"a": {"b": [1, "two"]}, "c": 3}
    assert document.values["a", "b", 1] == (2, 10)
    assert document.keys["a", "b"] == (2, 3)
    assert document.keys["c",] == (3, 1)


def test_duplicate_keys_are_all_reported() -> None:
    document = parse_yaml("a: 1\nb: {c: 1, c: 2}\na: 3\n", "x")
    assert [(p.line, p.message.split("'")[1]) for p in document.problems] == [(2, "b.c"), (3, "a")]


def test_leading_zero_is_named_with_both_ways_out() -> None:
    (problem,) = parse_yaml("seed: 010", "x").problems
    assert "write 10" in problem.message
    assert "quote" in problem.message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: &x 1\nb: *x", "anchors"),
        ("a: *x", "aliases"),
        ("a: !!python/object:os.system 1", "tags"),
        ("--- 1\n--- 2", "second document"),
        ("a: ! 12", "tags"),
        ("[1, 2", "not valid YAML"),
        ("a: b: c", "not valid YAML"),
        ("? [a]\n: 1", "key must be plain text"),
        ("[" * 60, "deeper"),
        ('a: "\\UFFFFFFFF"', "not valid YAML"),
        ("%YAML 1.9\n---\na: 1\n%", "not valid YAML"),
        ("a: \x01", "U+0001"),
    ],
)
def test_refused(text: str, part: str) -> None:
    with pytest.raises(RecipeError, match="x:") as caught:
        parse_yaml(text, "x")
    assert part in str(caught.value)


def test_too_large_and_not_utf8() -> None:
    with pytest.raises(RecipeError, match="larger than"):
        parse_yaml("a" * (MAX_BYTES + 1), "x")
    with pytest.raises(RecipeError, match="x:2:4: not UTF-8"):
        parse_yaml(b"a: 1\nb: \xff\n", "x")


def test_a_long_digit_string_stays_text() -> None:
    digits = "9" * 5000
    assert parse_yaml(f"a: {digits}", "x").value == {"a": digits}
