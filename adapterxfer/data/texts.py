"""Plain multilingual text on disk: one file per language, one text per line, and `texts.json` written last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapterxfer.data.files import open_text
from adapterxfer.data.held_out import rank
from adapterxfer.errors import DataError, wrong_schema

SCHEMA_VERSION = 1
DESCRIPTION = "texts.json"


def write_texts(folder: Path, texts: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Store texts and return the content of ``texts.json``: lines by language, and a fingerprint of all of them.

    Args:
        folder: target, must exist.
        texts: language -> texts; line ends inside a text become spaces.

    Raises:
        DataError: a language has no text.
    """
    digest = hashlib.sha256()
    (folder / "texts").mkdir()
    for code, lines in texts.items():
        cleaned = [" ".join(line.split()) for line in lines]
        if not any(cleaned):
            raise DataError(f"texts: none in language '{code}'", fix="give text, or leave the language out")
        content = "".join(f"{line}\n" for line in cleaned if line)
        digest.update(f"{code}\n{content}".encode())
        (folder / "texts" / f"{code}.txt").write_text(content, encoding="utf-8", newline="\n")
    counts = {code: sum(bool(line.strip()) for line in lines) for code, lines in texts.items()}
    # A list of pairs, not an object: the order of languages survives tools that sort keys.
    described = {"schema": SCHEMA_VERSION, "lines": list(counts.items()), "fingerprint": digest.hexdigest()}
    (folder / DESCRIPTION).write_text(json.dumps(described, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return described


def read_texts(folder: Path) -> dict[str, list[str]]:
    """Language -> texts, in the order they were written.

    Raises:
        DataError: the folder holds no complete texts, or a file has another number of lines than it says.
    """
    path = folder / DESCRIPTION
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        schema, counts = described["schema"], dict(described["lines"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{path}: no complete texts", fix="prepare the texts again") from None
    if schema != SCHEMA_VERSION:
        problem, fix = wrong_schema(path, schema, SCHEMA_VERSION)
        raise DataError(problem, fix=fix)
    texts = {}
    for code, count in counts.items():
        source = folder / "texts" / f"{code}.txt"
        lines = source.read_text(encoding="utf-8").splitlines() if source.is_file() else []
        if len(lines) != count:
            raise DataError(f"{source}: {len(lines)} lines, expected {count}", fix="prepare the texts again")
        texts[code] = lines
    return texts


def sample_lines(path: Path, count: int | None) -> list[str]:
    """Lines of a text file that hold any text; ``count`` of them chosen by hash, in the order of the file.

    Which lines are kept follows from their content, so another copy of the text gives the same.
    """
    with open_text(path) as file:
        lines = [line.strip() for line in file if line.strip()]
    if count is None or count >= len(lines):
        return lines
    order = sorted(range(len(lines)), key=lambda index: rank(f"{index}/{lines[index]}", 0))
    return [lines[index] for index in sorted(order[:count])]
