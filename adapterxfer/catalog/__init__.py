"""Facts as data: backbones, tasks, languages, variants, adapter methods and controls. Torch-free."""

from __future__ import annotations

from adapterxfer.catalog.backbones import UNTRAINED, backbones
from adapterxfer.catalog.flores import FLORES
from adapterxfer.catalog.languages import extension_languages, known_languages, languages, world_languages
from adapterxfer.catalog.methods import METHODS, MethodSpec
from adapterxfer.catalog.pretraining import (
    LOW_RESOURCE,
    PRETRAINING,
    is_pretrained,
    low_by,
    low_resource,
    pretraining_gib,
    undefined,
)
from adapterxfer.catalog.protocols import (
    AS_RELEASED,
    CROSS_FITTED,
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
from adapterxfer.catalog.records import Backbone, Control, Language, Task
from adapterxfer.catalog.source_records import Alternate, TaskSource
from adapterxfer.catalog.systems import (
    CONTROLS,
    ORACLE,
    controls_of,
    oracle_label,
    oracle_system,
    oracle_without,
)
from adapterxfer.catalog.target_dev import TARGET_DEV, TargetDev
from adapterxfer.catalog.task_sources import REFUSED, SOURCES
from adapterxfer.catalog.tasks import overlaps, task_names, tasks
from adapterxfer.catalog.variants import VARIANTS, VariantSpec

__all__ = [
    "AS_RELEASED",
    "CONTROLS",
    "CROSS_FITTED",
    "DEV",
    "FLORES",
    "FUSED",
    "LOW_RESOURCE",
    "METHODS",
    "ORACLE",
    "PRETRAINING",
    "PROTOCOLS",
    "REFUSED",
    "SOURCES",
    "TARGET_DEV",
    "UNTRAINED",
    "VARIANTS",
    "Alternate",
    "Backbone",
    "Control",
    "Language",
    "MethodSpec",
    "Protocol",
    "TargetDev",
    "Task",
    "TaskSource",
    "VariantSpec",
    "backbones",
    "base_target",
    "controls_of",
    "extension_languages",
    "is_development",
    "is_other_evaluation",
    "is_pretrained",
    "known_languages",
    "languages",
    "layer_in",
    "low_by",
    "low_resource",
    "metric_of",
    "oracle_label",
    "oracle_system",
    "oracle_without",
    "overlaps",
    "pretraining_gib",
    "target_under",
    "task_names",
    "tasks",
    "undefined",
    "with_layer",
    "world_languages",
]
