"""Family and resource tier of the languages in some results: given by the report stage, else from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adapterxfer.catalog.languages import known_languages, world_languages
from adapterxfer.report.display import LanguageFacts

UNKNOWN = "unknown"


def describe_languages(codes: Iterable[str], own_facts: Mapping[str, Mapping[str, Any]]) -> dict[str, LanguageFacts]:
    """Facts about every code.

    Args:
        codes: language codes that occur in predictions.
        own_facts: code -> ``{name, family, resource}``; wins over the catalogue. Codes that neither knows become a
            language of the family "unknown".
    """
    ordered = list(dict.fromkeys(codes))
    world = world_languages()
    synthetic = any(code in world and code not in known_languages() for code in ordered)
    catalogue = known_languages() | world if synthetic else known_languages()
    described = {}
    for code in ordered:
        if code in own_facts:
            facts = own_facts[code]
            described[code] = LanguageFacts(
                code=code,
                name=str(facts.get("name", code)),
                family=str(facts.get("family", UNKNOWN)),
                resource=str(facts.get("resource", UNKNOWN)),
            )
        elif code in catalogue:
            known = catalogue[code]
            described[code] = LanguageFacts(code=code, name=known.name, family=known.family, resource=known.resource)
        else:
            described[code] = LanguageFacts(code=code, name=code, family=UNKNOWN, resource=UNKNOWN)
    return described
