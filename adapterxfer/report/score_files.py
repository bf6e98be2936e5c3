"""Per-example scores of other tools, from a CSV or Parquet table with documented columns, as `Results`.

One row is one example of one run of one system. Everything is checked before anything is compared: the columns in
`score_tables.py`, and here that all systems of a target were scored on the same examples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from adapterxfer.data.repeats import joined_clusters
from adapterxfer.errors import DataError
from adapterxfer.report.display import NONE, SOURCE_LANGUAGE, Cell
from adapterxfer.report.language_facts import describe_languages
from adapterxfer.report.reading import Frame, PredictionFile
from adapterxfer.report.results import Results, trained_seeds
from adapterxfer.report.score_tables import MARKS, NUMBERS, SYSTEM, Floats, ScoreRows, read_tables
from adapterxfer.report.target_results import TargetResults
from adapterxfer.store.keys import canonical_json


def read_scores(
    tables: Path | Sequence[tuple[Path, str, int | None]],
    *,
    columns: Mapping[str, str] | None = None,
    source_language: str = SOURCE_LANGUAGE,
    common_languages: bool = False,
) -> Results:
    """Results from a table of per-example scores; docs/exchange.md lists the columns.

    Args:
        tables: one table, one for each system, or one for each target; see `score_tables.read_tables`.
        columns: name that this framework knows -> name in the tables, where they differ.
        common_languages: keep only the languages in which every system of a target was scored, instead of refusing.

    Raises:
        DataError: columns are missing or contradict each other, values are not finite or out of range, an example is
            given twice, or systems of one target were scored on different examples or different gold answers.
    """
    listed = [(tables, "", None)] if isinstance(tables, Path) else tables
    read = [
        results_of(rows, source_language=source_language, common_languages=common_languages)
        for rows in read_tables(listed, columns=columns)
    ]
    return read[0] if len(read) == 1 else _joined(listed[0][0].parent, read)


def _joined(folder: Path, by_target: Sequence[Results]) -> Results:
    """Results of several targets, read from one table each."""
    cells = [cell for results in by_target for cell in results.cells]
    _check_sizes(folder, cells)
    return replace(
        by_target[0],
        cells=tuple(cells),
        folders={key: path for results in by_target for key, path in results.folders.items()},
        languages={code: facts for results in by_target for code, facts in results.languages.items()},
        trained_seeds=trained_seeds(cells),
        _files={key: file for results in by_target for key, file in results._files.items()},
        _targets={name: data for results in by_target for name, data in results._targets.items()},
    )


def results_of(rows: ScoreRows, *, source_language: str = SOURCE_LANGUAGE, common_languages: bool = False) -> Results:
    """Results from checked rows, whatever they were read from.

    Args:
        source_language: of the training data, left out of means over languages; empty: none is.
        common_languages: see `read_scores`.

    Raises:
        DataError: see `read_scores`.
    """
    path = rows.path
    labels = [rows.columns[name] for name in (*SYSTEM, *MARKS, "seed", "target")]
    keys = np.array(["\x1f".join(map(str, row)) for row in zip(*labels, strict=True)])
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    cells: list[Cell] = []
    order = np.argsort(first, kind="stable")
    by_target: dict[str, list[tuple[Cell, npt.NDArray[np.intp]]]] = {}
    for number in order.tolist():
        chosen = np.flatnonzero(inverse == number)
        cell = _cell(rows, int(chosen[0]))
        cells.append(cell)
        by_target.setdefault(cell.target, []).append((cell, chosen))
    targets: dict[str, TargetResults] = {}
    files: dict[str, PredictionFile] = {}
    for target, members in by_target.items():
        target_results, made_files = _target(rows, target, members, source_language, common_languages=common_languages)
        targets[target] = target_results
        files |= made_files
    _check_sizes(path, cells)
    codes = dict.fromkeys(code for target_results in targets.values() for code in target_results.frame.languages)
    return Results(
        cells=tuple(cells),
        missing=(),
        folders={cell.predict: path for cell in cells},
        languages=describe_languages(codes, _languages(rows)),
        source_language=source_language,
        trained_seeds=trained_seeds(cells),
        _files=files,
        _targets=targets,
    )


def _cell(rows: ScoreRows, number: int) -> Cell:
    values = {name: rows.columns[name][number] for name in (*SYSTEM, "seed", "target")}
    values |= {name: rows.columns[name][number] for name in MARKS if rows.columns[name][number]}
    labels = {name: int(value) if name in NUMBERS else str(value) for name, value in values.items()}
    predict = hashlib.sha256(canonical_json(labels).encode()).hexdigest()
    return Cell.from_labels({"predict": predict, **labels})


def _check_sizes(path: Path, cells: list[Cell]) -> None:
    sizes: dict[str, set[int]] = {}
    for cell in cells:
        if cell.control and not cell.backbone:
            continue
        sizes.setdefault(cell.backbone, set()).add(cell.non_embedding_parameters or cell.parameters)
    several = sorted(name for name, numbers in sizes.items() if len(numbers) > 1)
    unknown = sorted(name for name, numbers in sizes.items() if numbers == {0})
    if several or (unknown and len(unknown) < len(sizes)):
        problem = f"{several[0]} has several sizes" if several else f"no size of {', '.join(unknown)}, but of others"
        raise DataError(f"{path}: parameters: {problem}", fix="give every backbone one parameter count, or none")


def _target(
    rows: ScoreRows,
    target: str,
    members: list[tuple[Cell, npt.NDArray[np.intp]]],
    source_language: str,
    *,
    common_languages: bool,
) -> tuple[TargetResults, dict[str, PredictionFile]]:
    """All systems of a target, on the same rows in the same order."""
    languages = rows.columns["language"]
    present = [set(languages[chosen].tolist()) for _, chosen in members]
    shared = sorted(set.intersection(*present))
    for (cell, _), present_rows in zip(members, present, strict=True):
        absent = sorted(set.union(*present) - present_rows)
        if absent and not common_languages:
            raise DataError(
                f"{rows.path}: target '{target}': {_name(cell)} has no rows in {', '.join(absent)}, where others have",
                fix="score every system in the same languages, or keep the shared ones with --common-languages",
            )
    if not shared:
        raise DataError(
            f"{rows.path}: target '{target}': no language in which every system was scored", fix="score them alike"
        )
    reference: list[tuple[str, str]] = []
    gold: list[str] = []
    counts: dict[str, Floats] = {}
    clusters: list[str] = []
    texts: list[str] = []
    for cell, chosen in members:
        kept = chosen[np.isin(languages[chosen].astype(str), shared)]
        examples = rows.columns["example"][kept]
        ids = list(zip(languages[kept].astype(str).tolist(), examples.astype(str).tolist(), strict=True))
        order = sorted(range(len(ids)), key=ids.__getitem__)
        sorted_ids = [ids[row] for row in order]
        _check_once(rows, cell, sorted_ids)
        own_gold = [str(rows.columns["gold"][kept[row]]) for row in order]
        own_clusters = [str(rows.columns["cluster"][kept[row]]) for row in order]
        own_texts = [str(rows.columns["text"][kept[row]]) for row in order]
        if not reference:
            reference, gold, clusters, texts = sorted_ids, own_gold, own_clusters, own_texts
        _check_same(rows, target, members[0][0], cell, reference, sorted_ids)
        for column, mine, theirs in (
            ("gold", own_gold, gold), ("cluster", own_clusters, clusters), ("text", own_texts, texts),
        ):  # fmt: skip
            if mine != theirs:
                row = next(number for number, pair in enumerate(zip(mine, theirs, strict=True)) if pair[0] != pair[1])
                raise DataError(
                    f"{rows.path}: target '{target}': the {column} of example '{reference[row][1]}' in "
                    f"{reference[row][0]} is '{mine[row]}' for {_name(cell)} and '{theirs[row]}' for "
                    f"{_name(members[0][0])}",
                    fix="compare systems on the same data",
                )
        counts[cell.predict] = rows.counts[kept[np.array(order)]]
    items = [(*row, "") if text == "" else (row[0], "", text) for row, text in zip(reference, texts, strict=True)]
    frame = Frame(
        languages=tuple(shared),
        language=np.array([shared.index(code) for code, _ in reference], dtype=np.int32),
        example=np.array([example for _, example in reference], dtype=object),
        cluster=np.array(joined_clusters(clusters, items), dtype=object),
    )
    fingerprint = hashlib.sha256(canonical_json([*map(list, reference), gold]).encode()).hexdigest()
    metadata = {"gold_fingerprint": fingerprint, "metric": rows.metric.name, "protocol": rows.metric.protocol}
    files = {
        cell.predict: PredictionFile(rows.path, rows.metric.columns, counts[cell.predict], metadata)
        for cell, _ in members
    }
    results = TargetResults(
        target=target,
        metric=rows.metric,
        protocol=rows.metric.protocol,
        frame=frame,
        gold_fingerprint=fingerprint,
        cells=tuple(cell for cell, _ in members),
        counts=counts,
        zero_shot=tuple(code for code in shared if code != source_language),
    )
    return results, files


def _check_once(rows: ScoreRows, cell: Cell, ids: list[tuple[str, str]]) -> None:
    for before, after in pairwise(ids):
        if before == after:
            raise DataError(
                f"{rows.path}: target '{cell.target}': example '{after[1]}' in {after[0]} is given twice for "
                f"{_name(cell)}",
                fix="give every example of a run once; repetitions of a training need a column 'seed'",
            )


def _check_same(
    rows: ScoreRows, target: str, first: Cell, cell: Cell, reference: list[tuple[str, str]], ids: list[tuple[str, str]]
) -> None:
    if ids == reference:
        return
    extra = sorted(set(ids) ^ set(reference))
    raise DataError(
        f"{rows.path}: target '{target}': {_name(cell)} and {_name(first)} were scored on different examples, e.g. "
        f"'{extra[0][1]}' in {extra[0][0]} ({len(ids)} rows against {len(reference)})",
        fix="compare systems on the same examples",
    )


def _name(cell: Cell) -> str:
    before = "" if cell.intermediate == NONE else cell.intermediate
    parts = [cell.backbone, cell.variant, cell.adapter, before, cell.control]
    return f"{' '.join(word for word in parts if word)} seed {cell.seed}"


def _languages(rows: ScoreRows) -> dict[str, dict[str, str]]:
    """Family and tier of the languages, where the table says so.

    Raises:
        DataError: a language has two families or two tiers.
    """
    languages: dict[str, dict[str, str]] = {}
    for name in ("family", "resource"):
        for code, value in dict.fromkeys(zip(rows.columns["language"], rows.columns[name], strict=True)):
            if not value:
                continue
            known = languages.setdefault(str(code), {}).setdefault(name, str(value))
            if known != str(value):
                raise DataError(
                    f"{rows.path}: language '{code}' has the {name} '{known}' and '{value}'", fix="keep one of them"
                )
    described = describe_languages(languages, {})
    return {
        code: {
            "name": described[code].name,
            "family": facts.get("family", described[code].family),
            "resource": facts.get("resource", described[code].resource),
        }
        for code, facts in languages.items()
    }
