"""Which configurations of the installed `adapters` run here as ``adapters:CONFIG``, and why the others do not.

    python scripts/table_adapters.py                       # prints the table of docs/adapters-configs.md
    python scripts/table_adapters.py --write               # and writes the file that recipes are checked with
    python scripts/table_adapters.py --configs par_bn ia3  # some of them only
    python scripts/table_adapters.py --json

Each goes around a tiny random encoder and must start without effect or have weights without effect (a prefix has
none), train, matter, leave an answer alone when its text is padded further, give the same numbers after its weights
were stored and read, and equal the library's own model of the same weights to 1e-5. Then a stack of two is compared
with the library's ``Stack``, a fusion of two with its ``Fuse``, an average of two with its ``average_adapter``.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.catalog.methods.adapters_configs import ADAPTERS, FIXED
from adapterxfer.catalog.methods.spec import MethodSpec
from adapterxfer.errors import AdapterxferError
from adapterxfer.variants.adapter import Adapter
from adapterxfer.variants.adapters_engine import configuration
from adapterxfer.variants.library_modules import ADAPTER, inside_library, plain_name, trained

sys.path.append(str(Path(__file__).parent))

from engine_trials import (
    HIDDEN,
    LAYERS,
    MATTERS,
    PADDING,
    STEPS,
    TOLERANCE,
    batch,
    change_by_padding,
    distance,
    encoder,
    fresh_adapter,
    hidden_of,
    largest,
    states,
    train,
)
from library_adapters import averaged, bundles, fused, library_states, stacked

ROOT = Path(__file__).parents[1]
FILE = ROOT / "adapterxfer" / "catalog" / "methods" / "adapters_configs.json"
PAGE = ROOT / "docs" / "adapters-configs.md"

SMALL: dict[str, dict[str, Any]] = {
    "seq_bn": {"reduction_factor": 4}, "double_seq_bn": {"reduction_factor": 4},
    "seq_bn_inv": {"reduction_factor": 4}, "double_seq_bn_inv": {"reduction_factor": 4},
    "compacter": {"reduction_factor": 4}, "compacter++": {"reduction_factor": 4},
}  # fmt: skip
"""Sizes that fit a width of 32; the library's defaults are for larger encoders."""

OLD_NAMES = {
    "pfeiffer": "seq_bn", "houlsby": "double_seq_bn", "parallel": "par_bn", "scaled_parallel": "scaled_par_bn",
    "pfeiffer+inv": "seq_bn_inv", "houlsby+inv": "double_seq_bn_inv",
}  # fmt: skip

KNOWN_REASONS = {
    **{old: f"it is the library's old name of adapters:{new}" for old, new in OLD_NAMES.items()},
    "prompt_tuning": "it puts trained vectors before the words",
}

ABOUT = """\
A recipe writes the library's own string, `{{method: "adapters:par_bn[reduction_factor=8]"}}`, or the keys apart,
`{{method: "adapters:par_bn", config: {{reduction_factor: 8}}}}`; both are the same adapter. Keys that would make
another configuration of it, or need what encoders here do not show, cannot be set. The engine needs the extra
`adapters` and with it transformers 4.57: `pip install -c constraints-adapters.txt 'adapterxfer[adapters]'`.

Columns: relative change of hidden states by a fresh adapter; the same with weights that change nothing, where there are
such; loss before and after {steps} steps; relative change when the trained adapter is left out; largest difference from
the library's own model with the same weights, alone, in its `Stack`, in its `Fuse`, and with the average of two
adapters' weights that its `average_adapter` makes. Weights that are stored and read give the same numbers, bit for bit,
and more padding changes no answer.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of one configuration.

    Attributes:
        type: its name in the library.
        runs, stacks, fuses: whether it can be used alone, above another one, and mixed with others.
        merges: ``weights`` where an average of weights is the library's own form and what it means.
        because, why_unstacked, why_unfused, why_unmerged: why not.
        places: where it acts.
        start: relative change of hidden states by a fresh adapter; silent: the same with weights that change nothing.
        loss: before and after training.
        effect: relative change when the trained adapter is left out.
        padding: largest relative change when texts are padded further.
        library, stack, fusion, average: largest differences from the library.
        parameters: that train, at a width of 32 and 2 layers.
        bundles: whether the library's own calls read a bundle of it to the same numbers.
        fixed: last names of random parts that the library saves along.
        keys: of its configuration that a recipe can set.
    """

    type: str
    runs: bool
    stacks: bool = False
    fuses: bool = False
    merges: str = ""
    because: str = ""
    why_unstacked: str = ""
    why_unfused: str = ""
    why_unmerged: str = ""
    places: tuple[str, ...] = ()
    start: float | None = None
    silent: float | None = None
    loss: tuple[float, float] | None = None
    effect: float | None = None
    padding: float | None = None
    library: float | None = None
    stack: float | None = None
    fusion: float | None = None
    average: float | None = None
    parameters: int | None = None
    bundles: bool = False
    fixed: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @property
    def neutral(self) -> str:
        """In the words of `MethodSpec`."""
        if self.silent is not None:
            return "exact" if self.silent == 0.0 else "rounding"
        return "start" if self.starts_neutral else "never"

    @property
    def starts_neutral(self) -> bool:
        """Whether a fresh adapter changes nothing; beyond rounding, where no other weights could be meant for that."""
        return self.start is not None and self.start <= (TOLERANCE if self.silent is None else 0.0)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", nargs="+", help="these only (nothing is written then)")
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name} and {PAGE.name}")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    trials = [try_config(name) for name in arguments.configs or every_config()]
    if arguments.json:
        print(json.dumps([asdict(trial) for trial in trials], indent=2))
    else:
        print(page(trials))
    if arguments.write and not arguments.configs:
        FILE.write_text(json.dumps(content(trials), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        PAGE.write_text(page(trials), encoding="utf-8")
    return 0


def every_config() -> list[str]:
    from adapters.configuration.adapter_config import ADAPTER_CONFIG_MAP

    return sorted(ADAPTER_CONFIG_MAP)


def keys_of(name: str) -> tuple[str, ...]:
    """A configuration made of several has none of its own."""
    from adapters.configuration.adapter_config import ADAPTER_CONFIG_MAP

    plain = ADAPTER_CONFIG_MAP[name]
    fields = set(getattr(plain, "__dataclass_fields__", {})) - FIXED
    if getattr(plain, "vera_d", None) is None:
        fields.discard("vera_d")  # it makes VeRA of another method
    return tuple(sorted(fields))


def try_config(name: str) -> Trial:
    """Everything that is asked of a configuration, in the order in which it can fail."""
    keys = keys_of(name)
    if name in KNOWN_REASONS:
        return Trial(type=name, runs=False, because=KNOWN_REASONS[name], keys=keys)
    try:
        return _tried(encoder(), name, json.dumps(SMALL.get(name, {}), sort_keys=True), keys)
    except AdapterxferError as error:
        because = error.what.partition(": ")[2] or error.what
    return Trial(type=name, runs=False, because=because, keys=keys)


def _tried(loaded: LoadedBackbone, name: str, config: str, keys: tuple[str, ...]) -> Trial:
    if because := _gates(loaded, name, config):
        return Trial(type=name, runs=False, because=because, keys=keys)
    bare = states(loaded, [])
    places: tuple[str, ...] = _layer(_built(loaded, name, config, seed=1)).places

    def built(seed: int) -> Adapter:
        return _built(loaded, name, config, seed=seed, places=places)

    fresh = built(1)
    start = distance(states(loaded, [fresh]), bare)
    loss = train(loaded, fresh)
    after = states(loaded, [fresh])
    effect = distance(bare, after)
    again = built(2)
    again.load_state_dict(fresh.state_dict())
    reload = largest(states(loaded, [again]), after)
    alone = largest(library_states(loaded, name, config, [fresh]), after)
    padded = change_by_padding(loaded, fresh)
    silent = _silenced(loaded, again, bare, places)
    problems = [
        (not loss[1] < loss[0], f"its loss goes from {loss[0]:.3f} to {loss[1]:.3f} in {STEPS} steps"),
        (effect < MATTERS, f"what it has learned changes hidden states by {effect:.1g} only"),
        (reload != 0.0, f"its weights alone do not give it back (off by {reload:.1g}): it has random parts of its own"),
        (not alone <= TOLERANCE, f"hidden states differ from the library's by {alone:.1g}"),
        (not padded <= PADDING, f"an answer changes by {padded:.1g} when its text is padded further: gates average so"),
        (silent is not None and silent > TOLERANCE, f"without effect it changes hidden states by {silent or 0:.1g}"),
    ]
    because = next((text for failed, text in problems if failed), "")
    shown: dict[str, Any] = {
        "start": start, "silent": silent, "loss": loss, "effect": effect, "padding": padded, "library": alone,
        "places": places, "keys": keys, "parameters": sum(weight.numel() for weight in fresh.parameters()),
    }  # fmt: skip
    if because:
        return Trial(type=name, runs=False, because=because, **shown)
    upper = built(3)
    train(loaded, upper)
    both = [fresh, upper]
    fixed = fixed_names(fresh)
    stack, fusion = stacked(loaded, name, config, both), fused(loaded, name, config, both, places)
    average = averaged(loaded, name, config, both, built(4))
    unstacked = f"with two active the library computes something else ({stack:.1g})" if stack > TOLERANCE else ""
    unmerged = _why_unmerged(name, places, average)
    return Trial(
        type=name, runs=True, stacks=not unstacked, why_unstacked=unstacked, stack=stack,
        fuses=fusion is not None and fusion <= TOLERANCE, fusion=fusion,
        merges="" if unmerged else "weights", why_unmerged=unmerged, average=average,
        bundles=bundles(loaded, fresh, after, fixed), fixed=fixed, **shown,
    )  # fmt: skip


def _gates(loaded: LoadedBackbone, name: str, config: str) -> str:
    """Why the library's gates cannot be used; empty for a configuration without gates."""
    settings = configuration(ADAPTERS.prefix + name, config)
    if not any(part.get("use_gating") for part in getattr(settings, "configs", [settings])):
        return ""
    import adapters as library

    model: Any = copy.deepcopy(loaded.model)
    with inside_library(0):
        library.init(model)
        model.add_adapter("a0", config=settings, set_active=True)
    tokens, mask = batch()
    more = nn.functional.pad(tokens, (0, 3), value=1), nn.functional.pad(mask, (0, 3))
    with torch.no_grad():
        padded = model.eval()(input_ids=more[0], attention_mask=more[1]).last_hidden_state[:, :-3][mask.bool()]
    changed = largest(padded, hidden_of(model)) / float(padded.abs().max())
    return (
        "its gates average over a text with its padding: three more padded places change an answer of the library's "
        f"own model by {changed:.1g}, so it would depend on its neighbours in the batch"
    )


def _built(loaded: LoadedBackbone, name: str, config: str, *, seed: int, places: tuple[str, ...] = ()) -> Adapter:
    return fresh_adapter(loaded, specification(name, places), config, seed=seed)


def specification(name: str, places: tuple[str, ...]) -> MethodSpec:
    """A specification to try a configuration with; what it asserts is found out here."""
    facts = {"places": places or ("ffn",), "start": "special", "neutral": "exact"}
    return ADAPTERS.specification(ADAPTERS.prefix + name, facts)


def _layer(adapter: Adapter) -> Any:
    return adapter[0]


def _silenced(loaded: LoadedBackbone, adapter: Adapter, bare: Tensor, places: tuple[str, ...]) -> float | None:
    """Change of hidden states with weights that change nothing, where the library's modules have such."""
    if {"linear", "keys_values"} & set(places):
        return None
    adapter.neutralise()
    return largest(states(loaded, [adapter]), bare)


def _why_unmerged(name: str, places: tuple[str, ...], average: float | None) -> str:
    """Why weights are not averaged: the library has no such average, or it would not average what they do."""
    if {"layer", "keys_values", "embedding"} & set(places) or "compacter" in name:
        return "its weights are factors of what it changes, so averaged weights are not an averaged change"
    if "linear" in places and name != "ia3":
        return "it multiplies trained matrices, so averaged weights are not an averaged change"
    if average is None or average > TOLERANCE:
        return "the library has no average of it that equals the average of its weights"
    return ""


def fixed_names(adapter: Adapter) -> tuple[str, ...]:
    """Last names of what the library saves beside the weights that train."""
    tuned = _layer(adapter).tuned
    moving = {id(weight) for _, weight in trained(tuned)}
    saved = tuned.state_dict(keep_vars=True)
    others = [plain_name(name) for name, t in saved.items() if ADAPTER in name.split(".") and id(t) not in moving]
    return tuple(sorted({".".join(name.split(".")[-2:]) for name in others}))


def content(trials: Sequence[Trial]) -> dict[str, Any]:
    """The file that recipes are checked with."""
    types = {}
    for trial in trials:
        row: dict[str, Any] = {
            "runs": trial.runs, "stacks": trial.stacks, "because": trial.because or trial.why_unstacked,
            "bundles": trial.bundles, "fixed": list(trial.fixed), "keys": list(trial.keys),
        }  # fmt: skip
        if trial.runs:
            row |= {
                "places": list(trial.places), "fuses": trial.fuses, "merges": trial.merges,
                "why_unmerged": trial.why_unmerged, "neutral": trial.neutral,
                "start": "neutral" if trial.starts_neutral else "special",
            }  # fmt: skip
        types[trial.type] = row
    return {"version": version("adapters"), "types": types}


def page(trials: Sequence[Trial]) -> str:
    """The table for people."""
    running = [trial for trial in trials if trial.runs]
    lines = [
        "# Configurations of the adapters library",
        "",
        f"Made by `python scripts/table_adapters.py --write` with adapters {version('adapters')}, by trying every name "
        "of its",
        f"`ADAPTER_CONFIG_MAP` around a tiny random XLM-R of width {HIDDEN} and {LAYERS} layers: {len(running)} of "
        f"{len(trials)} run, {sum(trial.stacks for trial in running)} of them",
        f"also in stacks, {sum(trial.fuses for trial in running)} in fusions, "
        f"{sum(bool(trial.merges) for trial in running)} in weighted averages.",
        "",
        *ABOUT.format(steps=STEPS).splitlines(),
        "",
        "| configuration | acts on | parameters | at start | silent | loss | effect | equals adapters | stack | fuse | "
        "average | bundle read by adapters |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for trial in running:
        assert trial.loss is not None
        silent = {"never": "no such weights", "start": "its start"}.get(trial.neutral) or f"{trial.silent:.1g}"
        stack = f"{trial.stack:.1g}" if trial.stacks else f"no: {trial.why_unstacked}"
        fusion = f"{trial.fusion:.1g}" if trial.fuses else "no"
        average = f"{trial.average:.1g}" if trial.merges else "no"
        bundle = "yes" if trial.bundles else "no, read by adapterxfer"
        lines.append(
            f"| {trial.type} | {', '.join(trial.places)} | {trial.parameters:,} | {trial.start:.1g} | {silent} | "
            f"{trial.loss[0]:.3f} to {trial.loss[1]:.3f} | {trial.effect:.2f} | {trial.library:.1g} | {stack} | "
            f"{fusion} | {average} | {bundle} |"
        )
    lines += ["", "These are refused:", "", "| configuration | because |", "|---|---|"]
    lines += [f"| {trial.type} | {trial.because} |" for trial in trials if not trial.runs]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
