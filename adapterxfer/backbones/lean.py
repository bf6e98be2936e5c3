"""Less to import in a process that runs stages and nothing else.

`transformers` imports scikit-learn, and with it pandas and scipy, for assisted decoding and for losses of object
detection, as soon as any encoder is imported, and torch's compiler for masks of attention: two to three seconds and
200 MB in every worker. A worker needs none of it; encoders with BERT's layers come without the library's (`plain`).
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

UNNEEDED = ("is_sklearn_available", "is_scipy_available")
"""Questions of `transformers` that a lean process answers with no."""

MODELS = "transformers.models"
"""Package of the encoders, whose modules are found by their names as well."""

_lean = False


def be_lean() -> None:
    """From now on, this process imports encoders without what only other models need.

    Never called where a user's own code runs: other parts of `transformers` would miss what they import.
    """
    global _lean
    _lean = True


def is_lean() -> bool:
    """Whether this process runs stages and nothing else."""
    return _lean


def leave_out_unneeded() -> None:
    """Before an encoder is imported: let `transformers` take those libraries as absent, if the process is lean."""
    if not _lean:
        return
    import transformers
    from transformers import utils
    from transformers.utils import import_utils

    if MODELS not in sys.modules:  # its own code reads all 1,100 folders, to say which names they have
        models = sys.modules[MODELS] = ModuleType(MODELS)
        models.__path__ = [str(Path(str(transformers.__file__)).with_name("models"))]

    for module in (utils, import_utils):
        for question in UNNEEDED:
            if hasattr(module, question):
                setattr(module, question, _no)


@contextmanager
def without_shards() -> Iterator[None]:
    """While `transformers` is imported by a lean process, whose trainings run alone: its version 4 imports what shares
    tensors out among processes, a second of work, wherever torch can do so.
    """
    import torch.distributed as distributed

    available = distributed.is_available
    if _lean and "transformers" not in sys.modules and not distributed.is_initialized():
        setattr(distributed, "is_available", _no)  # noqa: B010 - a function of a module
    try:
        yield
    finally:
        setattr(distributed, "is_available", available)  # noqa: B010


@contextmanager
def without_collections() -> Iterator[None]:
    """While libraries are imported: they make a million objects that stay, and every search for garbage among them
    takes longer. Afterwards a lean process no longer looks at them.
    """
    if not _lean or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def keep_compiler_out(optimiser: type[Any]) -> None:
    """In a lean process, let a torch optimiser be made without importing the compiler, only to hide it from that."""
    plain = getattr(optimiser.add_param_group, "__wrapped__", None)
    if _lean and plain is not None:
        vars(plain).setdefault("__dynamo_disable", plain)


def plain_step(optimiser: Any) -> None:
    """The step of a torch optimiser, without what tells the compiler about it, and imports it for that."""
    step = type(optimiser).step
    while (inner := getattr(step, "__wrapped__", None)) is not None:
        step = inner
    step(optimiser)


def _no(*_: object) -> bool:
    return False
