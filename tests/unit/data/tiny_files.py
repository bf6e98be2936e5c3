"""Files of a few lines in the official layouts, and reading them."""

from __future__ import annotations

import bz2
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

from adapterxfer.data.files import list_files
from adapterxfer.data.official import find
from adapterxfer.data.original import read_original
from adapterxfer.data.storage import check_task


def jsonl(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def put(root: Path, name: str, content: str | bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    if name.endswith(".gz"):
        data = gzip.compress(data)
    elif name.endswith(".bz2"):
        data = bz2.compress(data)
    path.write_bytes(data)
    return path


def squad(entries: list[tuple[str, str, str, list[tuple[str, int]]]]) -> str:
    """``(id, context, question, answers)``, one paragraph each."""
    paragraphs = [
        {
            "context": c,
            "qas": [{"id": i, "question": q, "answers": [{"text": t, "answer_start": s} for t, s in answers]}],
        }
        for i, c, q, answers in entries
    ]
    return json.dumps({"version": "1.1", "data": [{"title": "", "paragraphs": paragraphs}]}, ensure_ascii=False)


def read(task: str, root: Path, languages: tuple[str, ...] = ()) -> Any:
    data = read_original(
        task, root, list_files(root), languages, train_examples=None, dev_examples=None, test_examples=None, seed=0
    )
    check_task(data)
    return data


def read_parts(root: Path, task: str, role: str, languages: tuple[str, ...] = ()) -> list[Any]:
    from adapterxfer.data.original import read_part

    needs = find(task, list_files(root), languages)
    need = next(need for need in needs if need.role == role)
    return read_part(need.data, need.split, need.language, root=root, needs=needs, role=role, notes=Counter())
