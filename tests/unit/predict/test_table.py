"""The prediction file: order, metadata, fingerprint, and refusal of what cannot be compared."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from adapterxfer.data.examples import PairExample
from adapterxfer.errors import DataError
from adapterxfer.metrics import METRICS
from adapterxfer.predict.table import read_predictions, write_predictions

EXAMPLES = [
    PairExample(str(i), f"c{i // 2}", language, "x", None, label)
    for language, labels in (("zz", "aab"), ("aa", "bab"))
    for i, label in enumerate(labels)
]
METADATA = {"stage_key": "k", "task": "t", "format": "sequence_classification", "protocol": "p"}


def write(folder, predictions, examples=EXAMPLES, **options):
    folder.mkdir(exist_ok=True)
    return write_predictions(folder, examples, predictions, METRICS["accuracy"], metadata=METADATA, **options)


def test_rows_are_sorted_by_language_and_come_back(tmp_path):
    written = write(tmp_path, ["a", "b", "b", "b", "b", "b"])
    found = read_predictions(tmp_path)
    assert found.metadata == written
    assert found.metadata["schema"] == 1
    assert found.metadata["metric"] == "accuracy"
    assert found.languages == ("aa", "zz")
    assert found.language.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.example_id.tolist() == ["0", "1", "2"] * 2
    assert found.cluster_id.tolist() == ["c0", "c0", "c1"] * 2
    assert found.prediction.tolist() == ["b", "b", "b", "a", "b", "b"]
    assert found.gold.tolist() == ["b", "a", "b", "a", "a", "b"]
    assert {k: v.tolist() for k, v in found.sums().items()} == {"aa": [2, 3], "zz": [2, 3]}
    schema = pq.read_schema(tmp_path / "predictions.parquet")
    assert [str(schema.field(name).type) for name in ("correct", "total")] == ["int32", "int32"]
    assert str(schema.field("language").type).startswith("dictionary")


def test_file_is_a_function_of_its_content(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / name, ["a"] * 6)
    one, two = ((tmp_path / name / "predictions.parquet").read_bytes() for name in ("one", "two"))
    assert one == two


def test_expected_counts_are_floats(tmp_path):
    write(tmp_path, ["a"] * 6, counts=np.tile([0.25, 1.0], (6, 1)))
    schema = pq.read_schema(tmp_path / "predictions.parquet")
    assert [str(schema.field(name).type) for name in ("correct", "total")] == ["double", "int32"]
    assert read_predictions(tmp_path).counts.sum(0).tolist() == [1.5, 6.0]
    with pytest.raises(DataError, match="counts"):
        write(tmp_path, ["a"] * 6, counts=np.ones((5, 2)))
    with pytest.raises(DataError, match="5 predictions"):
        write(tmp_path, ["a"] * 5)


def test_gold_fingerprint_follows_gold_not_predictions(tmp_path):
    base = write(tmp_path / "a", ["a"] * 6)
    other = write(tmp_path / "b", ["b"] * 6)
    changed = [*EXAMPLES[:-1], PairExample("2", "c1", "aa", "x", None, "a")]
    wrong = write(tmp_path / "c", ["a"] * 6, changed)
    assert base["gold_fingerprint"] == other["gold_fingerprint"] != wrong["gold_fingerprint"]


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(DataError, match="not found"):
        read_predictions(tmp_path)
    write(tmp_path, ["a"] * 6)
    path = tmp_path / "predictions.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata({}), path)
    with pytest.raises(DataError, match="schema None"):
        read_predictions(tmp_path)
    path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read"):
        read_predictions(tmp_path)
