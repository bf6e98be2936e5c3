"""Two variants side by side on one target: what `adapterxfer compare` prints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from adapterxfer.errors import DataError
from adapterxfer.report.cells import NONE, parameter_text
from adapterxfer.report.estimation import answer
from adapterxfer.report.model import Effect, plain
from adapterxfer.report.questions import ZERO_SHOT, Question
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import Group, Study, build_study
from adapterxfer.statistics import Cell, System, macro, score


@dataclass(frozen=True, slots=True)
class Comparison:
    """Score of variant ``a`` minus score of variant ``b`` on one target, for every backbone and intermediate task.

    Attributes:
        rows: zero-shot differences, one per (backbone, intermediate); p-values are corrected over all of them.
        scores: for each row the zero-shot scores of ``a`` and ``b`` in points.
        languages: the same differences in every single language, corrected over all of these.
    """

    a: str
    b: str
    target: str
    level: float
    sizes: dict[str, int]
    rows: tuple[Effect, ...]
    scores: tuple[tuple[float, float], ...]
    languages: tuple[Effect, ...]

    def as_json(self) -> dict[str, Any]:
        """JSON values with stable names."""
        rows = [
            {**plain(row), "score_a": round(first, 6), "score_b": round(second, 6)}
            for row, (first, second) in zip(self.rows, self.scores, strict=True)
        ]
        return {
            "a": self.a,
            "b": self.b,
            "target": self.target,
            "level": self.level,
            "zero_shot": rows,
            "languages": [plain(row) for row in self.languages],
        }

    def as_text(self) -> str:
        """A table for a terminal, with what was resampled below it."""
        table = [["backbone", "size", "intermediate", self.a, self.b, "a - b", "interval", "p (Holm)", "verdict"]]
        for row, (first, second) in zip(self.rows, self.scores, strict=True):
            p = row.p_adjusted
            table.append(
                [
                    row.backbone,
                    parameter_text(self.sizes.get(row.backbone, 0)),
                    row.intermediate,
                    f"{first:.1f}",
                    f"{second:.1f}",
                    f"{row.estimate:+.1f}",
                    f"{row.low:+.1f} to {row.high:+.1f}",
                    "" if p is None else f"{p:.3f}",
                    row.verdict,
                ]
            )
        widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
        lines = [
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in table
        ]
        higher = [row.group for row in self.languages if row.verdict == "difference found" and row.estimate > 0]
        lower = [row.group for row in self.languages if row.verdict == "difference found" and row.estimate < 0]
        return "\n".join(
            [
                f"{self.target}: zero-shot score of {self.a} minus {self.b}, in points ({self.level:.0%} intervals)",
                "",
                *lines,
                "",
                f"single languages: {self.a} higher in {len(set(higher))}, lower in {len(set(lower))} "
                f"(any row, corrected over {len(self.languages)} comparisons)",
                f"resampled: {self.rows[0].resampled}",
            ]
        )


def compare(results: Results, *, a: str, b: str, target: str, settings: ReportSettings | None = None) -> Comparison:
    """Compare two variants on one target, paired by test item.

    Args:
        a, b: variants as the report names them: ``stack``, or ``stack lora/8`` where a study has several adapters.

    Raises:
        DataError: the target or a variant has no predictions, or no cell has both.
    """
    settings = settings or ReportSettings()
    results.target(target)
    study = build_study(results.select(target=target))
    labels = [arm.label for arm in study.arms]
    for name in (a, b):
        if name not in labels:
            raise DataError(
                f"compare: no predictions of variant '{name}' on target '{target}'",
                fix=f"variants with predictions: {', '.join(labels) or 'none'}",
            )
    pairs = list(_pairs(study, a, b, target))
    if not pairs:
        raise DataError(
            f"compare: '{a}' and '{b}' share no cell on target '{target}'",
            fix="run both with the same backbone and intermediate task; some variants coincide without target training",
        )
    groups = [group for group in study.groups[target] if group.kind in ("zero-shot", "language")]
    questions = [
        _question(first, second, (backbone, a, b, intermediate, target), group)
        for group in groups
        for backbone, intermediate, first, second in pairs
    ]
    effects = answer(study, questions, settings)
    zero_shot = next(group for group in groups if (group.kind, group.name) == ZERO_SHOT)
    return Comparison(
        a=a,
        b=b,
        target=target,
        level=settings.level,
        sizes={backbone.name: backbone.size for backbone in study.backbones},
        rows=tuple(effect for effect in effects if effect.group_kind == "zero-shot"),
        scores=tuple(
            (_mean(study, first, target, zero_shot), _mean(study, second, target, zero_shot))
            for _, _, first, second in pairs
        ),
        languages=tuple(effect for effect in effects if effect.group_kind == "language"),
    )


def _pairs(study: Study, a: str, b: str, target: str) -> Iterable[tuple[str, str, System, System]]:
    for backbone in study.backbones:
        for intermediate in (NONE, *study.intermediates):
            first = study.systems.get((backbone.name, a, intermediate, target))
            second = study.systems.get((backbone.name, b, intermediate, target))
            if first is not None and second is not None and first != second:
                yield backbone.name, intermediate, first, second


def _question(first: System, second: System, labels: tuple[str, str, str, str, str], group: Group) -> Question:
    backbone, a, b, intermediate, target = labels
    parts = [score(first, target, code) - score(second, target, code) for code in group.languages]
    return Question(
        contrast=macro(parts),
        kind="variant difference",
        hypotheses="comparison" if group.kind == "zero-shot" else "comparison, single languages",
        backbone=backbone,
        variant=a,
        against=b,
        intermediate=intermediate,
        target=target,
        group_kind=group.kind,
        group=group.name,
    )


def _mean(study: Study, system: System, target: str, group: Group) -> float:
    values = [study.table.score(Cell(system, target, code)) for code in group.languages]
    return sum(values) / len(values)
