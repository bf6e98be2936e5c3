"""Random recipes and command lines: an answer and a documented exit code, never a traceback.

``ADAPTERXFER_FUZZ=20000`` sets the number of examples of all tests together; the default takes a few seconds.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adapterxfer.cli.main import main

EXAMPLES = int(os.environ.get("ADAPTERXFER_FUZZ", "120"))
RECIPES = Path(__file__).parents[3] / "recipes"
DOCUMENTED = {0, 1, 2, 3}
LIMIT_S = 60.0


def fuzz(share: float) -> settings:
    """This part of all examples; the small default is the same every time, a long run is not."""
    return settings(
        max_examples=max(1, round(share * EXAMPLES)),
        deadline=None,  # `check` below has a limit that also ends what hangs
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=EXAMPLES < 1000,
        database=None,
    )


SHIPPED = [
    yaml.safe_load((RECIPES / f"{name}.yaml").read_text(encoding="utf-8"))
    for name in ("quickstart", "real-text", "xtreme-r-scaling")
]

words = st.sampled_from(
    [
        "none",
        "world-nli",
        "world-xnli",
        "stack",
        "fuse",
        "full-ft",
        "seq_bn",
        "",
        "..",
        "a/b",
        "1e-4",
        "no",
        "null",
        "x" * 300,
    ]
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), words, st.text(max_size=12))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(words, inner, max_size=3)),
    max_leaves=8,
)


@st.composite
def recipes(draw: st.DrawFn) -> dict[str, Any]:
    """A shipped recipe with some keys replaced, dropped, or made up."""
    recipe = dict(draw(st.sampled_from(SHIPPED)))
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.one_of(st.sampled_from(sorted(SHIPPED[0])), words))
        change = draw(st.sampled_from(["replace", "drop", "inside"]))
        if change == "drop":
            recipe.pop(key, None)
        elif change == "inside" and isinstance(recipe.get(key), dict) and recipe[key]:
            inner = draw(st.sampled_from(sorted(recipe[key])))
            recipe[key] = {**recipe[key], inner: draw(values)}
        else:
            recipe[key] = draw(values)
    return recipe


def call(arguments: list[str]) -> tuple[int, str]:
    """Exit code and everything that was printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            code = main(arguments)
        except SystemExit as end:  # argparse
            code = end.code if isinstance(end.code, int) else 2
    return code, out.getvalue()


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raises in whatever takes longer than `LIMIT_S`."""

    def late(_number: int, _frame: object) -> None:
        raise AssertionError(f"no answer after {LIMIT_S} s")

    old = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def check(arguments: list[str]) -> int:
    """Call it in time; its exit code, which must be one that the help names, with words where it is not 0."""
    with limited():
        code, text = call(arguments)
    assert code in DOCUMENTED, (code, text)
    assert "Traceback" not in text, text
    assert code == 0 or text.strip(), code
    return code


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@fuzz(0.45)
@given(recipe=recipes(), command=st.sampled_from(["plan", "status", "show", "run"]))
def test_changed_recipes(folder: Path, recipe: dict[str, Any], command: str) -> None:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False), encoding="utf-8")
    # What `check` refuses every other command refuses too; nothing is ever trained here.
    if check(["check", str(path)]) == 2:
        assert check([command, str(path), *([] if command == "show" else ["--store", str(folder / "store")])]) == 2
    assert not (folder / "store").exists()


@fuzz(0.25)
@given(data=st.binary(max_size=200), text=st.text(alphabet="{}[]:-&*!|>'\"#%@,? \n\tab1", max_size=120))
def test_bytes_that_are_no_recipe(folder: Path, data: bytes, text: str) -> None:
    for content in (data, text.encode()):
        (folder / "bytes.yaml").write_bytes(content)
        assert check(["check", str(folder / "bytes.yaml")]) == 2


COMMANDS = [
    "check", "plan", "status", "show", "ls", "explain", "store", "compare", "report", "score", "data",
    "verify", "-h", "", "--version", "runn",
]  # fmt: skip
# Not `run`, which would train, nor the commands that load torch or use a network.
ARGUMENTS = [
    "--store", "--json", "--only", "--set", "--debug=", "variant=stack", "seed=1", "seed=x", "backbone=", "=", "tasks",
    "verify", "gc", "export", "import", "--to", "out.tar", "--a", "--b", "--set-aside", "train.target.steps=1",
    "seeds=[1", "languages", "train_target/x-0123456789abcdef", "0123", "none.yaml", "store", "QUICK", "--watch=",
    "--every", "-1", "check", "--benchmark", "xtreme-r", "--labels", "--predictions", ".", "--out", "--target", "xnli",
]  # fmt: skip
BEGINNINGS = [
    [], ["QUICK"], ["verify"], ["gc", "QUICK"], ["export", "QUICK", "--to", "out.tar"], ["import", "out.tar"],
    ["tasks"], ["QUICK", "--a", "stack", "--b", "full-ft"],
    ["--benchmark", "xtreme-r", "--labels", ".", "--predictions", "."],
]  # fmt: skip


@fuzz(0.3)
@given(
    command=st.sampled_from(COMMANDS),
    beginning=st.sampled_from(BEGINNINGS),
    rest=st.lists(st.one_of(st.sampled_from(ARGUMENTS), st.text(max_size=8)), max_size=6),
)
def test_command_lines(folder: Path, command: str, beginning: list[str], rest: list[str]) -> None:
    quick = str(RECIPES / "quickstart.yaml")
    arguments = [quick if word == "QUICK" else word for word in [*beginning, *rest]]
    arguments = [word for word in arguments if word not in ("--debug", "--delete")]
    with contextlib.chdir(folder):
        check([command, *arguments])
