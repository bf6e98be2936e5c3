"""What a reader of a report may choose; all of it is part of the report stage's identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapterxfer.recipe.hypotheses import Hypothesis, read_hypotheses


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """Title, resampling, margins and declared hypotheses of one report.

    Attributes:
        recipe: name of the recipe.
        recipe_file: what a command calls it; empty where no recipe was given.
        synthetic: the data are made up: every output says so first.
        resamples: bootstrap replicates; 10,000 give p-values a step of 1e-4.
        seed: of the resampling; every domain of every target draws from its own stream.
        level: of the intervals; verdicts use the same error rate.
        margin: points within which the general answers may call scores equivalent; never, when None.
        looks: numbers of seeds at which the recipe declared to judge the study; empty for once, at the end.
        earlier_looks: numbers of seeds with which the store says the study was judged before.
        hypotheses: declared by the recipe before the run.
        multiplicity: family of hypotheses -> how its p-values are adjusted.
        superseded: the caution of results that an earlier generation computed; empty for today's.
        tiers: what the tier of low-resource languages means, where the recipe says so.
        diagnostics: backbone -> what its pretraining reached, for backbones that are package data.
        quantized: backbone -> kind of its weights, for those in 8 or 4 bits.
    """

    title: str = ""
    recipe: str = ""
    recipe_file: str = ""
    synthetic: bool = False
    resamples: int = 10_000
    seed: int = 0
    level: float = 0.95
    margin: float | None = None
    looks: tuple[int, ...] = ()
    earlier_looks: tuple[int, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    multiplicity: Mapping[str, str] = field(default_factory=dict)
    superseded: str = ""
    tiers: str = ""
    diagnostics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    quantized: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_identity(cls, identity: Mapping[str, Any], labels: Mapping[str, Any] | None = None) -> ReportSettings:
        """Settings from the identity of a report stage (docs/design/contracts.md), and from its labels."""
        statistics = identity.get("statistics") or {}
        defaults = cls()
        recipe = str(identity.get("recipe", ""))
        return cls(
            title=str(identity.get("title") or recipe),
            recipe=recipe,
            recipe_file=str((labels or {}).get("recipe_file", "")),
            synthetic=bool(identity.get("synthetic", False)),
            resamples=int(statistics.get("resamples", defaults.resamples)),
            seed=int(statistics.get("seed", defaults.seed)),
            level=float(statistics.get("confidence", defaults.level)),
            margin=None if statistics.get("margin") is None else float(statistics["margin"]),
            looks=tuple(statistics.get("looks") or ()),
            hypotheses=read_hypotheses(statistics.get("hypotheses") or ()),
            multiplicity=dict(statistics.get("multiplicity") or {}),
            tiers=str((labels or {}).get("tiers", "")),
            diagnostics=dict(identity.get("diagnostics") or {}),
            quantized=dict((labels or {}).get("quantized") or {}),
        )
