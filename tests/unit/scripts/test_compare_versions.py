"""The comparison of a recipe on two Pythons: what is run, counted and told. ``tests/integration/test_versions.py`` runs
the parts of it on a real study, where a second Python is named.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str], ModuleType]
FILES = {
    "train_target/a/model.safetensors": b"1",
    "predict/b/counts.parquet": b"2",
    "report/c/scores.csv": b"3",
    "prepare/d/x.parquet": b"4",
    "prepare/d/tokenizer.json": b"5",
}


@pytest.fixture
def module(script: Load, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """With the Pythons ``sys.executable`` (5.0) and ``other`` (4.0), which make no store."""
    loaded = script("compare_versions")
    names = {sys.executable: "5.0", "other": "4.0"}

    def begun_and_finished(pythons: tuple[str, str], *_: Any, **__: Any) -> dict[str, str]:
        first, second = (names[python] for python in pythons)
        return {"prepare/d": first, "train_target/a": first, "predict/b": second, "report/c": "4.0"}

    monkeypatch.setattr(loaded, "version_of", names.__getitem__)
    monkeypatch.setattr(loaded.two_versions, "begun_and_finished", begun_and_finished)
    monkeypatch.setattr(loaded.two_versions, "compared", lambda store: dict(FILES))
    return loaded


def test_equal_stores(module: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert module.main(["--other", "other", "--folder", str(tmp_path)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["recipe"] == "quickstart"
    assert (facts["stages"], facts["made by both"], facts["different"]) == (4, 3, [])
    assert facts["in one store only"] == []
    assert facts["equal files"] == {
        "models": 1, "other files": 1, "other parquet files": 1, "prediction and count files": 1, "tables": 1,
    }  # fmt: skip
    assert (tmp_path / "study.yaml").is_file()


def test_a_byte_that_differs(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    changed = {**FILES, "predict/b/counts.parquet": b"!"}
    monkeypatch.setattr(
        module.two_versions, "compared", lambda store: changed if store.name == "begun-4.0" else dict(FILES)
    )
    assert module.main(["--other", "other", "--folder", str(tmp_path)]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert facts["different"] == ["predict/b/counts.parquet"]
    assert "prediction and count files" not in facts["equal files"]


def test_a_key_that_differs(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made = module.two_versions.begun_and_finished
    monkeypatch.setattr(
        module.two_versions, "begun_and_finished",
        lambda pythons, folder, recipe, store, **more: {**made(pythons), f"predict/{store}": "5.0"},
    )  # fmt: skip
    assert module.main(["--other", "other", "--folder", str(tmp_path)]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert facts["in one store only"] == ["predict/begun-4.0", "predict/begun-5.0"]
    assert facts["different"] == []


def test_the_same_version_twice(module: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        module.main(["--other", sys.executable])
    assert "both Pythons have transformers 5.0" in capsys.readouterr().err


def test_two_stores_that_are_there(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made = {
        "one": {"prepare/d": "4.0", "train_target/a": "4.0", "predict/b": "5.0"},
        "two": {"prepare/d": "5.0", "train_target/a": "5.0", "predict/b": "5.0", "report/c": "5.0"},
    }
    monkeypatch.setattr(module.two_versions, "stage_versions", lambda store: made[store.name])
    stores = ["--stores", str(tmp_path / "one"), str(tmp_path / "two")]
    assert module.main(stores) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["stages"], facts["made by both"], facts["different"]) == (2, 2, [])
    assert facts["equal files"] == {"models": 1, "other files": 1, "other parquet files": 1}
    changed = {**FILES, "train_target/a/model.safetensors": b"!", "predict/b/counts.parquet": b"!"}
    monkeypatch.setattr(module.two_versions, "compared", lambda store: changed if store.name == "two" else dict(FILES))
    assert module.main(stores) == 1
    assert json.loads(capsys.readouterr().out)["different"] == ["train_target/a/model.safetensors"]
    made["one"] = dict(made["two"])
    assert module.main(stores) == 1, "one version made both: nothing was compared"


def test_the_other_python_is_named_from_here_and_started_elsewhere(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the help's own example, ``.venv-adapters/bin/python``; a link stays, or the environment behind it is lost."""
    python = tmp_path / "env" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    assert module.absolute("env/python") == str(python)
    assert module.absolute("python3") == "python3"
