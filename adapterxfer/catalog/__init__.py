"""Facts as data: backbones, tasks, languages, variants, adapter methods and controls. Torch-free."""

from __future__ import annotations

from adapterxfer.catalog.backbones import UNTRAINED, backbones
from adapterxfer.catalog.languages import languages, world_languages
from adapterxfer.catalog.records import Backbone, Control, Language, Method, Task, Variant
from adapterxfer.catalog.systems import CONTROLS, METHODS, VARIANTS, controls_of
from adapterxfer.catalog.tasks import overlaps, task_names, tasks

__all__ = [
    "CONTROLS",
    "METHODS",
    "UNTRAINED",
    "VARIANTS",
    "Backbone",
    "Control",
    "Language",
    "Method",
    "Task",
    "Variant",
    "backbones",
    "controls_of",
    "languages",
    "overlaps",
    "task_names",
    "tasks",
    "world_languages",
]
