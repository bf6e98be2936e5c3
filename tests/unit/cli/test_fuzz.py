"""Random recipes and command lines: an answer and a documented exit code, never a traceback.

Every command is called in this process. `run` gets as far as its engine, which makes nothing; the Hub is a port of this
machine where nobody answers. ``ADAPTERXFER_FUZZ=20000`` sets the number of examples of all tests together; the default
takes a few seconds. ``ADAPTERXFER_FUZZ_SEED`` gives other examples, so that many can be tried in pieces.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from adapterxfer.cli.main import COMMANDS, main
from adapterxfer.engines import inline, probe, ray, slurm
from adapterxfer.engines.events import Outcome
from adapterxfer.hub import requests
from adapterxfer.recipe import load_recipe

EXAMPLES = int(os.environ.get("ADAPTERXFER_FUZZ", "120"))
RECIPES = Path(__file__).parents[3] / "recipes"
SEED = int(os.environ.get("ADAPTERXFER_FUZZ_SEED", "0"))
DOCUMENTED = {0, 1, 2, 3}
TOKEN = "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"
LIMIT_CPU_S = 20.0
"""Of this process, the first import of torch included; a busy machine does not use it up."""

LIMIT_S = 600.0
"""For whatever waits instead of computing."""


def fuzz(share: float) -> settings:
    """This part of all examples; the small default is the same every time, a long run is not."""
    return settings(
        max_examples=max(1, round(share * EXAMPLES)),
        deadline=None,  # `check` below has a limit that also ends what hangs
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=not SEED and EXAMPLES < 1000,
        database=None,
    )


SHIPPED = [
    yaml.safe_load((RECIPES / f"{name}.yaml").read_text(encoding="utf-8"))
    for name in ("quickstart", "real-text", "xtreme-r-scaling")
]
OFTEN = [0] * 10 + [1] * 5 + [2]
"""Which of them is changed; a plan of the last takes seconds."""

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
    recipe = dict(SHIPPED[draw(st.sampled_from(OFTEN))])
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
    """Raises in whatever computes longer than `LIMIT_CPU_S`, or takes longer than `LIMIT_S`."""
    timers = {
        signal.SIGPROF: (signal.ITIMER_PROF, LIMIT_CPU_S, "of processor time"),
        signal.SIGALRM: (signal.ITIMER_REAL, LIMIT_S, ""),
    }

    def late(number: int, _frame: object) -> None:
        _, limit, words = timers[signal.Signals(number)]
        raise AssertionError(f"no answer after {limit} s {words}")

    old = {number: signal.signal(number, late) for number in timers}
    for timer, limit, _ in timers.values():
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for timer, _, _ in timers.values():
            signal.setitimer(timer, 0)
        for number, handler in old.items():
            signal.signal(number, handler)


def check(arguments: list[str]) -> int:
    """Call it in time; its exit code, which must be one that the help names, with words where it is not 0."""
    return answer(arguments)[0]


def answer(arguments: list[str]) -> tuple[int, str]:
    """Exit code and output, both checked as `check` says."""
    with limited():
        code, text = call(arguments)
    assert code in DOCUMENTED, (code, text)
    assert "Traceback" not in text, text
    assert TOKEN not in text, text
    assert code == 0 or text.strip(), code
    return code, text


def make_nothing(_plan: object, **_options: object) -> Outcome:
    """Stands for the engines behind `run`."""
    return Outcome(finished=(), reused=(), failed={}, blocked={}, folders={}, interrupted=0, seconds=0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the commands run, with something that is almost a bundle; no stage is made and no network is used."""
    made = tmp_path_factory.mktemp("fuzz")
    (made / "almost").mkdir()
    (made / "almost" / "bundle.json").write_text('{"schema": 1, "files": {}}', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # and nobody listens
        patch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        patch.setenv("HF_TOKEN", TOKEN)
        patch.setenv("ADAPTERXFER_CACHE", str(made / "cache"))
        patch.setattr(requests, "ATTEMPTS", 1)
        for engine in (inline, ray, slurm):
            patch.setattr(engine, "run_plan", make_nothing)
        patch.setattr(
            probe,
            "measure_tokens_per_second",
            lambda shapes, **_options: {"tokens_per_second": dict.fromkeys(shapes, 1000.0), "dtype": "fp32"},
        )
        yield made


WITHOUT_FILES = {"show": 0, "status": 0, "bundle": 3}
"""Command that reads recipe and store alone -> how it ends where files that a right recipe names are missing here."""


@seed(SEED)
@fuzz(0.45)
@given(recipe=recipes(), command=st.sampled_from(["plan", "status", "show", "run", "bundle"]))
def test_changed_recipes(folder: Path, recipe: dict[str, Any], command: str) -> None:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False), encoding="utf-8")
    # What `check` refuses every other command refuses too; where files alone are missing here, some need none of them.
    code, text = answer(["check", str(path)])
    if code == 2:
        ends = {2, WITHOUT_FILES.get(command, 2)} if "cannot run here" in text else {2}
        ran = check([command, str(path), *([] if command == "show" else ["--store", str(folder / "store")])])
        assert ran in ends
        assert ran == 2 or load_recipe(path)
    assert not (folder / "store").exists()


@seed(SEED)
@fuzz(0.25)
@given(data=st.binary(max_size=200), text=st.text(alphabet="{}[]:-&*!|>'\"#%@,? \n\tab1", max_size=120))
def test_bytes_that_are_no_recipe(folder: Path, data: bytes, text: str) -> None:
    for content in (data, text.encode()):
        (folder / "bytes.yaml").write_bytes(content)
        assert check(["check", str(folder / "bytes.yaml")]) == 2


NAMES = list(COMMANDS)
ARGUMENTS = [
    "--store", "--json", "--only", "--set", "--debug=", "variant=stack", "seed=1", "seed=x", "backbone=", "=", "tasks",
    "verify", "gc", "export", "import", "--to", "out.tar", "--a", "--b", "--set-aside", "train.target.steps=1",
    "seeds=[1", "languages", "train_target/x-0123456789abcdef", "0123", "none.yaml", "store", "QUICK", "--watch=",
    "--every", "-1", "check", "--benchmark", "xtreme-r", "--labels", "--predictions", ".", "--out", "--target", "xnli",
    "--jobs", "--engine", "ray", "slurm", "--engine-set", "address=", "cluster=local", "--retry-failed", "--device",
    "--checkpoint-every", "nan", "--batch-tokens", "--phase", "intermediate", "--full-weights", "--seed", "1",
    "org/name", "a/b@main", "../..", "--dry-run", "--all", "--private", "--revision", "almost", "--backbone", "--items",
    "--seeds", "--effect", "--discordance", "2.5", "--tests", "--check", "--verdicts",
]  # fmt: skip
BEGINNINGS = [
    [], ["QUICK"], ["verify"], ["gc", "QUICK"], ["export", "QUICK", "--to", "out.tar"], ["import", "out.tar"],
    ["tasks"], ["QUICK", "--a", "stack", "--b", "full-ft"], ["QUICK", "--only", "variant=stack"],
    ["--benchmark", "xtreme-r", "--labels", ".", "--predictions", "."], ["almost"], ["almost", "--to", "org/name"],
    ["org/name"], ["org/name@main", "--out", "pulled"], ["QUICK", "--all", "--to", "org", "--dry-run"],
    ["--items", "500", "--seeds", "3"],
]  # fmt: skip


@seed(SEED)
@fuzz(0.3)
@given(
    command=st.sampled_from([*NAMES, "-h", "", "--version", "runn"]),
    beginning=st.sampled_from(BEGINNINGS),
    rest=st.lists(st.one_of(st.sampled_from(ARGUMENTS), st.text(max_size=8)), max_size=6),
)
def test_command_lines(folder: Path, command: str, beginning: list[str], rest: list[str]) -> None:
    quick = str(RECIPES / "quickstart.yaml")
    arguments = [quick if word == "QUICK" else word for word in [*beginning, *rest]]
    arguments = [word for word in arguments if word not in ("--debug", "--delete")]
    with contextlib.chdir(folder):
        check([command, *arguments])


@pytest.mark.parametrize("command", NAMES)
def test_every_command_answers(folder: Path, command: str) -> None:
    """Whatever the draw above left out: without arguments, with a recipe, with something that is almost a bundle."""
    with contextlib.chdir(folder):
        for arguments in ([], [str(RECIPES / "quickstart.yaml")], ["almost"], ["-h"]):
            check([command, *arguments])
