"""Counts of tokenized test texts, read from the records of the predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapterxfer.catalog import is_other_evaluation
from adapterxfer.report.inputs import NOT_RECORDED, InputRow
from adapterxfer.report.provenance import stage_result
from adapterxfer.report.results import Results

FIELD = "inputs"
"""In the result of a predict stage; those of earlier versions lack it."""


def input_rows(results: Results) -> tuple[InputRow, ...]:
    """One row for each target, tokenizer and language, in the order of the plan."""
    rows: list[InputRow] = []
    for target in results.targets:
        if is_other_evaluation(target):
            continue  # the same texts again, or development data
        backbones = dict.fromkeys(c.backbone for c in results.cells if c.target == target and c.backbone)
        readers: list[tuple[Mapping[str, Any], list[str]]] = []
        for backbone in backbones:
            record = _recorded(results, target, backbone)
            # Counts alone decide: other files may hold the same tokenizer.
            record = {name: value for name, value in record.items() if name != "tokenizer"}
            same = next((names for known, names in readers if known == record), None)
            if same is None:
                readers.append((record, [backbone]))
            else:
                same.append(backbone)
        for record, names in readers:
            rows += _rows(target, tuple(names), record)
    return tuple(rows)


def _recorded(results: Results, target: str, backbone: str) -> Mapping[str, Any]:
    """Counts of a finished stage: all systems on a backbone read the same pieces."""
    folders = dict.fromkeys(
        results.folders[cell.predict] for cell in results.cells if (cell.target, cell.backbone) == (target, backbone)
    )
    return next((record for folder in folders if (record := stage_result(folder).get(FIELD))), {})


def _rows(target: str, backbones: tuple[str, ...], record: Mapping[str, Any]) -> Iterator[InputRow]:
    if not record:
        yield InputRow(target=target, backbones=backbones, language=NOT_RECORDED)
    for code, counts in record.get("languages", {}).items():
        marked = counts.get("marked") if record.get("marks_words") else None
        yield InputRow(
            target=target,
            backbones=backbones,
            language=str(code),
            texts=int(counts["texts"]),
            max_length=int(record["max_length"]),
            pieces_per_word=_ratio(counts["pieces"], counts["words"]),
            pieces_per_character=_ratio(counts["pieces"], counts["characters"]),
            unknown=_ratio(counts["unknown"], counts["pieces"]),
            cut=_ratio(counts["cut"], counts["texts"]),
            composed=_ratio(counts["composed"], counts["texts"]),
            marked=None if marked is None else _ratio(marked, counts["words"]),
        )


def _ratio(count: int, total: int) -> float | None:
    return count / total if total else None
