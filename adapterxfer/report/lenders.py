"""Which numbers of a study are of one kind with a gain, so that they can lend it their variance over training runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from adapterxfer.catalog.supervision import supervision_of
from adapterxfer.report.display import NONE
from adapterxfer.report.study import Study
from adapterxfer.statistics import Contrast, Lenders, ScoreCell, System, lenders

Place = tuple[str, str, str]
"""(intermediate, target, language)."""

Weights = dict[Place, float]
"""Weights of a gain, their absolute values adding up to 1."""

NO_LENDERS = Lenders({}, 0.0, 0)

_CLOSE = 1e-9
"""Weights that differ by less are equal up to rounding; the smallest real ones are about 1e-4."""


class LendersOfGains:
    """Lenders of gains, each kind looked up once.

    Of one kind are gains with the same weights on tasks and languages, of every variant and on every backbone. What is
    about a single intermediate task borrows from all of them, what is about a single target from all targets: with the
    same languages, or with all zero-shot languages where it averages over these.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self._known: dict[tuple[object, ...], Lenders] = {}
        self._pairs: dict[tuple[str, str], dict[tuple[str, str], tuple[System, System]]] = {}
        self._treated: dict[tuple[System, str], list[tuple[str, str, str]]] = {}
        for arm in study.arms:
            for (backbone, label, intermediate, target), system in study.systems.items():
                if label != arm.label or intermediate == NONE or (intermediate, target) in study.overlaps:
                    continue
                baseline = study.baseline(backbone, arm, target)
                if baseline is not None:
                    self._pairs.setdefault((backbone, label), {})[intermediate, target] = system, baseline
                    self._treated.setdefault((system, target), []).append((backbone, label, intermediate))

    def of(self, contrast: Contrast) -> Lenders:
        """Gains that lend a contrast their run variance; none unless the contrast is a gain of one variant."""
        weights = self._weights(contrast)
        if weights is None:
            return NO_LENDERS
        single = len({intermediate for intermediate, _, _ in weights}) == 1
        kind = frozenset(("" if single else cell[0], *cell[1:], round(w, 9)) for cell, w in weights.items())
        if (contrast.scale, kind) not in self._known:
            contrasts = (Contrast(terms, scale=contrast.scale) for terms in self._same_kind(weights))
            self._known[contrast.scale, kind] = lenders(self.study.table, contrasts)
        return self._known[contrast.scale, kind]

    def _weights(self, contrast: Contrast) -> Weights | None:
        """What all backbones of a contrast agree on, if it is made of gains of one variant."""
        by_backbone: dict[str, Weights] = {}
        labels: set[frozenset[str]] = set()
        for cell, weight in contrast.terms.items():
            gains = self._treated.get((cell.system, cell.target), [])
            if gains:
                backbone, _, intermediate = gains[0]
                by_backbone.setdefault(backbone, {})[intermediate, cell.target, cell.language] = weight
                labels.add(frozenset(label for _, label, _ in gains))
        common = frozenset.intersection(*labels) if labels else frozenset()
        if not common:
            return None
        remade: dict[ScoreCell, float] = {}
        for backbone, weights in by_backbone.items():
            terms = self._terms(backbone, min(common), weights)
            for cell, weight in (terms or {}).items():
                remade[cell] = remade.get(cell, 0.0) + weight
        if not _equal(remade, contrast.terms):
            return None
        shapes = [_normalised(weights) for weights in by_backbone.values()]
        return shapes[0] if all(_equal(shape, shapes[0]) for shape in shapes) else None

    def _terms(self, backbone: str, label: str, weights: Weights) -> dict[ScoreCell, float] | None:
        """The gain with these weights of one variant on one backbone; None where a score is missing."""
        pairs = self._pairs.get((backbone, label), {})
        terms: dict[ScoreCell, float] = {}
        for (intermediate, target, language), weight in weights.items():
            for system, sign in zip(pairs.get((intermediate, target), ()), (1.0, -1.0), strict=False):
                cell = ScoreCell(system, target, language)
                if cell not in self.study.table.cells:
                    return None
                terms[cell] = terms.get(cell, 0.0) + sign * weight
            if (intermediate, target) not in pairs:
                return None
        return terms

    def _same_kind(self, weights: Weights) -> Iterator[dict[ScoreCell, float]]:
        """Terms of every gain of the same kind, each once."""
        seen: set[frozenset[ScoreCell]] = set()
        for (backbone, label), shape in product(self._pairs, list(self._stand_ins(weights))):
            terms = self._terms(backbone, label, shape)
            if terms and frozenset(terms) not in seen:
                seen.add(frozenset(terms))
                yield terms

    def _stand_ins(self, weights: Weights) -> Iterator[Weights]:
        """The same weights with other tasks in the place of a single intermediate task and of a single target."""
        intermediates, targets = ({cell[axis] for cell in weights} for axis in (0, 1))
        for target in self._alike(min(targets)) if len(targets) == 1 else ("",):
            moved = self._on_target(weights, target) if target else weights
            for intermediate in self.study.intermediates if len(intermediates) == 1 and moved else ():
                yield {(intermediate, *cell[1:]): weight for cell, weight in moved.items()}
            if len(intermediates) > 1 and moved:
                yield moved

    def _alike(self, target: str) -> tuple[str, ...]:
        """Targets that a single one may borrow from: with draws of examples runs vary otherwise than without."""
        label = supervision_of(target)
        return (
            tuple(name for name in self.study.secondary if supervision_of(name) == label)
            if label
            else self.study.targets
        )

    def _on_target(self, weights: Weights, target: str) -> Weights:
        """Weights on a single target moved to another one; empty where its languages do not allow it."""
        former = next(iter(weights))[1]
        codes = {language for _, _, language in weights}
        if codes <= self._zero_shot(target) or target == former:
            return {(i, target, language): weight for (i, _, language), weight in weights.items()}
        if codes != self._zero_shot(former) or len({round(weight, 9) for weight in weights.values()}) > 1:
            return {}
        tasks, new = {i for i, _, _ in weights}, self._zero_shot(target)
        return {(i, target, language): 1.0 / (len(tasks) * len(new)) for i in tasks for language in new}

    def _zero_shot(self, target: str) -> set[str]:
        groups = self.study.groups.get(target, ())
        return {code for group in groups if group.kind in ("zero-shot", "target") for code in group.languages}


def _normalised(weights: Weights) -> Weights:
    """Absolute weights that add up to 1, the first place positive: a slope weighs small backbones negatively."""
    size = sum(abs(weight) for weight in weights.values())
    sign = 1.0 if weights[min(weights)] > 0.0 else -1.0
    return {cell: sign * weight / size for cell, weight in weights.items()}


def _equal(first: Mapping[Any, float], second: Mapping[Any, float]) -> bool:
    return first.keys() == second.keys() and all(abs(first[key] - second[key]) < _CLOSE for key in first)
