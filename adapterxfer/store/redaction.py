"""Secrets stay out of everything that is written: logs, records, failures."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "[secret]"

SECRET_NAMES = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|CREDENTIAL", re.IGNORECASE)
"""Environment variables whose values must never be written; TOKENIZERS_PARALLELISM and its like are not meant."""

SHORTEST = 8
"""Shorter values, such as ``true``, would hide ordinary words."""

TOKEN_FORMS = (
    r"\bhf_[A-Za-z0-9]{16,}",  # Hugging Face
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",  # GitHub
    r"\bsk-(?=[\w-]*[0-9])(?=[\w-]*[A-Z])[A-Za-z0-9_-]{20,}",  # services that sell model calls; `sk` alone is Slovak
    r"\bAKIA[0-9A-Z]{16}\b",  # AWS
)
"""What access tokens look like. Shorter than any that is given out, so that one cut by a line length is hidden too."""

_TOKENS = re.compile("|".join(TOKEN_FORMS))
_IN_TEXT = re.compile(
    "|".join([*TOKEN_FORMS, r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)", r"(?i:(?<=bearer )[A-Za-z0-9._~+/=-]{16,})"])
)
"""Tokens, and what a URL or a header gives away: ``https://user:password@host``, ``Bearer ...``."""


def holds_token(text: str) -> bool:
    """Whether something in the text looks like an access token."""
    return _TOKENS.search(text) is not None


def redact(text: str) -> str:
    """The text with every known secret replaced by ``[secret]``."""
    for value in _secret_values():
        if value in text:
            text = text.replace(value, HIDDEN)
    return _IN_TEXT.sub(HIDDEN, text)


def redact_json(value: Any) -> Any:
    """A JSON value with all texts in it redacted; keys of objects stay."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: redact_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact_json(inner) for inner in value]
    return value


def redacted_line(line: Mapping[str, Any]) -> str:
    """One line of a log."""
    return json.dumps(redact_json(dict(line)), ensure_ascii=False)


def _secret_values() -> list[str]:
    """Values of secret environment variables, longest first; read each time, since programs set them late."""
    values = {
        value
        for name, value in os.environ.items()
        if len(value) >= SHORTEST and SECRET_NAMES.search(name) and not name.startswith("TOKENIZERS_")
    }
    return sorted(values, key=len, reverse=True)
