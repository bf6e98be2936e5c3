"""Codes of ISO 639-3 for sets that write them for languages which XTREME-R writes in two letters."""

from __future__ import annotations

_LONGER = {
    "en": "eng", "fr": "fra", "gaz": "orm", "id": "ind", "jv": "jav", "pt": "por", "sw": "swa", "wo": "wol",
    "yo": "yor",
}  # fmt: skip
"""Oromo is West Central Oromo, as mteb takes it to be; sets that say ``orm`` name no variety."""


def iso3(languages: tuple[str, ...]) -> dict[str, str]:
    """Code of the study -> code of such a set."""
    return {code: _LONGER.get(code, code) for code in languages}
