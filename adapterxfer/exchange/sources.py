"""Which tool wrote a file or a folder, and what the user calls the system in it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from adapterxfer.errors import DataError

Kind = Literal["store", "table", "lm-eval", "mteb", "euroeval"]
KINDS: tuple[Kind, ...] = ("store", "table", "lm-eval", "mteb", "euroeval")

_NAMED = re.compile(r"(?P<name>[^=:]+)(?::(?P<seed>[0-9]{1,9}))?=(?P<path>.+)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Source:
    """One file or folder of scores.

    Attributes:
        path: of the file or folder.
        name: what the user calls the system in it; empty where the format says.
        seed: of its training run, where several runs of a system are given.
    """

    path: Path
    name: str = ""
    seed: int = 0


def parse_source(text: str) -> Source:
    """``PATH``, ``NAME=PATH`` or ``NAME:SEED=PATH``; a path that exists is taken as it stands.

    Raises:
        DataError: nothing is there.
    """
    named = _NAMED.match(text)
    if named and not Path(text).exists():
        source = Source(Path(named["path"]), named["name"].strip(), int(named["seed"] or 0))
    else:
        source = Source(Path(text))
    if not source.path.exists():
        raise DataError(f"{source.path}: not found", fix="give files or folders of scores, as PATH or NAME=PATH")
    return source


def kind_of(sources: Sequence[Source]) -> Kind:
    """The one format of all sources.

    Raises:
        DataError: they are of several formats, or a folder has samples without results.
    """
    kinds = {source.path: _kind(source.path) for source in sources}
    if len(set(kinds.values())) > 1:
        listed = ", ".join(f"{path} is {kind}" for path, kind in kinds.items())
        raise DataError(f"scores of several formats: {listed}", fix="compare systems that one tool has scored")
    return next(iter(kinds.values()))


def _kind(path: Path) -> Kind:
    if path.is_file():
        if path.suffix == ".json" and path.name.startswith("results_"):
            return "lm-eval"
        if path.suffix == ".json" and "task_name" in _object(path):
            return "mteb"
        return "euroeval" if path.suffix == ".jsonl" and _by_euroeval(path) else "table"
    if any(path.glob("results_*.json")) or any(path.glob("*/results_*.json")):
        return "lm-eval"
    if any(path.glob("samples_*.jsonl")) or any(path.glob("*/samples_*.jsonl")):
        raise DataError(f"{path}: samples without results_DATE.json", fix="keep both files that lm_eval writes")
    if any(_by_euroeval(file) for file in path.glob("*.jsonl")):
        return "euroeval"
    if any("task_name" in _object(file) for file in mteb_files(path)):
        return "mteb"
    return "store"


def mteb_files(path: Path) -> list[Path]:
    """The files that may be results of mteb: `results/MODEL/REVISION/TASK.json`, seen from any of these folders."""
    if path.is_file():
        return [path]
    files = [file for depth in ("*", "*/*", "*/*/*", "*/*/*/*") for file in path.glob(f"{depth}.json")]
    return sorted(file for file in files if file.name != "model_meta.json")


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _by_euroeval(path: Path) -> bool:
    """Whether the first record of a file names EuroEval as its library."""
    try:
        with path.open(encoding="utf-8") as file:
            record = json.loads(next((line for line in file if line.strip()), "{}"))
    except (OSError, ValueError):
        return False
    library = record.get("eval_library") if isinstance(record, dict) else None
    return isinstance(library, dict) and library.get("name") == "euroeval"
