"""Tasks of the field are scored as those who published them score them."""

from __future__ import annotations

import numpy as np
import pytest

from adapterxfer.catalog import tasks
from adapterxfer.metrics.lookup import get_metric


@pytest.mark.parametrize(
    ("task", "metric", "average"),
    [
        ("masakhanews", "weighted_f1", "weighted"),  # Adelani et al. 2023
        ("afrisenti", "weighted_f1", "weighted"),  # SemEval 2023, task 12
        ("nusax", "macro_f1", "macro"),  # Winata et al. 2023
    ],
)
def test_scores_are_those_of_the_papers(task: str, metric: str, average: str) -> None:
    scikit = pytest.importorskip("sklearn.metrics")
    entry = tasks()[task]
    assert entry.metric == metric
    ours = get_metric(entry.metric, format_name=entry.format, labels=entry.labels)
    generator = np.random.default_rng(7)
    gold, predicted = generator.choice(
        entry.labels, (2, 300), p=[0.6, 0.3, *[0.1 / (len(entry.labels) - 2)] * (len(entry.labels) - 2)]
    )
    counts = sum(np.asarray(ours.count(str(p), str(g)), dtype=float) for g, p in zip(gold, predicted, strict=True))
    assert float(ours.score(counts)) == pytest.approx(100 * scikit.f1_score(gold, predicted, average=average), abs=1e-9)
