"""Headers of weight files are read without the weights; what is no such file is refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from adapterxfer.backbones.headers import read_header


def test_names_shapes_and_where_tensors_begin(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"a": np.zeros((2, 3), dtype=np.float32), "b": np.ones(4, dtype=np.int64)}, path, metadata={"x": "y"})
    content, start = read_header(path)
    assert {name: (facts["dtype"], facts["shape"]) for name, facts in content.items()} == {
        "a": ("F32", [2, 3]),
        "b": ("I64", [4]),
    }
    assert start == path.stat().st_size - 4 * 6 - 8 * 4


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not a safetensors file"),
        (b"none", "not a safetensors file"),
        ((10**6).to_bytes(8, "little") + b"{}", "not a safetensors file"),
        ((4).to_bytes(8, "little") + b"[{]}", "not a safetensors file"),
        ((2).to_bytes(8, "little") + b"[]", "not a safetensors file"),
        (
            (200).to_bytes(8, "little") + b'{"a": 1}'.ljust(200),
            "header of 200 bytes; at most 100",
        ),
    ],
)
def test_other_files_are_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=message):
        read_header(path, limit=100)
