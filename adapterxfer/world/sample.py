"""What the generator makes, as one number: changed words, tasks or settings change it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from adapterxfer.world.concepts import ADJECTIVES, NAMES, NOUNS, SCRIPT, VERBS
from adapterxfer.world.documents import document, mixed_texts, texts
from adapterxfer.world.draws import Draws, generator
from adapterxfer.world.languages import FAMILIES, LANGUAGES, RESOURCES, ZERO_SHOT
from adapterxfer.world.lexicon import lexicons
from adapterxfer.world.task_list import TASKS
from adapterxfer.world.tasks import load_task

_DOCUMENTS = 40
_SAMPLE = 12


def fingerprint() -> str:
    """The fingerprint of what the generator makes now: its settings, all words, and a sample of documents and tasks."""
    return hashlib.sha256(json.dumps(_sample(), sort_keys=True).encode()).hexdigest()


def _sample() -> dict[str, Any]:
    return {
        "settings": [
            {code: asdict(family) for code, family in FAMILIES.items()},
            {tier: asdict(resource) for tier, resource in RESOURCES.items()},
            {code: asdict(language) for code, language in LANGUAGES.items()},
            [NOUNS, NAMES, ADJECTIVES, VERBS, SCRIPT],
        ],
        "words": {code: [lexicon.forms, lexicon.plural] for code, lexicon in lexicons().items()},
        "documents": _documents(),
        "tasks": {name: _task(name) for name in TASKS},
    }


def _documents() -> list[list[str]]:
    rng = Draws(generator("fingerprint"))
    stories = [document(rng) for _ in range(_DOCUMENTS)]
    plain = [texts(story, code) for code in LANGUAGES for story in stories]
    return plain + [mixed_texts(story, code, rng) for code in ZERO_SHOT for story in stories[:4]]


def _task(name: str) -> list[Any]:
    task = TASKS[name]
    data = load_task(
        name, train_examples=min(_SAMPLE, task.train_examples), dev_examples=_SAMPLE, test_examples=_SAMPLE
    )
    defaults = [task.format, task.labels, task.train_examples, task.dev_examples, task.test_examples]
    return [*defaults, *([*key, [asdict(e) for e in examples]] for key, examples in data.splits.items())]
