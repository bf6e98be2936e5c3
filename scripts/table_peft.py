"""Which tuner types of the installed `peft` run here as ``peft:TYPE``, and why the others do not: found by trying all.

    python scripts/table_peft.py                 # prints the table of docs/peft-types.md
    python scripts/table_peft.py --write         # and writes the file that recipes are checked with
    python scripts/table_peft.py --types LOHA    # some of them only
    python scripts/table_peft.py --json

Each type goes around a tiny random encoder and must start without effect, train, matter, give the same numbers after
its weights were stored and read, and equal the library's own model of the same weights to 1e-5. A stack of two must
equal the library's model with both active.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.catalog.methods.peft_types import FIXED, OUTSIDE, PEFT, PREFIX, START_VALUES
from adapterxfer.errors import AdapterxferError
from adapterxfer.variants.adapter import Adapter
from adapterxfer.variants.library_modules import trained
from adapterxfer.variants.peft_files import engine_from_peft, engine_to_peft

sys.path.append(str(Path(__file__).parent))

from engine_trials import (
    HIDDEN,
    LAYERS,
    MATTERS,
    PADDING,
    STEPS,
    TOLERANCE,
    change_by_padding,
    distance,
    encoder,
    fresh_adapter,
    largest,
    states,
    train,
)
from library_peft import library_states, read_by_library

ROOT = Path(__file__).parents[1]
FILE = ROOT / "adapterxfer" / "catalog" / "methods" / "peft_types.json"
PAGE = ROOT / "docs" / "peft-types.md"

TINY: dict[str, dict[str, Any]] = {
    "C3A": {"block_size": 8},
    "FOURIERFT": {"n_frequency": 16},
    "MISS": {"r": 8},
    "PSOFT": {"r": 8},
    "ROAD": {"group_size": 8},
    "SHIRA": {"r": 4},
    "VBLORA": {"num_vectors": 16, "vector_length": 8, "topk": 2, "r": 2},
    "WAVEFT": {"n_frequency": 16},
}
"""Sizes that fit a width of 32; the library's defaults are for larger encoders."""

KNOWN_REASONS = {
    "MULTITASK_PROMPT_TUNING": "it puts trained vectors before the words",
    "ADALORA": "it takes ranks away step by step, by sums over all gradients so far, which a training that was stopped "
    "would have to go on with, and adds a loss of its own; trainings here do neither",
    "LN_TUNING": "it trains the norms; encoders here show what goes into a norm, not the norm",
    "OSF": "it takes the frozen maps apart and trains most of their directions",
    "POLY": "it mixes adapters by task ids, which encoders here are not given",
    "TRAINABLE_TOKENS": "it trains rows of the word matrix",
    "XLORA": "it mixes adapters by a classifier of the whole model",
}
"""Types whose own error would not say why they do not fit."""

NO_SUM = "what it adds is no sum over its weights, so averaged weights are not an averaged change"

INSTEAD = {"LORA": "lora"}
"""Own methods of the same function that can be merged."""

ABOUT = """\
`target_modules` and `feedforward_modules` name linear maps by role (`query`, `key`, `value`, `ffn_in`, `ffn_out`); the
default is query and value. Columns: relative change of hidden states by a fresh adapter; loss before and after {steps}
steps; relative change when the trained adapter is left out; largest difference from the library's own model with the
same weights, alone and with two active adapters; largest relative difference between what averaged weights add and the
average of what they add. Weights that are stored and read give the same numbers, bit for bit. A type that starts with a
change has weights of 0 that change nothing, as a bottleneck has, and starts with less than bottlenecks do.
"""

SMALL = 1e-3
"""Largest change by a fresh adapter that is not neutral; fresh bottlenecks of the same width change some 0.005."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of one type.

    Attributes:
        type: as the library names it.
        runs, stacks: whether it can be used alone, and above another one.
        because: why it cannot run; why_unstacked: why it cannot be stacked.
        start: relative change of hidden states by a fresh adapter; silent: with all weights zero, where it is not 0.
        average: largest relative difference between what averaged weights add and the average of what they add.
        loss: before and after training.
        effect: relative change when the trained adapter is left out.
        reload, library, stack: largest differences.
        parameters: that train, at a width of 32 and 2 layers.
        bundles: whether the library's own calls read a bundle of it to the same numbers.
        fixed: names of random parts that the library saves along.
        keys: of its configuration that a recipe can set.
    """

    type: str
    runs: bool
    stacks: bool = False
    because: str = ""
    why_unstacked: str = ""
    start: float | None = None
    silent: float | None = None
    average: float | None = None
    loss: tuple[float, float] | None = None
    effect: float | None = None
    reload: float | None = None
    library: float | None = None
    stack: float | None = None
    bundles: bool = False
    fixed: tuple[str, ...] = ()
    parameters: int | None = None
    keys: tuple[str, ...] = ()

    @property
    def merges(self) -> str:
        """In the words of `MethodSpec`."""
        return "weights" if self.average is not None and self.average <= TOLERANCE else ""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", nargs="+", help="these only (nothing is written then)")
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name} and {PAGE.name}")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    trials = [try_type(name) for name in arguments.types or every_type()]
    if arguments.json:
        print(json.dumps([asdict(trial) for trial in trials], indent=2))
    else:
        print(page(trials))
    if arguments.write and not arguments.types:
        FILE.write_text(json.dumps(content(trials), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        PAGE.write_text(page(trials), encoding="utf-8")
    return 0


def every_type() -> list[str]:
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    return sorted(str(kind.value) for kind in PEFT_TYPE_TO_CONFIG_MAPPING)


def keys_of(name: str) -> tuple[str, ...]:
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    made = next(made for kind, made in PEFT_TYPE_TO_CONFIG_MAPPING.items() if str(kind.value) == name)
    return tuple(sorted(set(made.__dataclass_fields__) - FIXED))


def try_type(name: str) -> Trial:
    """Everything that is asked of a type, in the order in which it can fail."""
    keys = keys_of(name)
    if name in KNOWN_REASONS:
        return Trial(type=name, runs=False, because=KNOWN_REASONS[name], keys=keys)
    config = json.dumps(TINY.get(name, {}), sort_keys=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _tried(name, config, keys)
    except AdapterxferError as error:
        because = error.what.partition(": ")[2] or error.what
    except Exception as error:  # whatever the library raises inside is the answer
        because = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    if because == "None" or any(text in because for text in ("prompt learning", "task_type", "'config'")):
        because = "it does not change linear maps inside the layers"
    return Trial(type=name, runs=False, because=because[:160], keys=keys)


def _tried(name: str, config: str, keys: tuple[str, ...]) -> Trial:
    loaded = encoder()
    bare = states(loaded, [])
    fresh = built(loaded, name, config, seed=1)
    start = distance(states(loaded, [fresh]), bare)
    loss = train(loaded, fresh)
    after = states(loaded, [fresh])
    effect = distance(bare, after)
    again = built(loaded, name, config, seed=2)
    again.load_state_dict(fresh.state_dict())
    reload = largest(states(loaded, [again]), after)
    alone = largest(library_states(loaded, name, config, [fresh]), after)
    padded = change_by_padding(loaded, fresh)
    silent = _silenced(loaded, again, bare) if start > TOLERANCE else None
    problems = [
        (
            start > TOLERANCE and (silent != 0.0 or start > SMALL),
            f"a fresh adapter changes hidden states by {start:.1g}, one with weights of 0 by {silent or 0:.1g}",
        ),
        (not loss[1] < loss[0], f"its loss goes from {loss[0]:.3f} to {loss[1]:.3f} in {STEPS} steps"),
        (effect < MATTERS, f"what it has learned changes hidden states by {effect:.1g} only"),
        (reload != 0.0, f"its weights alone do not give it back (off by {reload:.1g}): it has random parts of its own"),
        (
            not padded <= PADDING,
            f"an answer changes by {padded:.1g} when its text is padded further, so it depends on its neighbours in a "
            "batch",
        ),
        (not alone <= TOLERANCE, f"hidden states differ from the library's by {alone:.1g}"),
    ]
    because = next((text for failed, text in problems if failed), "")
    stack, unstacked, bundles, average = None, "", False, None
    fixed: tuple[str, ...] = ()
    if not because:
        with contextlib.suppress(Exception):  # whatever goes wrong there, such a bundle is not offered
            fixed = fixed_parts(fresh)
            state = engine_from_peft(
                engine_to_peft(fresh, loaded.architecture), PREFIX + name, loaded.architecture, fixed
            )
            whole = state.keys() == fresh.state_dict().keys()
            bundles = whole and largest(read_by_library(loaded, fresh), after) <= TOLERANCE
        upper = built(loaded, name, config, seed=3)
        train(loaded, upper)
        average = error_of_average(loaded, fresh, upper, built(loaded, name, config, seed=4))
        both = [fresh, upper]
        try:
            stack = largest(library_states(loaded, name, config, both), states(loaded, both))
            unstacked = (
                "" if stack <= TOLERANCE else f"with two active the library computes something else ({stack:.1g})"
            )
        except Exception as error:
            unstacked = f"the library: {str(error).splitlines()[0][:120]}"
    return Trial(
        type=name, runs=not because, stacks=not because and not unstacked, because=because, why_unstacked=unstacked,
        start=start, loss=loss, effect=effect, reload=reload, library=alone, stack=stack,
        silent=silent, average=average, bundles=bundles, fixed=fixed, keys=keys,
        parameters=sum(weight.numel() for weight in fresh.parameters()),
    )  # fmt: skip


def _silenced(loaded: LoadedBackbone, adapter: Adapter, bare: Tensor) -> float:
    """Largest change of hidden states with weights of 0; infinite where they give no number."""
    with torch.no_grad():
        for weight in adapter.parameters():
            weight.zero_()
    change = largest(states(loaded, [adapter]), bare)
    return change if change == change else float("inf")


def error_of_average(loaded: LoadedBackbone, first: Adapter, second: Adapter, empty: Adapter) -> float:
    """Largest relative difference between what averaged weights add to a map, and the average of what they add."""
    shares, states_of = (0.3, 0.7), (first.state_dict(), second.state_dict())
    empty.load_state_dict({n: shares[0] * states_of[0][n] + shares[1] * states_of[1][n] for n in states_of[0]})
    worst = 0.0
    for role, linear in loaded.linears[0].items():
        inputs = torch.randn(4, linear.in_features, generator=torch.Generator().manual_seed(2))

        def added(adapter: Adapter, role: str = role, linear: Any = linear, inputs: Tensor = inputs) -> Tensor:
            layer: Any = adapter[0]
            with torch.no_grad():
                base = linear(inputs)
                change: Tensor = layer.linear_output(role, linear, inputs, base, base) - base
            return change

        expected = shares[0] * added(first) + shares[1] * added(second)
        scale = float(expected.abs().max())
        worst = max(worst, largest(added(empty), expected) / scale if scale else 0.0)
    return worst


def built(loaded: LoadedBackbone, name: str, config: str, *, seed: int) -> Adapter:
    """A fresh adapter of a type, whether or not the table allows it."""
    return fresh_adapter(loaded, PEFT.specification(PREFIX + name, {}), config, seed=seed)


def fixed_parts(adapter: Adapter) -> tuple[str, ...]:
    """Last names of what the library saves beside the weights that train: random parts, drawn from a fixed seed."""
    import peft

    tuned: Any = adapter[0].tuned
    names = set(peft.get_peft_model_state_dict(tuned)) - {name for name, _ in trained(tuned)}
    return tuple(sorted({next(p for p in name.split(".") if "_" in p and p != "base_model") for name in names}))


def content(trials: Sequence[Trial]) -> dict[str, Any]:
    """The file that recipes are checked with."""
    types = {
        trial.type: {
            "runs": trial.runs, "stacks": trial.stacks, "because": trial.because or trial.why_unstacked,
            "bundles": trial.bundles, "fixed": list(trial.fixed), "keys": list(trial.keys),
            **(merging_and_start(trial) if trial.runs else {}),
        }
        for trial in trials
    }  # fmt: skip
    return {"version": version("peft"), "types": types}


def merging_and_start(trial: Trial) -> dict[str, Any]:
    """What of a type's row is not the same for all types."""
    row: dict[str, Any] = {"merges": trial.merges}
    if not trial.merges:
        row |= {"why_unmerged": NO_SUM, "merge_instead": INSTEAD.get(trial.type, "")}
    if trial.silent is not None:
        row |= {"start": "special", "neutral": "exact"}
    return row


def page(trials: Sequence[Trial]) -> str:
    """The table for people."""
    running = [trial for trial in trials if trial.runs]
    lines = [
        "# Types of the peft library",
        "",
        f"Made by `python scripts/table_peft.py --write` with peft {version('peft')}, by trying every type around a",
        f"tiny random XLM-R of width {HIDDEN} and {LAYERS} layers: {len(running)} of {len(trials)} types run, "
        f"{sum(trial.stacks for trial in running)} of them also in stacks, "
        f"{sum(bool(trial.merges) for trial in running)} in weighted averages.",
        "",
        'A recipe names a type and keys of its own configuration: `{method: "peft:LOHA", config: {r: 8, alpha: 16}}`.',
        *ABOUT.format(steps=STEPS).splitlines(),
        "",
        "| type | parameters | at start | loss | effect | equals peft | stack equals peft | average | bundle read by "
        "peft |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for trial in running:
        assert trial.loss is not None
        bundle = "yes" if trial.bundles else "no, read by adapterxfer"
        stack = f"{trial.stack:.1g}" if trial.stacks else f"not stacked: {trial.why_unstacked}"
        average = f"{trial.average:.1g}" if trial.merges else "no"
        lines.append(
            f"| {trial.type} | {trial.parameters:,} | {trial.start:.1g} | {trial.loss[0]:.3f} to {trial.loss[1]:.3f} | "
            f"{trial.effect:.2f} | {trial.library:.1g} | {stack} | {average} | {bundle} |"
        )
    lines += ["", "These are refused:", "", "| type | because |", "|---|---|"]
    lines += [f"| {trial.type} | {trial.because} |" for trial in trials if not trial.runs]
    lines += ["", "These keys are refused in every type, unless they have the value that says nothing:", ""]
    lines += ["| key | because |", "|---|---|", *(f"| {key} | {because} |" for key, because in sorted(OUTSIDE.items()))]
    lines += [f"| init_lora_weights | of its values, {', '.join(map(str, START_VALUES))} change nothing at the start |"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
