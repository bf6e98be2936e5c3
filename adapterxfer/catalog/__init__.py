"""Facts as data: backbones, tasks, languages, variants, adapter methods and controls. Torch-free."""

from __future__ import annotations

from adapterxfer.catalog.backbones import UNTRAINED, backbones
from adapterxfer.catalog.controls import (
    CONTROLS,
    ORACLE,
    controls_of,
    oracle_label,
    oracle_system,
    oracle_without,
)
from adapterxfer.catalog.data_sets import Alternate, ClusterRule, DataSet, DataSplit, HubSource, Repair
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
    base_target,
    is_development,
    is_other_evaluation,
    layer_in,
    target_under,
    with_layer,
)
from adapterxfer.catalog.records import Backbone, ControlSpec, Language, Task
from adapterxfer.catalog.task_specs import InBenchmark, TargetDev, TaskParts, TaskProtocol, TaskSpec, codes
from adapterxfer.catalog.tasks import (
    data_sets,
    metric_of,
    overlaps,
    parts_of_task,
    protocols_of,
    task_names,
    task_parts,
    task_specs,
    tasks,
    with_target_dev,
)
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
    "UNTRAINED",
    "VARIANTS",
    "Alternate",
    "Backbone",
    "ClusterRule",
    "ControlSpec",
    "DataSet",
    "DataSplit",
    "HubSource",
    "InBenchmark",
    "Language",
    "MethodSpec",
    "Repair",
    "TargetDev",
    "Task",
    "TaskParts",
    "TaskProtocol",
    "TaskSpec",
    "VariantSpec",
    "backbones",
    "base_target",
    "codes",
    "controls_of",
    "data_sets",
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
    "parts_of_task",
    "pretraining_gib",
    "protocols_of",
    "target_under",
    "task_names",
    "task_parts",
    "task_specs",
    "tasks",
    "undefined",
    "with_layer",
    "with_target_dev",
    "world_languages",
]
