"""What `--json` prints: one table of every command's output, from which its JSON Schema and docs/json.md are made.

Every document is an object with ``command`` and ``output_version``. The version rises when a key goes or changes its
meaning; new keys may come within one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ITEMS: Mapping[str, str] = {
    "verdict": "adapterxfer.report.declared:Judged",
    "effect": "adapterxfer.report.content:Effect",
    "average": "adapterxfer.exchange.averages:AverageTest",
}
"""Records whose keys are the fields of a class, as `report.content.plain` writes them."""


@dataclass(frozen=True, slots=True)
class Output:
    """The output of one command.

    Attributes:
        version: of its keys.
        about: one line.
        keys: key -> type. A key that ends in ``?`` may be absent. Types: ``text``, ``integer``, ``number``,
            ``boolean``, ``object``, ``any``; ``?`` after it means "or null"; ``[X]`` is a list, ``{X}`` an object
            whose values are X, ``@NAME`` a record of `ITEMS`.
    """

    version: int
    about: str
    keys: Mapping[str, str]


_FILES = {"files": "[text]", "left_out": "[text]"}
_BUNDLE = {
    "name": "text", "variant": "text", "backbone": "text", "parameters": "any", "bytes": "integer",
    "difference": "number", "fingerprint": "text", "digest": "text",
}  # fmt: skip

OUTPUTS: Mapping[str, Output] = {
    "advise": Output(1, "Which intermediate task the predictors choose for each target.", {
        "schema": "integer", "recipe": "text", "title?": "text", "*": "any",
    }),
    "bundle": Output(1, "The bundles that were written, each verified.", {"bundles": "[object]"}),
    "check": Output(1, "Whether a run could start, and every mistake if not.", {
        "recipe": "text", "ok": "boolean", "problems": "[object]", "axes?": "object", "unavailable?": "any",
        "published?": "[object]", "notes?": "[text]", "warnings?": "[text]",
    }),
    "compare": Output(1, "One variant minus another: verdicts on the question, and every cell.", {
        "verdicts": "[@verdict]", "effects": "[@effect]",
    }),
    "data": Output(1, "What a folder of official files holds, by task.", {"tasks": "[object]"}),
    "docs": Output(1, "The pages of the documentation, or one of them.", {
        "pages?": "[object]", "page?": "text", "title?": "text", "text?": "text",
    }),
    "env": Output(1, "Versions, machine and settings for a report of a fault.", {
        "adapterxfer": "text?", "python": "text", "system": "text", "machine": "text", "processors": "integer",
        "usable_processors": "integer", "memory_gib": "number?", "gpu_driver": "boolean", "libraries": "{text?}",
        "variables": "{text}",
    }),
    "explain": Output(1, "Why a stage has its key, and what differs from the nearest one in the store.", {
        "stage": "object", "done": "boolean", "nearest": "object?", "difference": "{object}",
    }),
    "export": Output(1, "The files that were written.", _FILES),
    "law": Output(1, "Laws of the gain with size, or the scores of registered ones.", {
        "laws?": "[object]", "without?": "{text}", "sha256?": "text?", "registration?": "object", "scored?": "[object]",
        "missing?": "any",
    }),
    "ls": Output(1, "Entries of the catalogue.", {"listing": "text", "entries": "[object]"}),
    "meta": Output(1, "Effects pooled over studies.", {"effects": "[object]", "remarks": "[text]"}),
    "pin": Output(1, "Commits of public backbones and data.", {"backbones": "[object]", "data_revisions": "{text}"}),
    "plan": Output(1, "What a recipe would train, and what it would cost.", {
        "recipe": "text", "stages": "integer", "cells": "integer", "kinds": "[object]", "unavailable": "[object]",
        "refused": "[object]", "excluded": "object", "needs_measurement": "boolean", "from_hub": "[text]",
        "published": "[text]", "missing_data": "text?", "unfit": "text?", "choices": "[object]",
    }),
    "power": Output(1, "Where the uncertainty of a study comes from, or what a study ahead could find.", {
        "rows": "[object]",
    }),
    "pull": Output(1, "A bundle from the Hub, verified.", {
        "folder": "text", "repository": "text", "commit": "text", **_BUNDLE,
    }),
    "push": Output(1, "What was published, or would be.", {
        "repository?": "text", "revision?": "text", "commit?": "text", "changed?": "boolean?", "files?": "{integer}",
        "left_out?": "[text]", "*": "any",
    }),
    "recipes": Output(1, "The recipes that come with the package.", {"recipes": "[object]"}),
    "report": Output(1, "What report.json holds; with --verdicts the declared hypotheses alone.", {
        "verdicts?": "[@verdict]", "schema?": "integer", "effects?": "[@effect]", "tests?": "[@verdict]", "*": "any",
    }),
    "run": Output(1, "How a run ended.", {
        "recipe": "text", "stages": "integer", "finished": "integer", "reused": "integer", "failed": "{text}",
        "blocked": "integer", "interrupted": "integer", "seconds": "number", "report": "text?", "*": "any",
    }),
    "score": Output(1, "Scores of a submission folder.", {
        "benchmark": "text", "overall": "object?", "groups": "{object}", "tasks": "{object}", "absent": "[text]",
        "resamples": "integer", "seed": "integer", "level": "number", "*": "any",
    }),
    "show": Output(1, "A recipe with all its defaults, or the record of a stage.", {
        "recipe?": "object", "digest?": "text", "measured?": "object?", "schema?": "integer", "stage?": "object",
        "result?": "object", "provenance?": "object", "artefacts?": "{object}", "*": "any",
    }),
    "significance": Output(1, "Verdicts on scores of any tool; on averages for mteb and EuroEval.", {
        "verdicts?": "[@verdict]", "averages?": "[@average]",
    }),
    "status": Output(1, "What is done, running and failed.", {
        "recipe": "text", "kinds": "[object]", "running": "{object}", "failures": "[object]", "active": "any",
        "report": "text?", "superseded?": "object",
    }),
    "store": Output(1, "What verify, gc, export or import of a store did.", {
        "stages?": "integer", "files?": "integer", "bytes?": "integer", "damaged?": "[object]", "set_aside?": "[text]",
        "left_behind?": "integer", "differences?": "[any]", "kept?": "integer", "unreferenced?": "[object]",
        "removed?": "[text]", "archive?": "text", "added?": "integer", "same?": "integer",
    }),
    "verify": Output(1, "Whether a bundle is what it claims to be.", {"folder": "text", **_BUNDLE}),
}  # fmt: skip
"""Command -> its output. ``*`` as a key means that further keys are those of a file with a schema of its own."""
