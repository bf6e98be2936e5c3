"""Functions that the catalogue names as ``module:function``, imported when they are used."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from adapterxfer.catalog import DataSet
from adapterxfer.data.examples import Example
from adapterxfer.data.repeats import as_sampled
from adapterxfer.errors import CatalogueError

Reader = Callable[[Sequence[Path], str, Counter[str]], list[Example]]
"""Files of one split and language, the language, and counts that are added to -> examples."""


@cache
def load_function(name: str) -> Any:
    """The function behind ``module:function``.

    Raises:
        CatalogueError: there is no such module or function.
    """
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise CatalogueError(f"no function '{name}' ({error})", fix="correct the entry in the catalogue") from None


def reader_of(data: DataSet, split: str) -> Reader:
    """The reader of the files of one split; its clusters are as they were sampled."""
    reader: Reader = load_function(data.reader_of(split))
    return as_sampled(reader)
