"""Tasks that a recipe declares: what may be said of one, and the entry that it becomes.

An entry of ``tasks`` that says what format a task has declares it; any other entry sets options of a task of the
catalogue. What parts of a declaration contradict each other is found by `adapterxfer.recipe.own_task_checks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator

from adapterxfer.catalog.declared import declared_spec
from adapterxfer.catalog.task_specs import Format, TaskSpec
from adapterxfer.recipe.base import Section
from adapterxfer.recipe.fields import one_of_names, problem
from adapterxfer.recipe.task_options import TaskOptions

DataRole = Literal["train", "dev", "test"]
Said = Annotated[str, Field(min_length=1, max_length=1000)]
Label = Annotated[str, Field(min_length=1, max_length=200)]
FormatName = Annotated[str, one_of_names(lambda _: get_args(Format))]

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}\Z", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}\Z", re.ASCII)


def _repository(value: str) -> str:
    if not _REPOSITORY.match(value):
        raise problem("should be a data set of the Hub, as OWNER/NAME")
    return value


def _commit(value: str) -> str:
    if not _COMMIT.match(value):
        raise problem("should be all 40 digits of a commit: a branch could change under a finished study")
    return value


def _columns(value: dict[str, str]) -> dict[str, str]:
    # The reader joins several columns that are named with blanks between.
    if blank := next((column for column in value.values() if len(column.split()) != 1), None):
        raise problem(f"column '{blank}': a column's name has no blanks; rename it in the data set")
    return value


class DeclaredLanguage(Section):
    """What is known of a language that the catalogue does not have; what is not said is "unknown"."""

    name: Said | None = None
    family: Said | None = None
    tier: Literal["high", "mid", "low"] | None = None


class HubRole(Section):
    """Where one role of a task is on the Hub: a split of a configuration, at a commit.

    ``config`` may hold ``{lang}``. ``columns`` names the column of each field, ``labels`` the meaning of raw labels.
    ``language_column`` tells the languages of one configuration apart.
    """

    repository: Annotated[str, AfterValidator(_repository)]
    revision: Annotated[str, AfterValidator(_commit)]
    split: Said
    columns: Annotated[dict[str, Said], Field(min_length=1), AfterValidator(_columns)]
    config: Said | None = None
    labels: dict[str, Label] | Annotated[tuple[Label, ...], Field(min_length=1)] | None = None
    language_column: Said | None = None

    def facts(self) -> dict[str, Any]:
        """As plain values, in the form that `catalog.declared` reads; a list of labels is by number."""
        values = self.model_dump(mode="json", exclude_none=True)
        if isinstance(self.labels, tuple):
            values["labels"] = {str(number): label for number, label in enumerate(self.labels)}
        return values


class HubBlock(HubRole):
    """The same for all roles of a task, which are splits of one configuration."""

    split: Annotated[dict[DataRole, Said], Field(min_length=1)]  # type: ignore[assignment]

    def roles(self) -> dict[str, HubRole]:
        """Each role by itself."""
        shared = self.model_dump(exclude={"split"})
        return {role: HubRole.model_validate({**shared, "split": split}) for role, split in self.split.items()}


def _which_hub(value: Any) -> str:
    named = isinstance(value, Mapping) and value and set(value) <= set(get_args(DataRole))
    return "[roles]" if named or (isinstance(value, dict) and not value) else "[block]"


Hub = Annotated[
    Annotated[HubBlock, Tag("[block]")] | Annotated[dict[DataRole, HubRole], Tag("[roles]")],
    Discriminator(_which_hub),
]


class OwnTask(TaskOptions):
    """A task that the recipe declares; see docs/own-tasks.md.

    ``role`` is where it may stand, ``kind`` what kind of annotation it is, where it is that of other tasks. Texts of
    ``licence`` and ``citation`` are shown as they are. ``parallel`` says that equal ids, or equal rows, of its test set
    are the same item in every language.
    """

    format: FormatName
    role: Literal["intermediate", "target", "both"] = "target"
    labels: Annotated[tuple[Label, ...], Field(min_length=1)] | None = None
    metric: Said | None = None
    kind: Said | None = None
    licence: Said | None = None
    citation: Said | None = None
    language_facts: dict[str, DeclaredLanguage] = Field(default_factory=dict)
    parallel: bool = False
    hub: Hub | None = None

    @field_validator("labels")
    @classmethod
    def _differ_from_each_other(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for index, label in enumerate(value or ()):
            if label in (value or ())[:index]:
                raise problem(f"label '{label}' appears twice")
        return value

    def hub_roles(self) -> dict[str, HubRole]:
        """Role -> where it is on the Hub; empty where its data are files."""
        if self.hub is None:
            return {}
        return self.hub.roles() if isinstance(self.hub, HubBlock) else {str(role): at for role, at in self.hub.items()}

    def data_roles(self) -> tuple[str, ...]:
        """Roles whose data are described."""
        return tuple(self.hub_roles() or self.layout or {})

    def facts(self) -> dict[str, Any]:
        """The declaration as plain values, as `catalog.declared` reads it."""
        said = {
            "format": self.format,
            "role": self.role,
            "labels": list(self.labels or ()),
            "metric": self.metric,
            "kind": self.kind,
            "licence": self.licence,
            "citation": self.citation,
            "languages": list(self.languages or ()),
            "parallel": self.parallel,
            "layout": self.layout,
            "hub": {role: source.facts() for role, source in self.hub_roles().items()},
        }
        return {key: value for key, value in said.items() if value}

    def spec(self, name: str) -> TaskSpec:
        """The entry of the task, as the catalogue has one of each of its own."""
        return declared_spec(name, self.facts())


OWN_KEYS = frozenset(OwnTask.model_fields) - frozenset(TaskOptions.model_fields)
"""Keys that only a declaration has."""


def declares(value: Any) -> bool:
    """Whether an entry of ``tasks`` declares a task."""
    return isinstance(value, OwnTask) or (isinstance(value, Mapping) and not OWN_KEYS.isdisjoint(value))


TaskEntry = Annotated[
    Annotated[OwnTask, Tag("[own]")] | Annotated[TaskOptions, Tag("[options]")],
    Discriminator(lambda value: "[own]" if declares(value) else "[options]"),
]
"""An entry of ``tasks``."""


def declared_names(entries: Any) -> dict[str, str]:
    """Names that a document declares, each with its role, whatever else is wrong with it."""
    if not isinstance(entries, Mapping):
        return {}
    return {
        name: str(value.get("role", "target"))
        for name, value in entries.items()
        if isinstance(name, str) and isinstance(value, Mapping) and declares(value)
    }
