from __future__ import annotations

import re
from pathlib import Path

from adapterxfer import statistics as st

PAGE = Path(__file__).parents[3] / "docs" / "statistics.md"


def test_the_example_of_the_page_runs(capsys) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(compile(code, str(PAGE), "exec"), {})
    printed = capsys.readouterr().out
    assert "marginal gain: -" in printed
    assert "3 training runs per system" in printed


def test_every_public_function_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    functions = [name for name in st.__all__ if name[0].islower()]
    assert [name for name in functions if not re.search(rf"\b{name}\b", text)] == []
