"""How much scores with labelled data in the target language vary over draws of examples and over training runs."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping

from adapterxfer.catalog.supervision import supervision_of
from adapterxfer.report.display import Cell
from adapterxfer.report.draw_rows import DrawnRow
from adapterxfer.report.results import Results
from adapterxfer.statistics import draw_components


def drawn_rows(results: Results) -> Iterator[DrawnRow]:
    """One row for every system on every supervised target, in the order of the plan."""
    for target in results.targets:
        if not supervision_of(target):
            continue
        data = results.target(target)
        means: Mapping[str, float] = {
            predict: statistics.fmean(data.scores_by_language(predict).values()) for predict in data.counts
        }
        systems: dict[tuple[str, ...], dict[int, list[float]]] = {}
        first: dict[tuple[str, ...], Cell] = {}
        for cell in data.cells:
            systems.setdefault(cell.system, {}).setdefault(cell.seed, []).append(means[cell.predict])
            first.setdefault(cell.system, cell)
        for system, by_seed in systems.items():
            parts = draw_components(list(by_seed.values()))
            yield DrawnRow(
                **{**first[system].values(), "seed": 0},
                draw=parts.draw,
                run=parts.seed,
                mean=parts.mean,
                runs=parts.runs,
                draws=parts.draws,
            )
