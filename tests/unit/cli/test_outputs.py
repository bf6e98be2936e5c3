"""`--json` of every command: each has a schema, the page says the same, and a wrong document is refused."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from adapterxfer.cli import console
from adapterxfer.cli.main import COMMANDS, main
from adapterxfer.cli.outputs import OUTPUTS

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).parents[3]


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("table_json", ROOT / "scripts" / "table_json.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_with_json_has_an_output() -> None:
    source = {name: (ROOT / "adapterxfer" / "cli" / f"{name}.py").read_text(encoding="utf-8") for name in COMMANDS}
    printing = {name for name, text in source.items() if "say_json(" in text}
    assert printing == set(OUTPUTS)
    for name in printing:
        assert set(re.findall(r'say_json\(\s*"(\w+)"', source[name])) == {name}
        assert len(re.findall(r"say_json\(", source[name])) == len(re.findall(r'say_json\(\s*"', source[name]))


def test_schemas_are_schemas(tmp_path: Path) -> None:
    assert script().main(["--schemas", str(tmp_path), "--page", str(tmp_path / "json.md")]) == 0
    for name in OUTPUTS:
        schema = json.loads((tmp_path / f"{name}.schema.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
    page = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    assert (tmp_path / "json.md").read_text(encoding="utf-8") == page, (
        "python scripts/table_json.py --page docs/json.md"
    )


def test_documents_say_their_command_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["command"], printed["output_version"]) == ("env", 1)


@pytest.mark.parametrize(
    ("command", "values"),
    [
        ("recipes", {}),
        ("recipes", {"recipes": [], "more": 1}),
        ("ls", {"listing": 3, "entries": []}),
        ("significance", {"verdicts": [{"hypothesis": "H"}]}),
        ("export", {"files": ["a"], "left_out": [1]}),
        ("env", {"adapterxfer": "1"}),
    ],
)
def test_the_check_of_the_tests_refuses_what_no_schema_says(command: str, values: dict[str, object]) -> None:
    importlib.import_module("adapterxfer.cli.env")
    with pytest.raises(jsonschema.ValidationError):
        console.say_json(command, values)
