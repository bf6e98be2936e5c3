"""A metric added as CONTRIBUTING.md says: one entry of the table, and a task that names it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from contributing import arguments, blocks, section

from adapterxfer.catalog import task_specs
from adapterxfer.errors import DataError
from adapterxfer.metrics import METRICS, Metric, count_predictions, get_metric, is_metric, registry
from adapterxfer.world.task_list import TASKS as WORLD_TASKS

TITLE = "Add a metric"


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Metric:
    (block,) = blocks(TITLE)
    metric = Metric(**arguments(block, **vars(registry)))
    monkeypatch.setitem(METRICS, metric.name, metric)
    return metric


def test_it_counts_and_scores(added: Metric) -> None:
    metric = get_metric(added.name, format_name="tagging")
    counts = count_predictions(metric, ["O B-PER", "O O", "O"], ["O B-PER", "O B-PER", "O"])
    assert counts.tolist() == [[1, 1], [0, 1], [1, 1]]
    assert metric.score(counts.sum(axis=0)) == pytest.approx(100 * 2 / 3)
    assert np.isnan(metric.score(np.zeros(2)))


def test_the_page_names_the_fields_of_a_task() -> None:
    ((metric, protocol),) = re.findall(r'`metric="(\w+)", protocol="([^"]+)"`', section(TITLE))
    assert f'name="{metric}"' in blocks(TITLE)[0]
    assert {"metric", "protocol"} <= set(task_specs()["udpos"].__dataclass_fields__)
    assert protocol


def test_no_task_names_a_metric_that_does_not_exist() -> None:
    specs = task_specs().values()
    named = {spec.metric for spec in specs} | {p.metric for spec in specs for p in spec.protocols.values()}
    named |= {task.metric for task in WORLD_TASKS.values()}
    assert [name for name in named if not is_metric(name)] == []
    with pytest.raises(DataError, match="metric 'no_such' does not exist"):
        get_metric("no_such", format_name="tagging")
