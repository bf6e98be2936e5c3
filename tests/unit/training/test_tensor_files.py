"""Files written tensor by tensor are those of the library."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from adapterxfer.durable.tensors import NAMES, write_tensors


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_bytes_are_those_of_the_library(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    generator = torch.Generator().manual_seed(1)
    tensors = {
        f"{kind}/{rows}": (torch.randn((rows, 3), generator=generator) * 5).to(kind)
        for kind in NAMES
        for rows in (0, 1, 5)
    }
    tensors |= {"scalar": torch.tensor(2.5), "ü": torch.ones(3), 'a "b"': torch.ones(1), "turned": torch.ones(2, 5).T}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "theirs", metadata=metadata)
    digest = write_tensors(tmp_path / "ours", tensors, metadata=metadata)
    content = (tmp_path / "ours").read_bytes()
    assert content == (tmp_path / "theirs").read_bytes()
    assert digest == hashlib.sha256(content).hexdigest()
    for name, tensor in load_file(tmp_path / "ours").items():
        assert torch.equal(tensor, tensors[name])
        assert tensor.dtype == tensors[name].dtype
    with pytest.raises(FileExistsError):
        write_tensors(tmp_path / "ours", {})
