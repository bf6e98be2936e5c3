"""Tasks that search a pool, from the Hub: BUCC's whole sides in one row, and Mewsli-X's files of JSON lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from adapterxfer.catalog import HubSource
from adapterxfer.data.examples import CandidateExample, Example, SearchExample
from adapterxfer.data.mewsli import entities, mentions, pairs, parse_lines
from adapterxfer.data.origins import FIX
from adapterxfer.errors import DataError

POOL = "test-pool"


def bucc_examples(rows: Sequence[Mapping[str, Any]], source: HubSource, split: str, language: str) -> list[Example]:
    """One side of BUCC: a repository holds a pair of languages in one row, its gold pairs counted from 1.

    Args:
        split: ``test`` for the source sentences, ``test-pool`` for the English side. Ids are places, as in BUCC's own
            files: ``de-000000001``.

    Raises:
        DataError: there is not one row, or a gold pair names a sentence that does not exist.
    """
    subject = f"{source.repository} {language}-en"
    if len(rows) != 1:
        raise DataError(f"{subject}: {len(rows)} rows; expected one with all sentences", fix=FIX)
    columns = source.columns
    sides = [[str(text).strip() for text in rows[0][columns[name]]] for name in ("sources", "targets")]
    ids = [
        [f"{code}-{number:09d}" for number in range(1, len(side) + 1)]
        for code, side in zip((language, "en"), sides, strict=True)
    ]
    if split == POOL:
        return [CandidateExample(name, name, language, text) for name, text in zip(ids[1], sides[1], strict=True)]
    relevant: dict[str, list[str]] = {}
    for first, second in rows[0][columns["gold"]]:
        if not (1 <= first <= len(sides[0]) and 1 <= second <= len(sides[1])):
            raise DataError(
                f"{subject}: gold pair ({first}, {second}) of {len(sides[0])} and {len(sides[1])} sentences, counted "
                "from 1",
                fix=FIX,
            )
        relevant.setdefault(ids[0][first - 1], []).append(ids[1][second - 1])
    if not relevant:
        raise DataError(f"{subject}: no gold pair", fix=FIX)
    return [
        SearchExample(name, name, language, text, tuple(relevant.get(name, ())))
        for name, text in zip(ids[0], sides[0], strict=True)
    ]


def read_lines(source: HubSource, split: str, language: str, notes: Counter[str]) -> list[Example]:
    """One split of Mewsli-X from the files of its repository, at the commit of the catalogue.

    Raises:
        DataError: the file cannot be loaded, is not Mewsli-X's, or has no example in the language.
    """
    path = source.lines[split].format(lang=language)
    address = f"{source.repository}@{source.revision[:12]}/{path}"
    rows = parse_lines(_load_lines(source, path), address)
    try:
        if split == POOL:
            examples = list(entities(rows, language))
        elif split == "test":
            examples = mentions(rows, language, notes, address)
        else:
            examples = list(pairs(rows, PurePosixPath(path).name.partition(".")[0], language, notes))
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{address}: not Mewsli-X's layout ({error})", fix=FIX) from None
    if not examples:
        raise DataError(f"{address}: no example in '{language}'", fix="leave the language out")
    return examples


def _load_lines(source: HubSource, path: str) -> list[str]:
    """Lines of a file, packed or not. They are read as text: as tables, lines whose keys differ are refused."""
    import datasets

    url = f"hf://datasets/{source.repository}@{source.revision or 'main'}/{path}"
    try:
        loaded = datasets.load_dataset("text", data_files={"lines": url}, split="lines")
    except Exception as error:
        # The library raises whatever its many layers raise: from the network, from readers, from its own checks.
        raise DataError(
            f"{url}: cannot be loaded ({type(error).__name__}: {str(error)[:300]})", fix=f"check the connection; {FIX}"
        ) from None
    return list(loaded["text"])
