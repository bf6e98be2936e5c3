"""Intermediate and target tasks by name, from the files of `adapterxfer.catalog.families` and the list of the world.

A file put into that folder is in the catalogue: nothing else names its tasks.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from types import ModuleType

from adapterxfer.catalog import families
from adapterxfer.catalog.data_sets import DataSet
from adapterxfer.catalog.languages import world_languages
from adapterxfer.catalog.protocols import without_layer
from adapterxfer.catalog.records import Role, Task
from adapterxfer.catalog.task_specs import DEFAULT_PROTOCOLS, TaskParts, TaskProtocol, TaskSpec
from adapterxfer.errors import CatalogueError, DataError
from adapterxfer.world.task_list import TASKS as WORLD_TASKS


def _modules() -> Iterator[ModuleType]:
    for module in sorted(pkgutil.iter_modules(families.__path__), key=lambda module: module.name):
        yield importlib.import_module(f"{families.__name__}.{module.name}")


@cache
def task_specs() -> dict[str, TaskSpec]:
    """Entries of all real tasks by name, intermediate tasks first.

    Raises:
        CatalogueError: two tasks have one name.
    """
    listed = [spec for module in _modules() for spec in module.TASKS]
    roles: tuple[Role, ...] = ("intermediate", "target")
    specs: dict[str, TaskSpec] = {}
    for spec in (spec for role in roles for spec in listed if spec.role == role):
        if spec.name in specs or spec.name in WORLD_TASKS:
            raise CatalogueError(f"task '{spec.name}' is in the catalogue twice", fix="give each a name of its own")
        specs[spec.name] = spec
    return specs


@cache
def task_parts() -> dict[str, TaskParts]:
    """What real tasks are made of, by name: of every task, then the other ways to read one."""
    specs = task_specs().values()
    return {
        parts.name: parts
        for parts in (*(spec.parts for spec in specs), *(other for spec in specs for other in spec.read_as.values()))
    }


@cache
def data_sets() -> dict[str, DataSet]:
    """Data sets by name.

    Raises:
        CatalogueError: two different ones have one name.
    """
    table: dict[str, DataSet] = {}
    used = [data for parts in task_parts().values() for data in parts.data_sets()]
    listed = [value for module in _modules() for value in vars(module).values() if isinstance(value, DataSet)]
    for data in (*used, *listed):
        if table.setdefault(data.name, data) != data:
            raise CatalogueError(f"data set '{data.name}' is in the catalogue twice", fix="give each a name of its own")
    return table


TaskLike = str | TaskSpec
"""The name of a real task of the catalogue, or the entry itself: of a task that a recipe declares there is no other."""


def spec_of(task: TaskLike) -> TaskSpec | None:
    """The entry of a real task; None for a name that the catalogue does not have."""
    return task if isinstance(task, TaskSpec) else task_specs().get(task)


def name_of(task: TaskLike) -> str:
    """The name of a task."""
    return task.name if isinstance(task, TaskSpec) else task


def parts_of_task(task: TaskLike, protocol: str = "") -> TaskParts:
    """What a real task is made of under a protocol.

    Args:
        task: a task, or the name of another way to read one.

    Raises:
        DataError: there is no such real task.
    """
    if (spec := spec_of(task)) is not None:
        return spec.parts_under(protocol)
    assert isinstance(task, str)
    if task not in task_parts():
        raise DataError(
            f"task '{task}': no reader for original files",
            fix="`adapterxfer ls tasks` says which tasks load; describe other files with a layout in the recipe",
        )
    return task_parts()[task]


@cache
def tasks() -> dict[str, Task]:
    """All tasks by name: intermediate first, the world last."""
    table = {name: spec.entry() for name, spec in task_specs().items()}
    for name, world in WORLD_TASKS.items():
        table[name] = Task(
            name=name,
            role=world.role,
            format=world.format,
            metric=world.metric,
            languages=("en",) if world.role == "intermediate" else tuple(world_languages()),
            source="world",
            licence="apache-2.0",
            protocol=_world_protocol(world.metric),
            trained=world.format != "retrieval",
            kin=world.kin,
            train_examples=world.train_examples,
            dev_examples=world.dev_examples,
            test_examples=world.test_examples,
            note=world.description,
        )
    return table


def _world_protocol(metric: str) -> str:
    """Answers of the world are noun phrases of at most five pieces; longer spans are only mistakes."""
    return DEFAULT_PROTOCOLS[metric] + ("/max-answer-5" if metric == "qa_f1" else "")


def task_names(role: str) -> tuple[str, ...]:
    """Names of all tasks in one role."""
    return tuple(name for name, task in tasks().items() if task.role == role)


def overlaps(intermediate: TaskLike, target: TaskLike) -> bool:
    """Whether the intermediate task shares text with the target's training or test data, so a gain is no transfer."""
    first, second = spec_of(intermediate), spec_of(target)
    if first is None or second is None or second.role != "target" or (first.role == "target" and not first.both):
        return False
    return not set(first.texts).isdisjoint(second.texts)


def with_target_dev(task: str) -> tuple[str, ...]:
    """Targets with the same kind of annotation that have development data in their target languages."""
    specs = task_specs()
    kind = (specs[task].parts.format, specs[task].kin)
    return tuple(
        name
        for name, spec in specs.items()
        if spec.target_dev is not None and not spec.target_dev.why_not and (spec.parts.format, spec.kin) == kind
    )


def protocols_of(task: TaskLike) -> dict[str, TaskProtocol]:
    """Protocols of a task that a recipe may choose, by name; none for tasks of the world, and of a recipe's own."""
    spec = spec_of(task)
    return dict(spec.protocols) if spec is not None else {}


def metric_of(task: str, protocol: str, default: str | None) -> str | None:
    """The metric of a protocol of a task; ``default`` where the catalogue knows no other."""
    plain = without_layer(protocol)
    for known in protocols_of(task).values():
        if without_layer(known.text) == plain:
            return known.metric
    return default
