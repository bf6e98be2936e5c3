"""What a test makes a command print with `--json` is checked against the schema of that command; no test is timed."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from typing import Any

from adapterxfer.cli import console

if importlib.util.find_spec("jsonschema") is not None:
    from jsonschema import Draft202012Validator

    from adapterxfer.cli.output_schemas import schema_of

    _print = console.say_json
    _validators: dict[str, Any] = {}

    def say_json(command: str, values: Mapping[str, Any]) -> None:
        """`console.say_json` that refuses what the command's schema does not describe."""
        if command not in _validators:
            schema = schema_of(command)
            Draft202012Validator.check_schema(schema)
            _validators[command] = Draft202012Validator(schema)
        _validators[command].validate(json.loads(json.dumps(console.document_of(command, values))))
        _print(command, values)

    # Before any command is imported: they take the function by its name.
    console.say_json = say_json

if importlib.util.find_spec("hypothesis") is not None:
    from hypothesis import settings

    # Examples have 200 ms by default: on a busy machine the first one, which imports things, takes longer.
    settings.register_profile("untimed", settings.default, deadline=None)
    settings.load_profile("untimed")
