"""Facts as data: backbones, tasks, languages, variants, adapter methods and controls. Torch-free."""

from __future__ import annotations

from adapterxfer.catalog.backbones import UNTRAINED, backbones
from adapterxfer.catalog.languages import (
    extension_languages,
    known_languages,
    languages,
    low_resource,
    world_languages,
)
from adapterxfer.catalog.records import Backbone, Control, Language, Method, Task, Variant
from adapterxfer.catalog.systems import CONTROLS, METHODS, VARIANTS, controls_of
from adapterxfer.catalog.task_sources import FLORES, SOURCES, TaskSource
from adapterxfer.catalog.tasks import overlaps, task_names, tasks

__all__ = [
    "CONTROLS",
    "FLORES",
    "METHODS",
    "SOURCES",
    "UNTRAINED",
    "VARIANTS",
    "Backbone",
    "Control",
    "Language",
    "Method",
    "Task",
    "TaskSource",
    "Variant",
    "backbones",
    "controls_of",
    "extension_languages",
    "known_languages",
    "languages",
    "low_resource",
    "overlaps",
    "task_names",
    "tasks",
    "world_languages",
]
