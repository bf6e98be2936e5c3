"""Names in the catalogue that prediction must be able to serve."""

import pytest

from adapterxfer.catalog import CONTROLS as DECLARED
from adapterxfer.catalog import tasks
from adapterxfer.formats.registry import FORMATS
from adapterxfer.metrics import is_metric
from adapterxfer.predict.controls import CONTROLS, EMBEDDING_LAYER


@pytest.mark.parametrize("task", tasks().values(), ids=lambda task: task.name)
def test_every_available_task_has_a_format_and_a_metric(task):
    assert task.format in FORMATS
    assert is_metric(task.metric)


def test_every_declared_control_exists_for_its_formats():
    for name, control in DECLARED.items():
        if name == EMBEDDING_LAYER:
            assert (control.formats, control.needs) == (("retrieval",), "backbone")
            continue
        assert set(control.formats) <= set(CONTROLS[name].formats)
        assert control.needs == "none"
