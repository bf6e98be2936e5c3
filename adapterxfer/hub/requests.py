"""Calls to the Hub: tried again where that can help, and every failure in words that say what to do. Torch-free."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from adapterxfer.backbones.snapshots import TRANSPORTS, is_offline, quiet_progress
from adapterxfer.backbones.xet import AROUND, shorten_waits, xet_failure
from adapterxfer.errors import HubError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")
Sleep = Callable[[float], None]

ATTEMPTS = 4
"""Tries of one request, after waits of 1, 2 and 4 seconds: enough for a hiccup, soon over where the Hub is down."""

LONGEST_WAIT_S = 120.0
"""A rate limit that asks for more is an error that says so; a command that sleeps longer looks like one that hangs."""


def hub_api() -> HfApi:
    """The client, at ``HF_ENDPOINT`` as it is now (the library itself reads it once, when it is imported)."""
    from huggingface_hub import HfApi

    quiet_progress()
    shorten_waits()
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, library_name="adapterxfer")


def call(action_name: str, where: str, action: Callable[[], T], *, sleep: Sleep = time.sleep) -> T:
    """Run one request or transfer.

    Rate limits are waited for as long as the server asks, up to two minutes; server errors and broken connections are
    tried again after 1, 2 and 4 seconds. Nothing is sent twice that way: uploads go by content.

    Args:
        action_name: the action in words, e.g. ``push``.
        where: the repository.

    Raises:
        HubError: it failed for good.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return action()
        except Exception as error:
            wait = _wait_s(error, attempt)
            if wait is None or attempt == ATTEMPTS:
                raise explain(action_name, where, error) from error
            sleep(wait)
    raise AssertionError("unreachable")


def _wait_s(error: Exception, attempt: int) -> float | None:
    """Seconds after which another try makes sense; None where it does not."""
    if is_offline(error) or xet_failure(error) is not None:
        return None  # `hf_xet` has tried often enough itself
    status = _status(error)
    if status == 429:
        retry_after = _header(error, "Retry-After")
        wait = float(retry_after) if retry_after and retry_after.replace(".", "", 1).isdigit() else 2.0**attempt
        return wait if wait <= LONGEST_WAIT_S else None
    if status is not None:
        return 2.0 ** (attempt - 1) if status >= 500 else None
    return 2.0 ** (attempt - 1) if _is_connection(error) else None


def explain(action_name: str, where: str, error: Exception) -> HubError:
    """The error of the library in words of this package."""
    status, name = _status(error), type(error).__name__
    start = f"{action_name} {where}"
    again = "run the same command again: what was transferred is kept"
    if is_offline(error):
        return HubError(
            f"{start}: the Hub is not asked, because HF_HUB_OFFLINE is set",
            fix="unset HF_HUB_OFFLINE, or fetch what is missing where it is not set",
        )
    if (storage := xet_failure(error)) is not None:
        fix = "use a token with access to this repository" if storage.is_refusal else f"{again}; or {AROUND}"
        return HubError(f"{start}: {storage.reason}", fix=fix)
    if name == "LocalEntryNotFoundError" or _is_connection(error):
        return HubError(f"{start}: the Hub cannot be reached ({_broken(error)})", fix=f"check the network; {again}")
    match status:
        case 401:
            if name == "RepositoryNotFoundError":
                return HubError(
                    f"{start}: no such repository, or it is private and you are not logged in",
                    fix="check the name, and log in with `hf auth login`",
                )
            return HubError(f"{start}: the Hub does not accept your token", fix="log in with `hf auth login`")
        case 403:
            return HubError(
                f"{start}: your token may not do this", fix="use a token with write access to this organisation"
            )
        case 404:
            missing = {"RevisionNotFoundError": "no such revision", "EntryNotFoundError": "no such file"}
            fix = "check the revision: a branch, a tag, or all 40 digits of a commit"
            fix = fix if name == "RevisionNotFoundError" else "check the name"
            return HubError(f"{start}: {missing.get(name, 'no such repository')}", fix=fix)
        case 409 | 412:
            return HubError(
                f"{start}: somebody else changed the repository meanwhile", fix="look at it, then push again"
            )
        case 429:
            retry_after = _header(error, "Retry-After")
            return HubError(
                f"{start}: too many requests{f'; the Hub asks to wait {retry_after} s' if retry_after else ''}",
                fix=f"wait, then {again}",
            )
        case int() if status >= 500:
            return HubError(f"{start}: the Hub failed (HTTP {status})", fix=again)
        case int():
            return HubError(f"{start}: refused (HTTP {status}): {_first_line(error)}", fix="see the message of the Hub")
    return HubError(f"{start}: {_first_line(error)}", fix=again)


def _is_connection(error: BaseException) -> bool:
    """Whether the connection broke or a download ended early, also where the library wrapped that in an own error."""
    seen: BaseException | None = error
    while seen is not None:
        root = type(seen).__module__.split(".")[0]
        if _status(seen) is None and (
            root in TRANSPORTS
            or isinstance(seen, (ConnectionError, TimeoutError))
            or (isinstance(seen, OSError) and "Consistency check failed" in str(seen))
        ):
            return True
        seen = seen.__cause__
    return False


def _broken(error: BaseException) -> str:
    """What broke a connection: ``huggingface.co: Connection refused``; libraries wrap it several times."""
    host = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co").netloc
    queue: list[Any] = [error]
    for seen in queue:  # grows while it is walked
        if isinstance(seen, OSError) and isinstance(seen.errno, int) and seen.strerror:
            return f"{host}: {seen.strerror}"
        inner = [seen.__cause__, getattr(seen, "reason", None), *seen.args, seen.__context__]
        queue += [cause for cause in inner if isinstance(cause, BaseException) and cause not in queue]
    return f"{host}: {_first_line(queue[-1])}"


def _response(error: BaseException) -> Any:
    """The answer behind an error, also where the library wrapped it in an own error, as for uploads."""
    seen: BaseException | None = error
    while seen is not None:
        response = getattr(seen, "response", None)
        if response is not None:
            return response
        seen = seen.__cause__
    return None


def _status(error: BaseException) -> int | None:
    status = getattr(_response(error), "status_code", None)
    return status if isinstance(status, int) else None


def _header(error: BaseException, name: str) -> str | None:
    headers: Any = getattr(_response(error), "headers", None) or {}
    value = headers.get(name)
    return None if value is None else str(value)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
