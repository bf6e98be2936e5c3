"""Facts as data: backbones, tasks, languages, variants, adapter methods and controls. Torch-free."""

from __future__ import annotations

from adapterxfer.catalog.backbones import UNTRAINED, backbones
from adapterxfer.catalog.languages import (
    LOW_RESOURCE,
    extension_languages,
    known_languages,
    languages,
    low_by,
    low_resource,
    pretraining_gib,
    world_languages,
)
from adapterxfer.catalog.protocols import AS_RELEASED, FUSED, PROTOCOLS, Protocol, layer_in, metric_of, with_layer
from adapterxfer.catalog.records import Backbone, Control, Language, Method, Task, Variant
from adapterxfer.catalog.systems import CONTROLS, METHODS, ORACLE, VARIANTS, controls_of
from adapterxfer.catalog.task_sources import FLORES, REFUSED, SOURCES, Alternate, TaskSource
from adapterxfer.catalog.tasks import overlaps, task_names, tasks

__all__ = [
    "AS_RELEASED",
    "CONTROLS",
    "FLORES",
    "FUSED",
    "LOW_RESOURCE",
    "METHODS",
    "ORACLE",
    "PROTOCOLS",
    "REFUSED",
    "SOURCES",
    "UNTRAINED",
    "VARIANTS",
    "Alternate",
    "Backbone",
    "Control",
    "Language",
    "Method",
    "Protocol",
    "Task",
    "TaskSource",
    "Variant",
    "backbones",
    "controls_of",
    "extension_languages",
    "known_languages",
    "languages",
    "layer_in",
    "low_by",
    "low_resource",
    "metric_of",
    "overlaps",
    "pretraining_gib",
    "task_names",
    "tasks",
    "with_layer",
    "world_languages",
]
