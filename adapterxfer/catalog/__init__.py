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
from adapterxfer.catalog.protocols import (
    AS_RELEASED,
    DEV,
    FUSED,
    PROTOCOLS,
    Protocol,
    base_target,
    is_development,
    is_other_evaluation,
    layer_in,
    metric_of,
    target_under,
    with_layer,
)
from adapterxfer.catalog.records import Backbone, Control, Language, Method, Task, Variant
from adapterxfer.catalog.systems import CONTROLS, METHODS, VARIANTS, controls_of
from adapterxfer.catalog.task_sources import FLORES, REFUSED, SOURCES, Alternate, TaskSource
from adapterxfer.catalog.tasks import overlaps, task_names, tasks

__all__ = [
    "AS_RELEASED",
    "CONTROLS",
    "DEV",
    "FLORES",
    "FUSED",
    "LOW_RESOURCE",
    "METHODS",
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
    "base_target",
    "controls_of",
    "extension_languages",
    "is_development",
    "is_other_evaluation",
    "known_languages",
    "languages",
    "layer_in",
    "low_by",
    "low_resource",
    "metric_of",
    "overlaps",
    "pretraining_gib",
    "target_under",
    "task_names",
    "tasks",
    "with_layer",
    "world_languages",
]
