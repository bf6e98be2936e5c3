"""LAReQA: the right answers of all languages are asked for, in one pool."""

from __future__ import annotations

from pool_files import prepare

from adapterxfer.data.examples import SearchExample
from adapterxfer.data.storage import read_task


def test_lareqa_asks_for_the_answer_in_all_languages(tmp_path):
    task = read_task(prepare("lareqa", tmp_path))
    (first, second) = task.split("test", "de")
    assert isinstance(first, SearchExample)
    assert first.relevant == ("de-0-0-0", "el-0-0-0")
    assert second.relevant == ("de-0-0-1", "el-0-0-1")
    candidate = task.split("test-pool", "el")[1]
    assert candidate.text == "anna ran.tom saw el. anna ran."
    assert task.split("train", "en")[0].translation.startswith("tom saw the tom again.tom saw the tom again. Anna")


def test_fewer_questions_leave_the_pool_whole(tmp_path):
    task = read_task(prepare("lareqa", tmp_path, test_examples=1))
    assert {code: len(task.split("test", code)) for code in ("de", "el")} == {"de": 1, "el": 1}
    assert sum(len(task.split("test-pool", code)) for code in ("de", "el")) == 4
    assert len(task.split("test", "de")[0].relevant) == 2
