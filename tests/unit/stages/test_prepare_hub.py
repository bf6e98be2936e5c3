"""A task that the Hub cannot serve: the error says why the Hub was asked at all."""

from __future__ import annotations

import pytest

from adapterxfer.data import hub
from adapterxfer.errors import DataError
from adapterxfer.stages import prepare

IDENTITY = {
    "task": "panx", "languages": ["de"], "train_examples": None, "dev_examples": None, "test_examples": None, "seed": 0,
    "protocol": "", "source": {"kind": "hub"},
}  # fmt: skip


@pytest.mark.parametrize("root", [None, "mine"])
def test_a_folder_without_files_of_the_task_is_named(monkeypatch: pytest.MonkeyPatch, root: str | None) -> None:
    def offline(*_: object, **__: object) -> None:
        raise DataError("panx: no repository can be read", fix="check the connection")

    monkeypatch.setattr(hub, "read_hub", offline)
    with pytest.raises(DataError, match="no repository can be read") as caught:
        prepare._read_hub(IDENTITY, root)
    assert ("no official file of it is below data_root 'mine'" in caught.value.what) == (root is not None)
    assert caught.value.fix == "check the connection"
