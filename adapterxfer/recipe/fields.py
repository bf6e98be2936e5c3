"""Field types of the schema whose messages name what is allowed, with the closest known word."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from adapterxfer.catalog import CONTROLS, METHODS, PRETRAINING, VARIANTS, known_languages, task_names
from adapterxfer.catalog.arms import ARMS, arm_of
from adapterxfer.catalog.methods import language_methods
from adapterxfer.catalog.methods.engines import by_library_type, why_not
from adapterxfer.recipe.brought import name_hint
from adapterxfer.recipe.messages import one_of

MULTI = "multi"
NONE = "none"
POOL = "pool"

_NAME = re.compile(r"[a-z0-9][a-z0-9._+-]{0,63}\Z", re.ASCII)


def unknown(value: object, known: Sequence[str]) -> PydanticCustomError:
    """The error of a name that is not in the catalogue."""
    return PydanticCustomError("unknown_name", "{text}", {"text": one_of(value, known, hint=name_hint(value, known))})


def problem(text: str, *, key: bool = False) -> PydanticCustomError:
    """A schema error with a ready message; ``key`` places it at the key instead of the value."""
    return PydanticCustomError("recipe", "{text}", {"text": text, "key": key})


def one_of_names(known: Callable[[ValidationInfo], Sequence[str]]) -> AfterValidator:
    """A validator that accepts the names of ``known``, and suggests the nearest of them."""

    def check(value: str, info: ValidationInfo) -> str:
        names = known(info)
        if value not in names:
            raise unknown(value, names)
        return value

    return AfterValidator(check)


def _from_context(name: str) -> Callable[[ValidationInfo], Sequence[str]]:
    def known(info: ValidationInfo) -> Sequence[str]:
        names: Sequence[str] = (info.context or {}).get(name, ())
        return names

    return known


def _plain_name(value: str) -> str:
    if not _NAME.match(value):
        raise problem("should be a short name of lower-case letters, digits and . _ + -")
    return value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 10**15


def _tokens(value: Any) -> Any:
    """A number, ``auto``, or a number for each size."""
    if value == "auto":
        return value
    if _is_count(value):
        return value
    if isinstance(value, Mapping) and value and all(_is_count(n) for n in value.values()):
        return dict(value)
    raise problem("should be a number of tokens, 'auto', or a block {size: tokens}")


def _per_size(value: Any) -> Any:
    """A positive number, or one for each size."""
    values = value.values() if isinstance(value, Mapping) and value else (value,)
    if all(isinstance(n, int | float) and not isinstance(n, bool) and 0 < n < 1 for n in values):
        return dict(value) if isinstance(value, Mapping) else value
    raise problem("should be a number between 0 and 1, or a block {size: number}")


_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_PIN = re.compile(rf"hub:({_PART}/{_PART})@([0-9a-f]{{40}})\Z", re.ASCII)


class Pin(NamedTuple):
    """A repository of the Hub at one commit, whose content never changes."""

    repository: str
    commit: str


def parse_pin(text: str) -> Pin | None:
    """``hub:ORG/NAME@COMMIT``, or None where it is anything else."""
    match = _PIN.match(text)
    return None if match is None or ".." in text or "--" in match[1] else Pin(match[1], match[2])


def _pins(value: Any) -> Any:
    """A pinned place on the Hub, or one for each backbone."""
    places = value.values() if isinstance(value, Mapping) and value else (value,)
    for address in places:
        if not isinstance(address, str) or parse_pin(address) is None:
            raise problem(
                "should be hub:ORG/NAME@COMMIT with all 40 digits of the commit (a branch could change under a "
                "finished study), or a block {backbone: place}"
            )
    return dict(value) if isinstance(value, Mapping) else value


def _controls(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, tuple):
        for name in value:
            if not isinstance(name, str) or name not in CONTROLS:
                raise PydanticCustomError(
                    "unknown_name", "{text}", {"text": f"'{name}' {one_of(name, list(CONTROLS))}"}
                )
        return value
    raise problem("should be true, false or a list of controls")


def _oracle(value: Any, info: ValidationInfo) -> Any:
    if value is True:
        return value
    if isinstance(value, tuple) and value:
        names = _targets(info)
        for name in value:
            if not isinstance(name, str) or name not in names:
                raise PydanticCustomError("unknown_name", "{text}", {"text": f"'{name}' {one_of(name, names)}"})
        return value
    raise problem("should be true or a list of targets; leave it out where none is wanted")


def _as_tuple(value: Any) -> Any:
    return value if isinstance(value, tuple) else (value,)


def _declared(info: ValidationInfo, *roles: str) -> tuple[str, ...]:
    """Tasks that the recipe declares, in some roles; those whose role is wrong count in any, so that this is said."""
    named: Mapping[str, str] = (info.context or {}).get("declared", {})
    usual = ("intermediate", "target", "both")
    return tuple(name for name, role in named.items() if role in (*roles, "both") or role not in usual)


def _intermediates(info: ValidationInfo) -> tuple[str, ...]:
    return (*_declared(info, "intermediate"), *task_names("intermediate"))


def _targets(info: ValidationInfo) -> tuple[str, ...]:
    return (*_declared(info, "target"), *task_names("target"))


def _intermediate_names(info: ValidationInfo) -> tuple[str, ...]:
    plain = (MULTI, *_intermediates(info))
    return (NONE, *plain, POOL, *(arm_of(name, arm) for arm in ARMS for name in plain))


OneOrMany = BeforeValidator(_as_tuple)
"""Accepts a single value where a list is meant."""
ALL_LANGUAGES = "all"
"""In place of a list of languages: all that a task has, also those that a recipe without a list leaves out."""
PlainName = Annotated[str, AfterValidator(_plain_name)]
BackboneName = Annotated[str, one_of_names(_from_context("backbones"))]
IntermediateName = Annotated[str, one_of_names(_intermediate_names)]
SingleIntermediateName = Annotated[str, one_of_names(_intermediates)]
TargetName = Annotated[str, one_of_names(_targets)]
TaskName = Annotated[str, one_of_names(lambda info: (*_intermediates(info), *_targets(info)))]
VariantName = Annotated[str, one_of_names(lambda _: tuple(VARIANTS))]


def _method_name(value: str) -> str:
    if because := why_not(value):
        raise problem(because)
    if value not in METHODS:
        if not name_hint(value, tuple(METHODS)) and (written := by_library_type(value)):
            raise problem(f"'{value}' is a method of a library: write {written}")
        raise unknown(value, tuple(METHODS))
    return value


MethodName = Annotated[str, AfterValidator(_method_name)]
LanguageMethod = Annotated[str, one_of_names(lambda _: language_methods())]
SeriesName = Annotated[str, one_of_names(lambda _: tuple(PRETRAINING))]
LanguageCode = Annotated[str, one_of_names(lambda _: tuple(known_languages()))]
TokenCount = Annotated[Any, PlainValidator(_tokens)]
RatePerSize = Annotated[Any, PlainValidator(_per_size)]
Pins = Annotated[Any, PlainValidator(_pins)]
Controls = Annotated[Any, PlainValidator(_controls)]
Oracle = Annotated[Any, PlainValidator(_oracle)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]  # what every generator in use accepts, on every platform
Count = Annotated[int, Field(gt=0, le=10**9)]  # more is a slip of the pen: no step, batch or sentence count comes near
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
