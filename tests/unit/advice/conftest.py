"""The smallest embedded backbone, and small tasks of the world as a prepare stage stores them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.loading import load_backbone
from adapterxfer.data.storage import StoredTask, read_task, write_task
from adapterxfer.world.tasks import load_task

NANO = {"name": "world-nano", "kind": "embedded", "dtype": "float32", "attention": "sdpa"}


@pytest.fixture(scope="session")
def nano() -> LoadedBackbone:
    return load_backbone(NANO)


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], StoredTask]:
    """Task name -> 40 English training examples of it, 20 of development."""
    root = tmp_path_factory.mktemp("tasks")
    ready: dict[str, StoredTask] = {}

    def prepare(name: str) -> StoredTask:
        if name not in ready:
            languages = None if name in ("world-nli", "world-retrieval") else ["en"]
            data = load_task(name, train_examples=40, dev_examples=20, test_examples=10, languages=languages)
            folder: Path = root / name
            write_task(folder, data)
            ready[name] = read_task(folder)
        return ready[name]

    return prepare
