"""What development data chose, which rates serve several sizes, and the trend with size at each common rate."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapterxfer.catalog import UNTRAINED
from adapterxfer.report.content import Caution, Effect
from adapterxfer.report.default_hypotheses import default_hypotheses
from adapterxfer.report.display import Cell
from adapterxfer.report.effects import answer_questions, rows_of
from adapterxfer.report.rate_rows import Chosen, CommonTrend
from adapterxfer.report.results import Results
from adapterxfer.report.rulings import Rulings
from adapterxfer.report.selection import Selector
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import build_study

CHOICE_FILE = "choice.json"
PAGE = "docs/learning-rates.md"
TREND = "default.trend"
"""Family of default hypotheses that asks for the trend of each variant."""

LISTED = 4
"""Most choices that a caution names."""


@dataclass(frozen=True, slots=True)
class RateFacts:
    """What a report knows of rates beside its scores.

    Attributes:
        chosen: every choice that is made.
        shared: rates that serve several backbones: ``{phase, variant, rate, backbones}``.
        studies: rates, and the finished results of the study with them.
        blocks: variant -> blocks of the recipe that its trainings take common rates from; None where nothing is known.
    """

    chosen: tuple[Chosen, ...] = ()
    shared: tuple[Mapping[str, Any], ...] = ()
    studies: tuple[tuple[dict[str, float], Results], ...] = field(default=(), repr=False)
    blocks: Mapping[str, Sequence[str]] | None = None


def read_rates(
    identity: Mapping[str, Any], labels: Mapping[str, Any], folders: Mapping[str, Path], source_language: str
) -> RateFacts:
    """What the report stage and its finished inputs say of rates.

    Args:
        identity, labels: of the report stage.
        folders: role -> folder of the inputs that are finished.
        source_language: of the study.

    Raises:
        DataError: predictions that do not fit together.
    """
    chosen: list[Chosen] = []
    for about in identity.get("choices", ()):
        folder = folders.get(about["role"])
        if folder is not None:
            record = json.loads((folder / CHOICE_FILE).read_text(encoding="utf-8"))
            chosen += _rows(record, {name: value for name, value in about.items() if name != "role"})
    studies = []
    for study in identity.get("common_rates", ()):
        results = Results.from_folders(
            [Cell.from_labels(cell) for cell in study["cells"]],
            folders,
            languages=identity.get("languages"),
            source_language=source_language,
        )
        if results.cells and results.complete:  # over some of the sizes alone, another trend
            studies.append((dict(study["rates"]), results))
    shared, blocks = tuple(labels.get("shared_rates", ())), labels.get("common_blocks")
    return RateFacts(chosen=tuple(chosen), shared=shared, studies=tuple(studies), blocks=blocks)


def _rows(record: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[Chosen]:
    for setting, grid in record["grid"].items():
        best = []
        for value in grid:
            tried = [row["dev_score"] for row in record["candidates"] if row["values"][setting] == value]
            best.append(max((score for score in tried if score is not None), default=None))
        yield Chosen(
            **about,
            setting=setting,
            grid=tuple(grid),
            value=record["chosen"][setting],
            scores=tuple(best),
            beyond=record["edge"].get(setting),
        )


def common_trends(facts: RateFacts, effects: Sequence[Effect], settings: ReportSettings) -> tuple[CommonTrend, ...]:
    """The trend of every variant with the chosen rates and with each common one, by variant.

    Variants whose trainings take no common rate are left out: they would stand there with one number again and again.
    """
    if not facts.studies:
        return ()

    def rates_of(effect: Effect, rates: Mapping[str, float]) -> dict[str, float]:
        named = set(rates) if facts.blocks is None else set(facts.blocks.get(effect.variant.partition(" ")[0], ()))
        return {block: rate for block, rate in rates.items() if block in named}

    every = facts.studies[0][0]
    rows = [_trend(effect, {}) for effect in effects if is_trend(effect) and rates_of(effect, every)]
    for rates, results in facts.studies:
        study = build_study(results)
        trends = [d for d in default_hypotheses(study, None) if d.hypothesis.family == TREND]
        answered = answer_questions(study, rows_of(Selector(study), trends), settings, Rulings())
        rows += [
            _trend(effect, used)
            for effect in answered.effects
            if is_trend(effect) and (used := rates_of(effect, rates))
        ]
    order = list(dict.fromkeys(row.variant for row in rows))
    return tuple(sorted(rows, key=lambda row: order.index(row.variant)))


def is_trend(effect: Effect) -> bool:
    """Whether this is the main trend of a variant: the mean zero-shot gain over size."""
    return effect.kind == "trend" and not (effect.intermediate or effect.pair_kind) and effect.group == "zero-shot"


def _trend(effect: Effect, rates: dict[str, float]) -> CommonTrend:
    return CommonTrend(variant=effect.variant, rates=rates, estimate=effect.estimate, low=effect.low, high=effect.high)


def rate_cautions(facts: RateFacts, effects: Sequence[Effect]) -> Iterator[Caution]:
    """Choices at the end of a grid, and one rate for several sizes where a trend with size is judged."""
    pretrained = [row for row in facts.chosen if not row.backbone.endswith(UNTRAINED)]
    ends = [row for row in pretrained if row.beyond is not None]
    if ends:
        of_which = " for pretrained backbones" if len(pretrained) < len(facts.chosen) else ""
        named = [f"{row.name}: {row.setting} {row.value:g} of {_grid(row)}, next {row.beyond:g}" for row in ends]
        more = f"; and {len(named) - LISTED} more" if len(named) > LISTED else ""
        yield Caution(
            "end of a grid",
            f"{len(ends)} of {len(pretrained)} choices{of_which} are at an end of their grid, so a value beyond it "
            f"may be better: {'; '.join(named[:LISTED])}{more}.",
        )
    if facts.shared and any(effect.kind == "trend" for effect in effects):
        named = [
            f"{row['variant']} {row['rate']:g} ({row['phase']}, {len(row['backbones'])} backbones)"
            for row in facts.shared
        ]
        more = f"; and {len(named) - LISTED} more" if len(named) > LISTED else ""
        yield Caution(
            "one learning rate for several sizes",
            "A trend with size may be the learning rate's, which fits one size better than another: "
            f"{'; '.join(named[:LISTED])}{more}. Choose it for each size: learning_rate: {{choose: [...], by: dev}}, "
            f"{PAGE}.",
        )


def _grid(row: Chosen) -> str:
    return ", ".join(f"{value:g}" for value in row.grid)
