"""Errors on their way between processes: JSON instead of pickle, with type, text and fix line kept."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from adapterxfer import errors
from adapterxfer.engines.faults import fix_for
from adapterxfer.errors import AdapterxferError, StageError
from adapterxfer.store.redaction import redact


def error_as_json(error: BaseException) -> dict[str, str]:
    """Type name, text, fix line and traceback of an error."""
    ours = isinstance(error, AdapterxferError)
    return {
        "error": type(error).__name__,
        "what": redact(error.what if isinstance(error, AdapterxferError) else (str(error) or repr(error))),
        "fix": error.fix if isinstance(error, AdapterxferError) else fix_for(error),
        # Errors raised on purpose explain themselves; a traceback helps with all others and under --debug.
        "traceback": redact("".join(traceback.format_exception(error, limit=-2 if ours else None))),
    }


def error_from_json(value: Mapping[str, str]) -> AdapterxferError:
    """The error again: of its own type where it is one of ours, otherwise a StageError that names the type."""
    kind = getattr(errors, value["error"], None)
    if isinstance(kind, type) and issubclass(kind, AdapterxferError):
        error = kind.__new__(kind)
        AdapterxferError.__init__(error, value["what"], fix=value["fix"])
        return error
    return StageError(f"{value['error']}: {value['what']}", fix=value["fix"])
