"""Tasks that a recipe declares: the same entries as those of the catalogue, made of what the recipe says.

A declaration is plain JSON values, so that it travels in the identity of a stage, and every process that works on the
stage makes the same entry from it. The catalogue never holds these entries: two recipes may give one name to two tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from adapterxfer.catalog.data_sets import ClusterRule, DataSet, HubSource
from adapterxfer.catalog.records import Task
from adapterxfer.catalog.task_specs import DEFAULT_PROTOCOLS, Format, TargetDev, TaskParts, TaskSpec
from adapterxfer.catalog.tasks import tasks

NOT_STATED = "not stated"
"""Licence and citation of a declared task whose recipe states none."""

DECLARED = "declared"
"""Key of the identity of a prepare stage: what the recipe says of the data of its task."""

ITEMS = "items"
"""Key of the identity of predictions of a declared task: how its test items group, as no catalogue says it."""

LAYOUT_READER = "adapterxfer.data.layout_reading:read_layout"

_DATA = ("labels", "metric", "parallel", "hub")
"""Parts of a declaration that decide the examples, or which weights development examples choose."""


def declared_spec(name: str, facts: Mapping[str, Any]) -> TaskSpec:
    """The entry of a declared task.

    Args:
        facts: ``format``, and what else the recipe says: ``role``, ``labels``, ``metric``, ``kind``, ``licence``,
            ``citation``, ``languages``, ``parallel``, ``layout`` (role -> description) or ``hub`` (role -> repository).

    Raises:
        CatalogueError: a part is missing; the checks of a recipe find that first.
    """
    form, hub = cast("Format", facts["format"]), facts.get("hub") or {}
    sets = {role: _data_set(name, role, facts, hub.get(role)) for role in hub or facts["layout"]}
    role, labels = str(facts.get("role", "target")), tuple(facts.get("labels") or ())
    metric = str(facts.get("metric") or usual_metric(form, labels))
    tested = sets.get("test") if role != "intermediate" else None
    trained = "train" in sets
    return TaskSpec(
        role="intermediate" if role == "intermediate" else "target",
        both=role == "both",
        kin=str(facts.get("kind") or usual_kind(name, form, labels)),
        metric=metric,
        parts=TaskParts(
            name=name,
            format=form,
            labels=labels,
            train=(sets["train"].part("train"),) if trained else (),
            dev=(sets["dev"].part("dev"),) if "dev" in sets else (),
            needs_dev="dev" in sets,
            test=tested,
        ),
        licence=str(facts.get("licence") or NOT_STATED),
        citation=str(facts.get("citation") or NOT_STATED),
        languages=tuple(facts.get("languages") or ("en",)) if tested is not None else ("en",),
        protocol=_protocol(form, metric, trained=trained),
        target_dev=TargetDev(why_not="the recipe that declares it names none") if tested is not None else None,
        texts=tuple(sorted(_texts(facts))),
        source="hub" if hub else "local",
        trained=trained,
        declared=True,
    )


def data_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What of a declaration is part of the identity of the stage that reads its data; the layout is in its source."""
    return {key: facts[key] for key in _DATA if facts.get(key)}


def spec_in(identity: Mapping[str, Any]) -> TaskSpec | str:
    """The task of a prepare stage: the entry of a declared one, or the name of one of the catalogue."""
    if DECLARED not in identity:
        return str(identity["task"])
    layout = (identity["source"].get("layout") or {}) if isinstance(identity["source"], Mapping) else {}
    facts = {**identity[DECLARED], "format": identity["format"], "layout": layout, "languages": identity["languages"]}
    roles = facts.get("hub") or layout
    # Which axis it stood on is no matter of the data.
    facts["role"] = "both" if {"train", "test"} <= set(roles) else "target" if "test" in roles else "intermediate"
    return declared_spec(str(identity["task"]), facts)


STATED = ("role", "format", "metric", "languages", "source", "hub", "licence", "citation", "trained", "kin", "labels")
"""Parts of the entry of a declared task that a report tells or reads."""


def stated(task: Task) -> dict[str, Any]:
    """The entry of a declared task as JSON values: the report of a study knows it from nowhere else."""
    values = {name: getattr(task, name) for name in STATED}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def declared_in(entries: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Task]:
    """The tasks that a recipe declares, from the identity of its report.

    Args:
        entries: name -> what `stated` gave.
    """
    listed = {name: {key: _plain(facts[key]) for key in STATED} for name, facts in (entries or {}).items()}
    return {name: Task(name=name, **facts) for name, facts in listed.items()}


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def usual_metric(form: str, labels: tuple[str, ...]) -> str:
    """The score of a task that names none; tags without ``B-`` are no spans."""
    if form == "tagging" and not any(label.startswith("B-") for label in labels):
        return "token_accuracy"
    usual = {"tagging": "span_f1", "span_qa": "qa_f1", "retrieval": "retrieval_accuracy"}
    return usual.get(form, "accuracy")


def usual_kind(name: str, form: str, labels: tuple[str, ...]) -> str:
    """Kind of annotation of a task that names none: that of a task of the catalogue with the same format and labels."""
    known = {task.kin for task in tasks().values() if task.format == form and set(task.labels) == set(labels)}
    if len(known) == 1:
        return known.pop()
    if form == "span_qa":
        return "qa"
    return f"{form}: {' '.join(sorted(labels))}" if labels else name


def _protocol(form: str, metric: str, *, trained: bool) -> str:
    if form == "retrieval" and trained:
        # As SQuAD is trained on for retrieval in the catalogue: lengths of queries and candidates, and the last layer.
        return "declared/dual-encoder/top-layer/tokens-96-256"
    return DEFAULT_PROTOCOLS.get(metric, f"declared/{metric}")


def _data_set(name: str, role: str, facts: Mapping[str, Any], hub: Mapping[str, Any] | None) -> DataSet:
    """The data set of one role: files that the layout of the recipe describes, or a repository."""
    return DataSet(
        name=name if role == "test" else f"{name} ({role})",
        files={} if hub else {role: ((str(facts["layout"][role].get("path") or role),),)},
        reader="" if hub else LAYOUT_READER,
        labels=tuple(facts.get("labels") or ()),
        clusters=ClusterRule(unit="text", parallel=bool(facts.get("parallel"))),
        unanswerable=facts.get("metric") == "qa2_f1",
        hub=_source(role, hub) if hub else None,
        origin="" if hub else "the folder of the recipe",
        citation=str(facts.get("citation") or NOT_STATED),
        metric=str(facts.get("metric") or DECLARED),
        rows_only=hub is not None,
    )


def _source(role: str, hub: Mapping[str, Any]) -> HubSource:
    return HubSource(
        repository=str(hub["repository"]),
        revision=str(hub["revision"]),
        # What the Hub calls the configuration of a repository that has one alone.
        config=str(hub.get("config") or "default"),
        splits={role: (str(hub["split"]),)},
        columns=dict(hub["columns"]),
        raw_labels=dict(hub.get("labels") or {}),
        language_column=str(hub.get("language_column") or ""),
    )


def _texts(facts: Mapping[str, Any]) -> set[str]:
    """What a declared task is made of: two tasks that read one file, or one configuration, share text."""
    hub = facts.get("hub") or {}
    read = {f"{source['repository']} {source.get('config') or ''} {source['split']}" for source in hub.values()}
    return read | {f"file {block.get('path')}" for block in (facts.get("layout") or {}).values()}
