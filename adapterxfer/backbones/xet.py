"""What the Hub's Xet storage says when a transfer through it fails: `hf_xet` has no status codes, only sentences.

Large files of the Hub go through it where `hf_xet` is installed, as it is with `huggingface_hub`. It tries each request
six times before it gives up.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

AROUND = "set HF_HUB_DISABLE_XET=1 to go around it"

RETRY_DELAY = ("HF_XET_CLIENT_RETRY_BASE_DELAY", "2s")
"""A setting of `hf_xet`, and the factor by which each of its five waits is longer than the one before: up to 62 s in
all. With its default of 3 s, version 1.8.0 said nothing for 275 s while a server answered 503."""

_BEGINNINGS = (
    "Task error: ", "Previous task error: ", "Authentication error: ", "Network error: ", "Rate limited: ",
    "Server error: ", "Timeout: ", "Not found: ", "Data integrity error: ", "I/O error: ", "Operation cancelled: ",
    "Internal error: ",
)  # fmt: skip
"""Kinds of its errors as it writes them. Their Python types are the builtin ones, and do not tell it from others."""

_STATUS = re.compile(r"HTTP status (?:client|server) error \((\d{3})")
_UNREACHED = re.compile(r"error sending request for url \((?:\w+://)?([^/)]+)")


@dataclass(frozen=True, slots=True)
class XetFailure:
    """A transfer that the storage did not carry out.

    Attributes:
        status: of its last answer; None where there was none, or where what it sent was damaged.
        reason: what happened, in a few words that name no file of it.
    """

    status: int | None
    reason: str

    @property
    def is_refusal(self) -> bool:
        """Whether it was asked without the right to."""
        return self.status in (401, 403)


def shorten_waits() -> None:
    """Let `hf_xet` give up sooner, unless the user has set how long it waits; it reads that at its first transfer."""
    os.environ.setdefault(*RETRY_DELAY)


def xet_failure(error: BaseException) -> XetFailure | None:
    """What `hf_xet` says in an error or in what caused it; None where it is not from there."""
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen)
        if type(seen).__module__ in ("builtins", "hf_xet") and text.startswith(_BEGINNINGS):
            return _read(text)
        seen = seen.__cause__
    return None


def _read(text: str) -> XetFailure:
    if match := _STATUS.search(text):
        status = int(match[1])
        words = {401: "refused the token", 403: "refused access", 404: "lacks a file of it"}
        return XetFailure(status, f"the Hub's Xet storage {words.get(status, 'failed')} (HTTP {status})")
    if match := _UNREACHED.search(text):
        return XetFailure(None, f"the Hub's Xet storage cannot be reached ({match[1]})")
    last = text.splitlines()[0].rsplit(": ", 1)[-1]
    return XetFailure(None, f"the Hub's Xet storage sent what cannot be used ({last[:120]})")
