"""Prepare what the arms of an intermediate training add: multilingual text, and translations of training data."""

from __future__ import annotations

from typing import Any

from adapterxfer.catalog.declared import spec_in
from adapterxfer.data.composing import COMPOSED_NOTE, is_composed, note_uncomposed
from adapterxfer.data.sources import check_source
from adapterxfer.data.storage import write_task
from adapterxfer.data.target_dev import read_hub_dev, read_target_dev
from adapterxfer.data.target_train import read_hub_train, read_target_train
from adapterxfer.data.texts import write_texts
from adapterxfer.data.translations import read_text_lines, read_translations
from adapterxfer.stages.context import StageContext


def prepare_texts(context: StageContext) -> dict[str, Any]:
    """Texts by language, from the world's generator or from files.

    Raises:
        DataError: files are missing, changed or empty.
    """
    identity = context.stage.identity
    source, languages, lines = identity["source"], identity["languages"], identity["lines"]
    if source["kind"] == "world":
        from adapterxfer.world.arm_texts import load_texts

        texts = load_texts(languages, lines, seed=identity["seed"])
    else:
        root = check_source(context.settings.get("data_root"), source)
        texts = read_text_lines(root, source["files"], identity["folder"], languages, lines)
    content = write_texts(context.scratch, texts)
    changed = sum(not is_composed(line) for lines_of in texts.values() for line in lines_of)
    notes = {"notes": {COMPOSED_NOTE: changed}} if changed else {}
    return {"lines": dict(content["lines"]), "fingerprint": content["fingerprint"], **notes}


def prepare_translations(context: StageContext) -> dict[str, Any]:
    """Translated training examples of one task, from the world's generator or from files.

    Raises:
        DataError: files are missing, changed or damaged.
    """
    identity = context.stage.identity
    source, languages = identity["source"], identity["languages"]
    if source["kind"] == "world":
        from adapterxfer.world.arm_texts import load_translations

        data = load_translations(
            source.get("stand_in", identity["task"]),
            languages,
            train_examples=identity["train_examples"],
            dev_examples=identity["dev_examples"],
            seed=source.get("seed", identity["seed"]),
            test_seed=identity.get("test_seed", source.get("seed", 0)),
            labels=source.get("labels"),
        )
        data.task = identity["task"]
    else:
        root = check_source(context.settings.get("data_root"), source)
        data = read_translations(
            identity["task"],
            root,
            source["files"],
            identity["folder"],
            languages,
            train_examples=identity["train_examples"],
            seed=identity["seed"],
        )
    note_uncomposed(data)
    content = write_task(context.scratch, data, extra={"source": dict(source), "translated": True})
    counts = {language: len(examples) for (_, language), examples in data.splits.items()}
    return {"examples": counts, "fingerprint": content["fingerprint"], "notes": dict(data.notes)}


def prepare_target_dev(context: StageContext) -> dict[str, Any]:
    """Development examples of one task in the target languages: of the world, from files or from the Hub.

    Raises:
        DataError: there is no such task or language, or files are missing, changed or damaged.
    """
    identity = context.stage.identity
    source, languages, kept = identity["source"], identity["languages"], identity["dev_examples"]
    if source["kind"] == "world":
        from adapterxfer.world.arm_texts import load_target_dev

        data = load_target_dev(
            source.get("stand_in", identity["task"]),
            languages,
            dev_examples=kept,
            seed=source.get("seed", identity["seed"]),
            test_seed=identity.get("test_seed", source.get("seed", 0)),
            labels=source.get("labels"),
        )
    elif source["kind"] == "files":
        root = check_source(context.settings.get("data_root"), source)
        data = read_target_dev(
            identity["task"], root, source["files"], languages,
            dev_examples=kept, seed=identity["seed"], protocol=identity["protocol"],
        )  # fmt: skip
    else:
        data = read_hub_dev(
            identity["task"], languages,
            dev_examples=kept, seed=identity["seed"], protocol=identity["protocol"], revisions=source.get("revisions"),
        )  # fmt: skip
    data.task = identity["task"]
    note_uncomposed(data)
    content = write_task(context.scratch, data, extra={"source": dict(source), "target_dev": True})
    counts = {language: len(examples) for (_, language), examples in data.splits.items()}
    return {"examples": counts, "fingerprint": content["fingerprint"], "notes": dict(data.notes)}


def prepare_target_train(context: StageContext) -> dict[str, Any]:
    """Training examples of one task in the target languages: of the world, from files or from the Hub.

    Raises:
        DataError: there is no such task or language, or files are missing, changed or damaged.
    """
    identity = context.stage.identity
    source, languages = identity["source"], identity["languages"]
    if source["kind"] == "world":
        from adapterxfer.world.arm_texts import load_target_train

        data = load_target_train(
            source.get("stand_in", identity["task"]),
            languages,
            train_examples=identity["examples"],
            seed=source.get("seed", identity["seed"]),
            test_seed=identity.get("test_seed", source.get("seed", 0)),
            labels=source.get("labels"),
        )
    elif source["kind"] == "files":
        root = check_source(context.settings.get("data_root"), source)
        data = read_target_train(spec_in(identity), root, source, languages, protocol=identity["protocol"])
    else:
        data = read_hub_train(
            spec_in(identity), languages, protocol=identity["protocol"], revisions=source.get("revisions")
        )
    data.task = identity["task"]
    note_uncomposed(data)
    content = write_task(context.scratch, data, extra={"source": dict(source), "target_train": True})
    counts = {language: len(examples) for (_, language), examples in data.splits.items()}
    return {"examples": counts, "fingerprint": content["fingerprint"], "notes": dict(data.notes)}
