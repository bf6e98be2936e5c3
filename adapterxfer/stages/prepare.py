"""Make the examples of a task, or a tokenizer and token arrays from plain text, from an identity and the data root."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from adapterxfer.catalog import task_specs
from adapterxfer.catalog.declared import DECLARED
from adapterxfer.data.composing import note_uncomposed
from adapterxfer.data.examples import TaskData
from adapterxfer.data.readable import read_task_files, read_task_rows
from adapterxfer.data.sources import CORPUS, check_source, locate
from adapterxfer.data.storage import write_task
from adapterxfer.errors import DataError, StageError
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.prepare_arms import (
    prepare_target_dev,
    prepare_target_train,
    prepare_texts,
    prepare_translations,
)


def execute(context: StageContext) -> dict[str, Any]:
    """Run a `prepare` stage.

    Artefacts of ``what: "task"`` and ``what: "translated"``: ``task.json`` and ``examples/``. Of ``what: "corpus"``:
    ``tokenizer.json``, ``corpus.json``, token arrays and ``corpus-notes.json``. Of ``what: "texts"``: ``texts.json``
    and ``texts/``.

    Returns:
        Counts for ``stage.json``.

    Raises:
        DataError: files are missing, damaged or not those of the identity.
        StageError: the identity asks for something this version cannot make.
    """
    product = context.stage.identity["what"]
    if product == "task":
        return _prepare_task(context)
    if product == "corpus":
        return _prepare_corpus(context)
    if product == "texts":
        return prepare_texts(context)
    if product == "translated":
        return prepare_translations(context)
    if product in ("target-dev", "target-train"):
        if context.stage.identity["source"]["kind"] in ("hub", "local"):
            _check_pin(context.stage.identity["task"], context.stage.identity["source"])
        return prepare_target_dev(context) if product == "target-dev" else prepare_target_train(context)
    raise StageError(
        f"prepare stage: what = '{product}'; expected task, corpus, texts, translated, target-dev or target-train",
        fix="plan the recipe again",
    )


def _prepare_task(context: StageContext) -> dict[str, Any]:
    identity = context.stage.identity
    source = identity["source"]
    if source["kind"] == "files":
        root = check_source(context.settings.get("data_root"), source)
        data = read_task_files(identity, root)
    elif source["kind"] in ("hub", "local"):
        _check_pin(identity["task"], source)
        data = _read_hub(identity, context.settings.get("data_root"))
    elif source["kind"] == "world":
        from adapterxfer.world.tasks import load_task

        data = load_task(
            source.get("stand_in", identity["task"]),
            languages=identity["languages"],
            train_examples=identity["train_examples"],
            dev_examples=identity["dev_examples"],
            test_examples=identity["test_examples"],
            seed=source.get("seed", identity["seed"]),
            test_seed=identity.get("test_seed", source.get("seed", 0)),
            labels=source.get("labels"),
        )
        data.task = identity["task"]
    else:
        raise StageError(f"prepare stage: source kind '{source['kind']}'; expected world, files, hub", fix="plan again")
    note_uncomposed(data)
    extra = {"source": dict(source), "protocol": identity["protocol"]}
    if declared := identity.get(DECLARED):
        # Development examples choose weights by the score that the recipe names.
        extra |= {DECLARED: declared, "metric": declared["metric"]}
    content = write_task(context.scratch, data, extra=extra)
    for note, count in data.notes.items():
        context.log({"note": note, "count": count})
    counts = {f"{split}.{language}": len(examples) for (split, language), examples in data.splits.items()}
    return {"examples": counts, "fingerprint": content["fingerprint"], "notes": dict(data.notes)}


def _check_pin(task: str, source: Mapping[str, Any]) -> None:
    """The commit of the plan is the one that is read, never another one under the same key.

    Raises:
        StageError: the catalogue of this version pins another repository or commit.
    """
    spec = task_specs().get(task)
    if spec is None:
        return
    planned, read = (source.get("repo"), source.get("revision")), (spec.repository or None, spec.pinned)
    if planned != read:
        shown = [f"{repository} at {commit or 'its branch'}" for repository, commit in (planned, read)]
        raise StageError(
            f"prepare stage of '{task}': planned from {shown[0]}; this version reads {shown[1]}",
            fix="plan the recipe again with this version",
        )


def _read_hub(identity: Any, data_root: object) -> TaskData:
    """A task from the Hub; where that fails, the error says why no files were read."""
    try:
        return read_task_rows(identity)
    except DataError as error:
        if not data_root or DECLARED in identity:
            raise
        why = f"no official file of it is below data_root '{data_root}', or the recipe says source: hub"
        raise DataError(f"{error.what}\n  The Hub was asked as {why}.", fix=error.fix) from None


def _prepare_corpus(context: StageContext) -> dict[str, Any]:
    from adapterxfer.data.pairs import read_parts
    from adapterxfer.pretraining.text import CorpusSettings, build_text_corpus, read_lines

    identity = context.stage.identity
    root = check_source(context.settings.get("data_root"), identity["source"])
    located, problems = locate(CORPUS, identity["source"]["files"], identity["languages"])
    if problems:
        raise StageError(f"prepare stage of the corpus: {'; '.join(problems)}", fix="plan the recipe again")
    texts = {file.language: read_lines(root / file.path) for file in located if file.language}
    parts = next((read_parts(root / file.path) for file in located if not file.language), None)
    context.log({"note": "lines", "count": sum(map(len, texts.values()))})
    built = build_text_corpus(
        texts,
        CorpusSettings(
            vocabulary=identity["vocabulary"],
            alphabet=identity["alphabet"],
            holdout=identity["holdout"],
            sequence_length=identity["sequence_length"],
            pairs=identity["pairs"],
            seed=identity["seed"],
        ),
        parts=parts,
    )
    built.tokenizer.save(str(context.scratch / "tokenizer.json"))
    built.corpus.save(context.scratch)
    notes = json.dumps(built.notes, indent=1, sort_keys=True, ensure_ascii=False)
    (context.scratch / "corpus-notes.json").write_text(notes + "\n", encoding="utf-8")
    context.log({"corpus": built.notes})
    return {
        "vocabulary": built.corpus.vocabulary,
        "tokens": {stream.name: len(stream.sequences.tokens) for stream in built.corpus.streams},
        "heldout_tokens": len(built.corpus.heldout.tokens),
    }
