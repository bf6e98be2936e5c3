"""The tiers of languages that follow from what a recipe calls low-resource, and why it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from adapterxfer.catalog.backbones import backbones
from adapterxfer.catalog.pretraining import PRETRAINING, low_resource, undecided, undefined
from adapterxfer.catalog.records import Language
from adapterxfer.recipe.recipe import Recipe


def tiered(recipe: Recipe, table: Mapping[str, Language]) -> dict[str, Language]:
    """Languages in the tiers that the recipe declares; as they are where it declares none."""
    option = recipe.low_resource
    if option is None or option.by == "joshi":
        return dict(table)
    series = option.series or _series(recipe)[0]
    low = set(low_resource(option.by, gib=option.gib, tokens=option.tokens, series=series))
    unknown = set(undecided(option.by, series))
    return {
        code: replace(language, resource="low" if code in low else "unknown" if code in unknown else "high")
        for code, language in table.items()
    }


def tier_text(recipe: Recipe) -> str:
    """What the tier ``low`` means in a recipe and where its figures are from, for the report; empty for the usual."""
    option = recipe.low_resource
    if option is None or recipe.synthetic or recipe.world:
        return ""
    if option.by == "joshi":
        return "Low-resource are classes 0 to 2 of Joshi et al. 2020."
    corpus = PRETRAINING[option.series or _series(recipe)[0]]
    amount = {
        "gib": f"less than {option.gib:g} GiB",
        "tokens": f"fewer than {option.tokens:,.0f} tokens",
        "unseen": "no text",
    }[option.by]
    return f"Low-resource are languages with {amount} in the pretraining text {corpus.name} (source: {corpus.source})."


def tier_problems(recipe: Recipe) -> list[tuple[tuple[str, ...], str]]:
    """Why the declared definition cannot be used for this recipe."""
    option = recipe.low_resource
    if option is None or option.by == "joshi" or recipe.world:  # stand-ins are in the languages of the world
        return []
    if recipe.synthetic:
        return [(("low_resource",), "the languages of the world have tiers of their own; leave it out")]
    series_names = [option.series] if option.series else _series(recipe)
    if not series_names:
        return [(("low_resource",), f"name a series whose pretraining text is meant: {', '.join(PRETRAINING)}")]
    reasons = [reason for series in series_names if (reason := undefined(option.by, series))]
    if reasons:
        return [(("low_resource", "by"), f"{reasons[0]}; name a series that has figures, or use 'joshi'")]
    if len({PRETRAINING[series].name for series in series_names}) > 1:
        names = ", ".join(series_names)
        return [(("low_resource",), f"the backbones ({names}) saw different pretraining text; name one series")]
    return []


def _series(recipe: Recipe) -> list[str]:
    """Series of the recipe's backbones whose pretraining text has a name."""
    known = backbones()
    named = (known[name].series for name in recipe.backbones if name in known)
    return list(dict.fromkeys(series for series in named if series in PRETRAINING))
