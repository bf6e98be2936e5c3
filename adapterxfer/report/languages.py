"""Family and resource tier of the languages in some results: given by the report stage, else from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adapterxfer.catalog.languages import known_languages, world_languages
from adapterxfer.report.cells import Language

UNKNOWN = "unknown"


def describe_languages(codes: Iterable[str], given: Mapping[str, Mapping[str, Any]]) -> dict[str, Language]:
    """Facts about every code.

    Args:
        codes: language codes that occur in predictions.
        given: code -> ``{name, family, resource}``; wins over the catalogue. Codes that neither knows become a
            language of the family "unknown".
    """
    wanted = list(dict.fromkeys(codes))
    world = world_languages()
    synthetic = any(code in world and code not in known_languages() for code in wanted)
    catalogue = world if synthetic else known_languages()
    described = {}
    for code in wanted:
        if code in given:
            entry = given[code]
            described[code] = Language(
                code=code,
                name=str(entry.get("name", code)),
                family=str(entry.get("family", UNKNOWN)),
                resource=str(entry.get("resource", UNKNOWN)),
            )
        elif code in catalogue:
            known = catalogue[code]
            described[code] = Language(code=code, name=known.name, family=known.family, resource=known.resource)
        else:
            described[code] = Language(code=code, name=code, family=UNKNOWN, resource=UNKNOWN)
    return described
