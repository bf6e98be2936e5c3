"""A checked recipe, and what follows from it alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr

from adapterxfer.catalog import (
    UNTRAINED,
    VARIANTS,
    Task,
    TaskSpec,
    backbones,
    base_target,
    overlaps,
    protocols_of,
    spec_of,
    tasks,
    with_layer,
    world_languages,
)
from adapterxfer.catalog.architectures import encoder_part
from adapterxfer.catalog.arms import Arm, split_arm
from adapterxfer.catalog.capabilities import model_type_of
from adapterxfer.catalog.stand_ins import stand_in, stand_in_name
from adapterxfer.recipe.also import DEFAULT, Also
from adapterxfer.recipe.arm_options import WORLD
from adapterxfer.recipe.axes import AXES
from adapterxfer.recipe.fields import ALL_LANGUAGES, MULTI, NONE, POOL, Pin, parse_pin
from adapterxfer.recipe.language_adapters import SOURCE as LANGUAGE_SOURCE
from adapterxfer.recipe.model_options import Merge
from adapterxfer.recipe.own_tasks import OwnTask
from adapterxfer.recipe.schema import RecipeModel
from adapterxfer.recipe.series import Pretrain
from adapterxfer.recipe.supervision import Supervised, supervised_targets
from adapterxfer.store.keys import digest

_ABSENT_WHEN_EMPTY = ("backbone_sources", "data_revisions")
"""Newer keys: recipes that do not use them keep the identity they had."""


@cache
def _default_merge() -> Merge:
    return Merge()  # kept, since a plan asks for it at every row, and it is checked anew each time


class Recipe(RecipeModel):
    """A recipe whose every name is known and whose every value is in range; made by `load_recipe`."""

    _entries: dict[str, tuple[OwnTask, TaskSpec, Task]] = PrivateAttr(default_factory=dict)
    _file: str = PrivateAttr(default="")

    def __eq__(self, other: object) -> bool:
        """Whether all values are equal, wherever the files are."""
        return isinstance(other, Recipe) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # what it holds are dictionaries

    @property
    def file(self) -> str:
        """What a command calls this recipe: a name or path as it was given, never the place of a file on a machine."""
        return self._file or f"{self.name}.yaml"

    def called(self, file: str) -> Recipe:
        """The same recipe under the name that a command gave it."""
        named = self.model_copy()
        named._file = file
        return named

    def resolved(self) -> dict[str, Any]:
        """The recipe with all defaults written out, as JSON values."""
        values = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {key: value for key, value in values.items() if value or key not in _ABSENT_WHEN_EMPTY}

    @property
    def digest(self) -> str:
        """sha256 of the resolved recipe without the places of files."""
        values = {key: value for key, value in self.resolved().items() if key != "data_root"}
        for source in values.get("backbone_sources", {}).values():
            source.pop("folder", None)
        return digest(values)

    @property
    def measurement_digest(self) -> str:
        """sha256 of the part of the recipe that a measured token budget depends on."""
        assert self.pretrain is not None
        return digest(self.pretrain.model_dump(mode="json"))

    @property
    def series(self) -> tuple[str, ...]:
        """Names of the backbones that this recipe pretrains."""
        return tuple(self.pretrain.series) if self.pretrain else ()

    @property
    def needs_measurement(self) -> bool:
        """Whether a backbone in use waits for a token budget or number format measured on this machine."""
        return self.pretrain is not None and self.pretrain.needs_measurement and any(map(self.is_own, self.backbones))

    def is_own(self, backbone: str) -> bool:
        """Whether the backbone, or its untrained twin, belongs to the recipe's own series."""
        return backbone.removesuffix(UNTRAINED) in self.series

    def values_of_axes(self) -> dict[str, tuple[Any, ...]]:
        """Axis -> its values in the grid; adapters by method, as exclusions name them."""
        methods = tuple(spec.method for spec in self.adapters)
        columns = (
            self.backbones, self.variants, methods, self.intermediate_tasks, self.target_tasks, self.seeds
        )  # fmt: skip
        return dict(zip(AXES, columns, strict=True))

    @property
    def merging(self) -> Merge:
        """How `merge` joins weights; the defaults where the recipe says nothing."""
        return self.merge or _default_merge()

    def has_adapters(self, variant: str) -> bool:
        """Whether cells of a variant have an adapter; joined whole models have none."""
        spec = VARIANTS[variant]
        return spec.adapters and not (spec.joins and self.merging.full)

    def architecture(self, backbone: str) -> str:
        """``model_type`` of a backbone of this recipe; empty where nothing here says it.

        A local folder is asked, also where it stands in for a backbone of the catalogue.
        """
        source = self.backbone_sources.get(backbone)
        if source is not None and source.folder is not None:
            try:
                path = Path(source.folder).expanduser() / "config.json"
                return str(encoder_part(json.loads(path.read_text(encoding="utf-8")))["model_type"])
            except (OSError, ValueError, KeyError, TypeError):
                return ""  # the plan says what is wrong with the folder
        return model_type_of(backbone) if source is None or backbone in backbones() else ""

    def has_oracle(self, target: str) -> bool:
        """Whether trainings on a target get a diagnostic that is selected by the target languages."""
        declared = self.oracle is True or (self.oracle is not None and target in self.oracle)
        return declared and self.task(target).trained

    @property
    def synthetic(self) -> bool:
        """Whether any task of the recipe belongs to the synthetic world."""
        return any(task.synthetic for task in self.used_tasks().values())

    @property
    def chooses(self) -> bool:
        """Whether development data choose any setting of its trainings."""
        return any(block.chooses for block in self.train.values())

    def reused(self, backbone: str, intermediate: str) -> Pin | None:
        """The published adapter that takes the place of an intermediate training on a backbone.

        Arms of the task are trained, and so is everything where the world stands in: no adapter fits its backbones.
        """
        option = (self.reuse or {}).get(intermediate)
        if option is None or self.world:
            return None
        address = option.from_.get(backbone) if isinstance(option.from_, Mapping) else option.from_
        return None if address is None else parse_pin(address)

    def is_trained(self, intermediate: str) -> bool:
        """Whether any backbone of the recipe is trained on a single intermediate task, or on an arm of it."""
        arms = [name for name in self.intermediate_tasks if split_arm(name) != (intermediate, "")]
        if any(split_arm(name).base == intermediate for name in arms):
            return True
        return any(self.reused(backbone, intermediate) is None for backbone in self.backbones)

    def used_tasks(self) -> dict[str, Task]:
        """Catalogue entries of all tasks whose data the recipe uses, `multi` unfolded."""
        trained = [name for name in self.single_intermediates() if self.is_trained(name)]
        names = [*trained, *self.multi_tasks(), *self.target_tasks]
        names += [self.fusion_task] if self.fusion_task else []
        names += [first for name in names for first in self.task(name).before]
        return {name: self.task(name) for name in names}

    def task(self, name: str) -> Task:
        """Catalogue entry of a task, or of its stand-in where the recipe runs on the world."""
        task = self.real_task(name)
        if not self.world or task.synthetic:
            return task
        return stand_in(task, tasks()[stand_in_name(task)])

    def real_task(self, name: str) -> Task:
        """The entry of a task, also where the world stands in for it: the recipe's own, else that of the catalogue."""
        declared = self._declared(name)
        return tasks()[name] if declared is None else declared[1]

    def spec(self, name: str) -> TaskSpec | None:
        """All that is known of a real task: what the recipe declares, else the catalogue's entry; None for the world's.

        Names are resolved here, so that one name may mean two tasks in two recipes of one process.
        """
        declared = self._declared(name)
        return spec_of(name) if declared is None else declared[0]

    def declared_tasks(self) -> dict[str, Task]:
        """The tasks that the recipe declares and uses; none where the world stands in for them."""
        used = () if self.world else self.used_tasks()
        return {name: declared[1] for name in used if (declared := self._declared(name)) is not None}

    def reads_pairs(self, name: str) -> bool:
        """Whether examples of a task that the recipe declares are two texts each."""
        options = self.tasks.get(name)
        blocks = (options.layout or {}).values() if options is not None else ()
        named = [block.get("columns") or {} for block in blocks]
        named += [source.columns for source in options.hub_roles().values()] if isinstance(options, OwnTask) else []
        return any("text_pair" in columns for columns in named)

    def language_facts(self) -> dict[str, dict[str, str]]:
        """Code -> what the recipe says of languages outside the catalogue; none where the world stands in."""
        used = () if self.world else self.used_tasks()
        said: dict[str, dict[str, str]] = {}
        for options in (self.tasks.get(name) for name in used):
            for code, facts in options.language_facts.items() if isinstance(options, OwnTask) else ():
                values = {"name": facts.name, "family": facts.family, "resource": facts.tier}
                said.setdefault(code, {}).update({key: value for key, value in values.items() if value})
        return {code: facts for code, facts in said.items() if facts}

    def overlap(self, intermediate: str, target: str) -> bool:
        """Whether two tasks share text, so that a gain is no transfer; stand-ins share nothing but their names."""
        first, second = self.spec(intermediate), self.spec(target)
        return not self.world and first is not None and second is not None and overlaps(first, second)

    def _declared(self, name: str) -> tuple[TaskSpec, Task] | None:
        options = self.tasks.get(name)
        if not isinstance(options, OwnTask):
            return None
        # Asked for at every cell of a plan; a copy of the recipe may have other options under the name.
        known = self._entries.get(name)
        if known is None or known[0] is not options:
            spec = options.spec(name)
            known = self._entries[name] = (options, spec, spec.entry())
        return known[1], known[2]

    def languages_of(self, task: str) -> tuple[str, ...]:
        """Languages of a task in this recipe: those it names (``all``: every one), else the usual ones of the task."""
        options, spec = self.tasks.get(task), self.task(task)
        spoken = spec.languages
        if options is None or options.languages is None:
            return spoken
        if options.languages == (ALL_LANGUAGES,):
            return (*spoken, *spec.more)
        # Languages of the real task say nothing about its stand-in.
        return spoken if spec.stand_in and not set(options.languages) <= set(spoken) else options.languages

    def arm_languages(self, arm: Arm) -> tuple[str, ...]:
        """Languages of an arm: those it names, else all that the targets test; of translations, without English."""
        option = self.mlm_mix if arm == "mlm" else self.translated
        named = option.languages if option is not None else None
        tested = dict.fromkeys(code for name in self.target_tasks for code in self.languages_of(name))
        if named is None or (self.world and not set(named) <= set(world_languages())):
            named = ("en", *(code for code in tested if code != "en")) if arm == "mlm" else tuple(tested)
        return tuple(code for code in named if arm == "mlm" or code != "en")

    def translation_folders(self) -> tuple[str, ...]:
        """Folders below the data root that hold translations under the names of the original files."""
        taught = self.supervision.translate_train if self.supervision is not None else None
        options = (self.translated, taught)
        return tuple(dict.fromkeys(o.folder for o in options if o is not None and o.folder != WORLD))

    @property
    def speaks_world(self) -> bool:
        """Whether the target tasks are in the languages of the synthetic world."""
        return all(self.task(name).synthetic or bool(self.task(name).stand_in) for name in self.target_tasks)

    def language_codes(self) -> tuple[str, ...]:
        """Languages with an adapter of their own: English, and those named or else all that the targets test."""
        option = self.language_adapters
        if option is None:
            return ()
        tested = dict.fromkeys(code for name in self.target_tasks for code in self.languages_of(name))
        named = option.languages
        if named is None or (self.world and not set(named) <= set(world_languages())):
            named = tuple(tested)
        return tuple(dict.fromkeys((LANGUAGE_SOURCE, *named)))

    def parts_of(self, intermediate: str) -> tuple[str, ...]:
        """The tasks behind a name on the axis of intermediate tasks; none for ``none``."""
        base = split_arm(intermediate).base
        if base == NONE:
            return ()
        if base == POOL:
            return self.single_intermediates()
        return self.multi_tasks() if base == MULTI else (base,)

    def protocol_of(self, task: str, also: Also | None = None) -> str:
        """Protocol of a task in this recipe: its own, or the one chosen, with the layer chosen.

        Args:
            also: one of the other evaluations of the task.
        """
        layer = also.layer if also else None
        if (spec := self.task(task)).stand_in:
            # Its backbones have few layers, and it has one protocol.
            return with_layer(spec.protocol, layer) if layer in (0, "middle", "top") else spec.protocol
        options = self.tasks.get(task)
        name, first = (options.protocol, options.layer) if options else (None, None)
        if also is not None and also.protocol is not None:
            name, first = None if also.protocol == DEFAULT else also.protocol, None
        text = protocols_of(task)[name].text if name else self.real_task(task).protocol
        layer = first if layer is None else layer
        return text if layer is None else with_layer(text, layer)

    def also_of(self, task: str) -> tuple[Also, ...]:
        """The other evaluations of a target."""
        options = self.tasks.get(task)
        return (options and options.also) or ()

    def supervised_of(self, task: str) -> tuple[Supervised, ...]:
        """The supervisions of a target beside the zero-shot one."""
        return supervised_targets(self, task)

    def supervised(self) -> dict[str, Supervised]:
        """Name of a target under a supervision -> what it is, for all targets of the recipe."""
        return {regime.target: regime for task in self.target_tasks for regime in self.supervised_of(task)}

    def tested_in(self, target: str) -> tuple[str, ...]:
        """Languages that a target has results in, whatever its evaluation or supervision."""
        regime = self.supervised().get(target)
        return regime.tested if regime is not None else self.languages_of(base_target(target))

    def other_evaluations(self) -> dict[str, Also]:
        """Name of a target under another evaluation -> that evaluation, for all targets of the recipe."""
        return {also.target(task): also for task in self.target_tasks for also in self.also_of(task)}

    def multi_tasks(self) -> tuple[str, ...]:
        """The tasks of intermediate `multi`, or nothing if the recipe does not use it."""
        if not any(split_arm(name).base == MULTI for name in self.intermediate_tasks):
            return ()
        return self.multi.tasks or self.single_intermediates()

    def with_tokens(self, tokens: Mapping[str, int], dtype: str | None = None) -> Recipe:
        """The recipe with a measured token budget for each size, and the number format used to reach it.

        Raises:
            ValueError: a size of the series is missing.
        """
        if self.pretrain is None:
            raise ValueError("the recipe pretrains nothing")
        values = self.pretrain.model_dump(by_alias=True)
        if self.pretrain.tokens == "auto":
            values["tokens"] = {size: tokens[size] for size in self.pretrain.series}
        if self.pretrain.dtype == "auto" and dtype is not None:
            values["dtype"] = dtype
        return self.model_copy(update={"pretrain": Pretrain.model_validate(values, context={})})
