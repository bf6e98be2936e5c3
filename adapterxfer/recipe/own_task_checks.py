"""What in the declaration of a task contradicts itself, the catalogue or the rest of the recipe.

Each line names its place as a path of keys, so that the message has the line and column of the file it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from adapterxfer.catalog import VARIANTS, known_languages, tasks, world_languages
from adapterxfer.catalog.declared import usual_metric
from adapterxfer.catalog.scores import installed, installed_names, scores_of
from adapterxfer.errors import DataError
from adapterxfer.recipe.fields import ALL_LANGUAGES, MULTI, NONE, POOL
from adapterxfer.recipe.messages import one_of, suggestion
from adapterxfer.recipe.own_tasks import HubBlock, OwnTask
from adapterxfer.recipe.train_blocks import MODES, PHASES
from adapterxfer.recipe.yaml_core import Path

if TYPE_CHECKING:
    from adapterxfer.recipe.recipe import Recipe

LANGUAGE = "{lang}"
RESERVED = frozenset({NONE, POOL, MULTI, "default", "adapters", "corpus", *PHASES, *MODES, *VARIANTS})
"""Names that mean something else where a recipe names a task."""

FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sequence_classification": (("text", "label"), ("text_pair", "id")),
    "tagging": (("words", "tags"), ("id",)),
    "span_qa": (("context", "question", "answers"), ("id",)),
    "multiple_choice": (("choices", "label"), ("context", "question", "id", "cluster")),
    "retrieval": (("text", "translation"), ()),
}
"""Format -> columns of a repository that have to be named, and those that may be."""

NO_GOLD = ("-", "-1")
"""Labels that the readers take for "withheld"."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z", re.ASCII)
_TAG = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{1,8})*\Z", re.ASCII)
"""A code of BCP 47: a language of two or three letters, then script, region and so on, as `gsw` or `zh-Hant`."""

Found = Iterator[tuple[Path, str]]


def own_task_problems(recipe: Recipe) -> list[tuple[Path, str]]:
    """All contradictions in the declarations of a recipe, or else between them and the rest of it.

    No task can be made of a declaration that contradicts itself, so nothing else of the recipe is looked at before.
    """
    declared = {name: task for name, task in recipe.tasks.items() if isinstance(task, OwnTask)}
    return [
        (("tasks", name, *path), message)
        for name, task in declared.items()
        for path, message in declaration_problems(name, task)
    ] or [
        (("tasks", name, *path), message)
        for name, task in declared.items()
        for path, message in _in_recipe(recipe, name, task)
    ]


def declaration_problems(name: str, task: OwnTask) -> list[tuple[Path, str]]:
    """All contradictions in one declaration; paths begin below the name of the task."""
    problems = [*_name(name), *_labels(task), *_metric(task)]
    # One message where the data are not described at all: all others would follow from it.
    data = list(_sources(task))
    return problems + (data or [*_roles(task), *_columns(task), *_languages(task), *_options(task)])


def _name(name: str) -> Found:
    if name in tasks():
        yield (
            (),
            (
                f"'{name}' is a task of the catalogue, whose format, licence and citation are its own: "
                f"give your task another name, as my-{name}"
            ),
        )
    elif name in RESERVED:
        yield (), f"'{name}' means something else in a recipe: give the task another name, as my-{name}"
    elif not _NAME.match(name):
        yield (), f"'{name[:64]}' should be a short name of lower-case letters, digits and . _ -"


def _labels(task: OwnTask) -> Found:
    labels, form = task.labels or (), task.format
    if form == "sequence_classification" and len(labels) < 2:
        yield ("labels",), "sequence_classification needs at least two labels: labels: [bad, good]"
    if labels and form not in ("sequence_classification", "tagging"):
        yield ("labels",), f"{form} has no labels: leave them out"
        return
    for index, label in enumerate(labels):
        if label != label.strip() or label in NO_GOLD:
            yield ("labels", index), f"'{label}' cannot be a label: blanks around it are cut, and - and -1 mean no gold"
        elif form == "tagging" and len(label.split()) > 1:
            yield ("labels", index), f"tag '{label}' has a blank, which stands between tags"
    if form == "tagging" and not labels and task.hub is not None:
        yield ("hub",), "tags of a data set on the Hub have to be named: labels: [O, B-PER, I-PER]"
    spans = {label[2:] for label in labels if label.startswith("B-")}
    if form == "tagging" and spans:
        if alone := [label for label in labels if label.startswith("I-") and label[2:] not in spans]:
            yield ("labels",), f"tag '{alone[0]}' goes on with a span that no tag begins: add B-{alone[0][2:]}"
        if "O" not in labels:
            yield ("labels",), "spans need the tag O for all other words: add it"


def _metric(task: OwnTask) -> Found:
    if task.metric is None:
        return
    if task.metric in installed_names():
        try:
            formats = getattr(installed(task.metric), "formats", ())
        except DataError as error:
            yield ("metric",), f"{error.what}; {error.fix}"
            return
        if formats and task.format not in formats:
            yield ("metric",), f"'{task.metric}' scores {', '.join(formats)}, not {task.format}"
        return
    known = scores_of(task.format)
    if task.metric not in known:
        yield ("metric",), f"'{task.metric}' {one_of(task.metric, known)}, the scores of {task.format}"
    elif task.metric == "span_f1" and task.labels and usual_metric("tagging", task.labels) != "span_f1":
        yield ("metric",), "span_f1 scores spans, which begin with B-: name such labels, or use token_accuracy"


def _sources(task: OwnTask) -> Found:
    if task.hub is not None and task.layout:
        yield ("hub",), "data come from files (layout) or from the Hub (hub), never from both: keep one"
    elif task.hub is None and not task.layout:
        yield (
            (),
            (
                "where are its data? Give layout: {train: {path: ..., layout: csv, columns: ...}} for "
                "files below data_root, or hub: {repository: OWNER/NAME, revision: COMMIT, split: ..., columns: ...}"
            ),
        )


def _roles(task: OwnTask) -> Found:
    described, retrieval = task.data_roles(), task.format == "retrieval"
    where = "hub" if task.hub is not None else "layout"
    if retrieval and task.role == "both":
        yield (
            ("role",),
            ("retrieval is trained as an intermediate task and only tested as a target: declare two tasks"),
        )
        return
    needed: tuple[str, ...] = ("train", "test")
    useless: tuple[str, ...] = ()
    why = ""
    if retrieval and task.role == "target":
        needed, useless, why = ("test",), ("train", "dev"), "nothing is trained on a retrieval target"
    elif task.role == "intermediate":
        needed, useless = ("train",), ("test",)
        why = "an intermediate task is not tested: leave it out, or say role: both"
    for role in needed:
        if role not in described:
            yield (where,), f"no {role} data: {_needs(task)} needs {' and '.join(needed)}"
    for role in useless:
        if role in described:
            yield (where, role), f"{role} data would never be read: {why}"
    for role, other in (("train", "test"), ("train", "dev"), ("dev", "test")):
        if (
            not {role, other} & set(useless)
            and role in described
            and other in described
            and (same := _same(task, role, other))
        ):
            yield (where,), f"{role} and {other} are the same data ({same}): hold some out"


def _needs(task: OwnTask) -> str:
    return f"a {task.format} {'task with role: both' if task.role == 'both' else task.role}"


def _same(task: OwnTask, first: str, second: str) -> str:
    """What two roles both read; empty where they differ. Training data are English."""
    if task.hub is not None:
        roles = task.hub_roles()
        places = [(r.repository, r.revision, _filled(r.config or ""), r.split) for r in (roles[first], roles[second])]
        tested = "en" in (task.languages or ()) or LANGUAGE not in (roles[second].config or "")
        shared = places[0] == places[1] and roles[first].language_column is None
        return f"{places[0][0]} {places[0][3]}" if shared and (second != "test" or tested) else ""
    layout = task.layout or {}
    paths = [str(layout[role].get("path")) for role in (first, second)]  # type: ignore[index]
    tested = second != "test" or "en" in (task.languages or ()) or LANGUAGE not in paths[1]
    return paths[0] if tested and _filled(paths[0]) == _filled(paths[1]) else ""


def _filled(text: str) -> str:
    return text.replace(LANGUAGE, "en")


def _columns(task: OwnTask) -> Found:
    needed, allowed = FIELDS[task.format]
    block = isinstance(task.hub, HubBlock)
    for role, source in list(task.hub_roles().items())[: 1 if block else None]:
        where: Path = ("hub", "columns") if block else ("hub", role, "columns")
        if missing := [field for field in needed if field not in source.columns]:
            yield where, f"column of '{missing[0]}' is missing; {task.format} needs {', '.join(needed)}"
        for field in source.columns:
            if field not in needed + allowed:
                yield (*where, field), f"'{field}' {one_of(field, needed + allowed)}"
        for name in (source.facts().get("labels") or {}).values():
            if task.labels and name not in task.labels:
                yield (*where[:-1], "labels"), f"label '{name}' {one_of(name, task.labels)}"


def _languages(task: OwnTask) -> Found:
    spoken, tested = task.languages or (), task.role != "intermediate"
    if not tested and (spoken or task.language_facts):
        yield (
            ("languages",),
            "an intermediate task is not tested, so it has no languages: training data count as English",
        )
        return
    if tested and not spoken:
        yield (), "key 'languages' is missing: the codes of the languages it is tested in, as languages: [en, sw]"
    for index, code in enumerate(spoken):
        if code in spoken[:index]:
            yield ("languages", index), f"language '{code}' appears twice"
        elif code == ALL_LANGUAGES:
            yield (
                ("languages", index),
                "nothing but the recipe knows the languages of a declared task: name their codes",
            )
        elif problem := _code_problem(code):
            yield ("languages", index), problem
    for code, facts in task.language_facts.items():
        where: Path = ("language_facts", code)
        if code not in spoken:
            yield where, f"'{code}' is not among the languages of the task: {', '.join(spoken)}"
        elif code in known_languages() and facts != type(facts)():
            language = known_languages()[code]
            yield (
                where,
                (f"{language.name} is known: family {language.family}, tier {language.resource}; leave it out"),
            )
    yield from _one_place(task, spoken)


def _one_place(task: OwnTask, spoken: tuple[str, ...]) -> Found:
    """Several languages that would all be read from one place."""
    if len(spoken) < 2:
        return
    if source := task.hub_roles().get("test"):
        if LANGUAGE not in (source.config or "") and source.language_column is None:
            yield (
                ("hub",),
                (
                    f"one configuration for {len(spoken)} languages: write {LANGUAGE} into config, or name the "
                    "language_column that tells them apart"
                ),
            )
    elif task.layout and "test" in task.layout and LANGUAGE not in str(task.layout["test"].get("path", LANGUAGE)):
        yield (
            ("layout", "test", "path"),
            (f"'{task.layout['test']['path']}' is one file for {len(spoken)} languages: write {LANGUAGE} into it"),
        )


def _code_problem(code: str) -> str:
    if code in known_languages():
        return ""
    by_name = {language.name.lower(): language.code for language in known_languages().values()}
    if code.lower() in by_name:
        return f"'{code}' is a name: write its code, {by_name[code.lower()]}"
    if not _TAG.match(code):
        return f"'{code}' is no code of BCP 47, as sw, gsw or zh-Hant{suggestion(code, known_languages())}"
    if code in world_languages():
        return f"'{code}' is the code of a made-up language: write the code of the real one"
    return ""


def _options(task: OwnTask) -> Found:
    if task.protocol is not None:
        yield ("protocol",), "a declared task has one protocol, which follows from format and metric: leave it out"
    if task.source is not None:
        yield ("source",), "a declared task is read from where its declaration says: leave it out"


def _in_recipe(recipe: Recipe, name: str, task: OwnTask) -> Found:
    if task.layout and recipe.data_root is None and not recipe.world and name in recipe.used_tasks():
        yield (
            ("layout",),
            "its files lie below data_root, which is not set: data_root: FOLDER, or --set data_root=FOLDER",
        )
    arms = [arm for arm in recipe.intermediate_tasks if arm == f"{name}+translated"]
    if arms and not recipe.world:
        yield (), f"'{arms[0]}': translations of a declared task are not read; leave this arm out"
