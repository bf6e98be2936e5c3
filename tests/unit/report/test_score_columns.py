"""Tables of other tools: TSV and JSON lines, columns under their own names, predictions in place of scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapterxfer.cli.main import main
from adapterxfer.errors import DataError
from adapterxfer.report.score_files import results_of
from adapterxfer.report.score_tables import read_tables

ROWS = [
    {"task": "t", "lang": code, "doc": f"0{number}", "model": system, "run": 1, "out": answer, "label": "no"}
    for system, rate in (("a", 3), ("b", 2))
    for code in ("sw", "no")
    for number in range(24)
    for answer in ["no" if number % 4 < rate else "yes"]
]
COLUMNS = {
    "target": "task", "language": "lang", "example": "doc", "system": "model", "seed": "run", "prediction": "out",
    "gold": "label",
}  # fmt: skip
ARGUMENTS = [text for name, theirs in COLUMNS.items() for text in ("--column", f"{name}={theirs}")]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path
    mark = "\t" if path.suffix == ".tsv" else ","
    lines = [mark.join(rows[0]), *(mark.join(map(str, row.values())) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["s.csv", "s.tsv", "s.jsonl"])
def test_declared_columns_of_any_table(name: str, tmp_path: Path) -> None:
    results = results_of(*read_tables([(write(tmp_path / name, ROWS), "", None)], columns=COLUMNS))
    assert {(row.variant, row.language, row.score) for row in results.score_rows()} == {
        ("a", "sw", 75.0), ("a", "no", 75.0), ("b", "sw", 50.0), ("b", "no", 50.0),
    }  # fmt: skip
    assert results.target("t").frame.example[1] == "01", "names of examples stay texts"


def test_one_table_for_each_system(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = [{key: value for key, value in row.items() if key not in ("model", "run")} for row in ROWS]
    first, second = write(tmp_path / "a.csv", plain[:48]), write(tmp_path / "b.csv", plain[48:])
    columns = [text for text in ARGUMENTS if "system=" not in text and "seed=" not in text]
    columns = [text for name, theirs in COLUMNS.items() if name not in ("system", "seed")
               for text in ("--column", f"{name}={theirs}")]  # fmt: skip
    assert main(["significance", str(first), f"better={second}", *columns, "--resamples", "200", "--json"]) == 0
    (test,) = json.loads(capsys.readouterr().out)["verdicts"]
    assert (test["text"], test["estimate"]) == ("better minus a", -25.0)


def test_mistakes_in_tables_are_named(tmp_path: Path) -> None:
    table = write(tmp_path / "s.jsonl", ROWS)
    with pytest.raises(DataError, match="no column 'nothing'; it has: task, lang"):
        read_tables([(table, "", None)], columns={"target": "nothing"})
    with pytest.raises(DataError, match="--column colour: no such column is read"):
        read_tables([(table, "", None)], columns={"colour": "lang"})
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n[2]\n', encoding="utf-8")
    with pytest.raises(DataError, match="line 2: no object"):
        read_tables([(tmp_path / "bad.jsonl", "", None)])
    other = write(tmp_path / "o.csv", [{**row, "more": 1} for row in ROWS])
    with pytest.raises(DataError, match="have different columns: more"):
        read_tables([(table, "x", None), (other, "y", None)])
