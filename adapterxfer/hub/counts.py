"""Per-item counts in a bundle: ``counts/TARGET.parquet``, what a comparison over studies needs, and no text.

One row per test item and language, in the order of the predictions: language, item id, cluster id, and count columns.
A count that all runs share (how many there were to get right) stands once under its name; the others are
``ROLE.NUMBER.COLUMN``, one for each training run of the bundled system (``model``) and of the same system without its
intermediate task (``baseline``). What runs they are says the metadata. Torch-free.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from adapterxfer.errors import BundleError
from adapterxfer.hub.manifest import Name, Record, Sha256
from adapterxfer.recipe.axes import AXES
from adapterxfer.store.keys import canonical_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

SCHEMA = 1
KEY = "adapterxfer"
TEXTS = ("language", "item", "cluster")
MAX_ROWS = 5_000_000
MAX_RUNS = 200
MAX_BYTES = 512 * 1024 * 1024
MAX_ID = 1000
MAX_COLUMNS = 3000
"""Limits, the first three before anything is decoded: rows, training runs, bytes as the file's header states them,
characters of an id, columns of a metric (three for each of a thousand classes). All 15 languages of XNLI are 75,150
rows; a stranger's bundle cannot make a reader need more memory than these limits allow."""

Role = Literal["model", "baseline"]
SYSTEM = tuple(axis for axis in AXES if axis not in ("target", "seed"))
"""What says which system was trained, beside the target and the seed."""


def _names_of_a_system(system: dict[str, str]) -> dict[str, str]:
    if set(system) != set(SYSTEM):
        raise ValueError(f"a system of {', '.join(sorted(system))}; expected {', '.join(SYSTEM)}")
    return system


class RunFacts(Record):
    """One training run.

    Attributes:
        seed: None where nothing was trained, such as a backbone as it is.
        stage: key of its predict stage: the same recipe, data and seed give the same key anywhere.
    """

    role: Role
    seed: int | None
    stage: Sha256


System = Annotated[dict[str, Name], AfterValidator(_names_of_a_system)]


class CountsFacts(Record):
    """Metadata of a file of counts: what was measured, and of what.

    Attributes:
        parameters: of the backbone, without embeddings where these are known.
        system: axis -> value.
        columns: count columns of the metric, where its name alone does not say them.
    """

    schema_version: Literal[1] = Field(alias="schema")
    target: Name
    metric: Name
    protocol: Name
    gold_fingerprint: Sha256
    source_language: Name
    parameters: Annotated[int, Field(ge=0)]
    system: System
    runs: Annotated[list[RunFacts], Field(min_length=1, max_length=MAX_RUNS)]
    columns: Annotated[list[Name], Field(min_length=1, max_length=MAX_COLUMNS)] | None = None


@dataclass(frozen=True, slots=True)
class RunCounts:
    """The counts of one training run, shape ``(rows, columns of the metric)``."""

    facts: RunFacts
    counts: npt.NDArray[np.float64]

    @property
    def digest(self) -> str:
        """sha256 of the counts: equal for runs that answered every item equally."""
        import numpy as np

        return hashlib.sha256(np.ascontiguousarray(self.counts).tobytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Counts:
    """One target of one bundle.

    Attributes:
        languages: codes; `language` indexes them.
        item, cluster: ids, shape ``(rows,)``.
    """

    facts: CountsFacts
    languages: tuple[str, ...]
    language: npt.NDArray[np.int32]
    item: npt.NDArray[np.object_]
    cluster: npt.NDArray[np.object_]
    runs: tuple[RunCounts, ...]

    def of(self, role: Role) -> tuple[RunCounts, ...]:
        """The runs with this role: ``model``, or ``baseline`` without the intermediate task."""
        return tuple(run for run in self.runs if run.facts.role == role)


def file_name(target: str) -> str:
    """Name of a target's file in the folder ``counts``."""
    return re.sub(r"[^a-z0-9]+", "-", target.lower()).strip("-")[:90] + ".parquet"


def write_counts(path: Path, counts: Counts) -> None:
    """Write a file; the same counts give the same bytes with the same version of the Parquet library."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    codes = np.array(counts.languages, dtype=np.object_)[counts.language]
    columns: dict[str, Any] = {
        "language": pa.array(codes.tolist(), type=pa.string()).dictionary_encode(),
        "item": pa.array(counts.item.tolist(), type=pa.string()),
        "cluster": pa.array(counts.cluster.tolist(), type=pa.string()),
    }
    names = _names(counts.facts)
    for column, name in enumerate(names):
        values = [run.counts[:, column] for run in counts.runs]
        if all(np.array_equal(values[0], other) for other in values[1:]) and len(values) > 1:
            columns[name] = pa.array(_narrow(values[0]))
            continue
        for number, value in enumerate(values):
            columns[f"{counts.runs[number].facts.role}.{number}.{name}"] = pa.array(_narrow(value))
    stated = json.loads(counts.facts.model_dump_json(by_alias=True))
    if stated["columns"] is None:
        del stated["columns"]  # as in files of before there were such metrics
    facts = canonical_json(stated)
    table = pa.table(columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without a schema of Arrow in it, no reader can be made to look for types that are not plain.
    with pq.ParquetWriter(path, table.schema, compression="zstd", store_schema=False) as file:
        file.write_table(table)
        file.add_key_value_metadata({KEY: facts})


def read_facts(path: Path) -> CountsFacts:
    """What a file is about, from its header alone.

    Raises:
        BundleError: it is no such file, or larger than what is read.
    """
    return _open(path)[0]


def read_counts(path: Path) -> Counts:
    """Read a file of a bundle; nothing is decoded before its header was checked.

    Raises:
        BundleError: it is no such file, larger than what is read, or its columns do not fit.
    """
    import numpy as np

    facts, table = _open(path, whole=True)
    assert table is not None
    texts = {name: _ids(path, table.column(name)) for name in TEXTS}
    languages = tuple(dict.fromkeys(texts["language"].tolist()))
    numbers = {code: number for number, code in enumerate(languages)}
    language = np.array([numbers[code] for code in texts["language"].tolist()], dtype=np.int32)
    columns = {name: table.column(name).to_numpy().astype(np.float64) for name in table.column_names[len(TEXTS) :]}
    runs = tuple(
        RunCounts(run, np.stack([columns[_column(run, number, name, columns)] for name in _names(facts)], axis=1))
        for number, run in enumerate(facts.runs)
    )
    if not all(np.isfinite(run.counts).all() and (run.counts >= 0.0).all() for run in runs):
        raise _damaged(path, "a count that is negative or not finite")
    return Counts(facts, languages, language, texts["item"], texts["cluster"], runs)


def ids_of(path: Path) -> list[str]:
    """Every different id in a file: all of the text that it holds.

    Raises:
        BundleError: as `read_counts`.
    """
    counts = read_counts(path)
    return sorted({*counts.item.tolist(), *counts.cluster.tolist()})


def _ids(path: Path, column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    """A column of ids; every different one is held once, so that no repetition of a long text fills the memory."""
    import numpy as np

    parts = []
    for chunk in column.chunks:
        different = chunk.dictionary.to_pylist()
        if any(len(text) > MAX_ID for text in different):
            raise _damaged(path, f"an id of more than {MAX_ID} characters")
        parts.append(np.array(different, dtype=np.object_)[chunk.indices.to_numpy(zero_copy_only=False)])
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.object_)


def _open(path: Path, *, whole: bool = False) -> tuple[CountsFacts, pa.Table | None]:
    """Metadata of a file, and its table if asked for."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        header = pq.read_metadata(path)
        size = sum(header.row_group(k).total_byte_size for k in range(header.num_row_groups))
        if header.num_rows > MAX_ROWS or size > MAX_BYTES:
            raise _damaged(path, f"{header.num_rows:,} rows and {size:,} bytes; more than is read")
        facts = CountsFacts.model_validate_json((header.metadata or {}).get(KEY.encode(), b""))
        _check_columns(path, facts, header.schema.to_arrow_schema())
        table = None
        if whole:
            with pq.ParquetFile(path, read_dictionary=list(TEXTS)) as file:
                table = file.read(use_threads=False)
    except FileNotFoundError:
        raise BundleError(f"{path}: not found", fix="pull or make the bundle again") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = f"{error.error_count()} problems" if isinstance(error, ValidationError) else str(error)
        raise _damaged(path, reason) from None
    if table is not None and any(table.column(name).null_count for name in table.column_names):
        raise _damaged(path, "an empty field")
    return facts, table


def _check_columns(path: Path, facts: CountsFacts, schema: pa.Schema) -> None:
    """Exactly the columns that the metadata ask for, of plain types."""
    import pyarrow as pa

    from adapterxfer.metrics import METRICS

    if facts.columns is None and facts.metric not in METRICS:
        raise _damaged(path, f"unknown metric '{facts.metric}'")
    names = set(schema.names)
    expected = {_column(run, number, name, names) for number, run in enumerate(facts.runs) for name in _names(facts)}
    if tuple(schema.names[: len(TEXTS)]) != TEXTS or names != expected | set(TEXTS) or len(names) != len(schema.names):
        raise _damaged(path, "other columns than its metadata ask for")
    for field in schema:
        kind = field.type
        if field.name in TEXTS:
            plain = pa.types.is_string(kind)
        else:
            plain = pa.types.is_integer(kind) or pa.types.is_float64(kind)
        if not plain:
            raise _damaged(path, f"column {field.name} is of type {kind}")


def _names(facts: CountsFacts) -> Sequence[str]:
    from adapterxfer.metrics import METRICS  # late: metrics need numpy, and a check that reads no counts stays light

    return facts.columns or METRICS[facts.metric].columns


def _column(run: RunFacts, number: int, name: str, present: Mapping[str, Any] | set[str]) -> str:
    return name if name in present else f"{run.role}.{number}.{name}"


def _narrow(values: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """Whole counts in the smallest integers that hold them; fractions stay as they are."""
    import numpy as np

    if not (values == np.round(values)).all():
        return values
    kind = np.uint8 if values.max(initial=0.0) < 256 else np.int32
    return values.astype(kind)


def _damaged(path: Path, reason: str) -> BundleError:
    return BundleError(
        f"{path}: not a file of per-item counts: {reason}",
        fix="do not use this bundle; pull or make it again from a source you trust",
    )
