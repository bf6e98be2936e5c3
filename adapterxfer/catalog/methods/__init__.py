"""Adapter methods: one `MethodSpec` each, which everything else reads. Torch-free.

To add one, write the module of a layer and one `MethodSpec` that names it, and `register` the latter: its sizes, its
cells in the table of capabilities, its answer to merging and fusing, its size row, its citation and its files in a
bundle follow.
"""

from __future__ import annotations

from collections.abc import Callable

from adapterxfer.catalog.methods.bottlenecks import SPECS as BOTTLENECKS
from adapterxfer.catalog.methods.engines import engine_method, is_engine_method
from adapterxfer.catalog.methods.low_rank import SPECS as LOW_RANK
from adapterxfer.catalog.methods.representations import SPECS as REPRESENTATIONS
from adapterxfer.catalog.methods.spec import AdaptersFiles, MethodSpec, PeftFiles


class Methods(dict[str, MethodSpec]):
    """Methods by name: those of this project, which a loop lists, and those of engines, which are looked up."""

    def __missing__(self, name: str) -> MethodSpec:
        return engine_method(name)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and is_engine_method(name))


METHODS = Methods({spec.name: spec for spec in (*BOTTLENECKS, *REPRESENTATIONS, *LOW_RANK)})
"""All methods by name."""

__all__ = [
    "METHODS",
    "AdaptersFiles",
    "MethodSpec",
    "PeftFiles",
    "language_methods",
    "names_of",
    "peft_words",
    "register",
]


def register(spec: MethodSpec) -> None:
    """Make a method known; recipes can name it from now on.

    Raises:
        ValueError: there is a method of this name already.
    """
    if spec.name in METHODS:
        raise ValueError(f"adapter method '{spec.name}' is registered already")
    METHODS[spec.name] = spec


def names_of(test: Callable[[MethodSpec], object]) -> tuple[str, ...]:
    """Names of the methods for which ``test`` holds, for messages and menus."""
    return tuple(spec.name for spec in METHODS.values() if test(spec))


def peft_words() -> tuple[str, ...]:
    """How names of adapter tensors begin in the files of `peft`, e.g. ``lora`` in ``lora_A.weight``."""
    files = (spec.peft for spec in METHODS.values() if spec.peft)
    return tuple(sorted({name.partition("_")[0] for each in files for name in each.tensors.values()}))


def language_methods() -> tuple[str, ...]:
    """Methods of languages' adapters; the default comes first."""
    return tuple(sorted(names_of(lambda spec: spec.language), key=lambda name: METHODS[name].language != "default"))
