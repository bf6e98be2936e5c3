"""The whole grid at hidden 64: both sides in turn, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training_benchmark.inputs import TARGETS
from training_benchmark.measuring import Rows

USUAL = ("usual", "usual-grouped", "usual-own-loss")

MACHINE = ("ours-machine", "usual-machine")
"""Sides that have the whole machine: ours a worker of one thread for every core, the other torch's threads."""


HALF = ("ours-bf16", "usual")
"""Ours with ``dtype: bf16`` against the other side as it is, in fp32."""


def run_sides(work: Path, names: Sequence[str], asked: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """One turn: the named sides one after the other; what `Side.as_json` gives, by name."""
    found = {}
    for name in names:
        question, answer = work / f"{name}.asked.json", work / f"{name}.found.json"
        cores = len(os.sched_getaffinity(0)) if name in MACHINE else 0
        threads = cores if name == "usual-machine" else asked["threads"]
        own = {"side": name, "work": str(work), "jobs": cores, "threads": threads,
               "dtype": "bf16" if name.endswith("bf16") else "fp32"}  # fmt: skip
        question.write_text(json.dumps({**asked, **own}), encoding="utf-8")
        scripts = Path(__file__).parents[1]
        path = os.pathsep.join([str(scripts), str(scripts.parent), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, str(Path(__file__).with_name("one_side.py")), str(question), str(answer)]
        began = time.perf_counter()
        subprocess.run(command, check=True, env=environment)
        took = found[name] = json.loads(answer.read_text(encoding="utf-8"))
        took |= {"seeds": list(asked["seeds"]), "whole": time.perf_counter() - began, "cores": cores}
        print(
            f"  {name}: {took['wall']:.1f} s, with start and imports {took['whole']:.1f} s, CPU {took['cpu']:.1f} s, "
            f"peak {took['peak_mib']} MiB",
            flush=True,
        )
    return found


def report(rows: Rows, turns: Sequence[Mapping[str, Mapping[str, Any]]]) -> None:
    """Medians over turns, for each of the usual sides that ran beside ours."""
    machine = [[turn[name] for name in MACHINE] for turn in turns if all(name in turn for name in MACHINE)]
    if machine:
        cores = {"cores": machine[0][0]["cores"], "turns": len(machine)}
        mine, its = ([pair[side]["whole"] for pair in machine] for side in (0, 1))
        rows.add("grid", "all, whole machine, imports included", mine, its, **cores)
        _scores(rows, _pooled([pair[0] for pair in machine]), _pooled([pair[1] for pair in machine]), MACHINE[1])
    half = [[turn[name] for name in HALF] for turn in turns if all(name in turn for name in HALF)]
    if half:
        mine, its = ([pair[side]["wall"] for pair in half] for side in (0, 1))
        rows.add("grid", "all, ours in bf16, usual in fp32", mine, its, turns=len(half))
        _scores(rows, _pooled([pair[0] for pair in half]), _pooled([pair[1] for pair in half]), "usual, ours in bf16")
    ours = [turn["ours"] for turn in turns if "ours" in turn]
    if not ours:
        return
    fixed = [turn["training"] - turn["loops"] for turn in ours]
    what = f"ours, outside of loops, {ours[0]['trainings']} trainings"
    rows.note("grid", what, seconds=round(float(np.median(fixed)), 2))
    for name in USUAL:
        theirs = [turn[name] for turn in turns if name in turn]
        if not theirs:
            continue
        _scores(rows, _pooled(ours), _pooled(theirs), name)
        if theirs[0]["scores"].keys() != ours[0]["scores"].keys():
            continue  # a part of the grid: its times say nothing
        peaks = {"peak_mib": max(t["peak_mib"] for t in ours), "usual_peak_mib": max(t["peak_mib"] for t in theirs)}
        rows.add("grid", f"all, {name}", _of(ours, "wall"), _of(theirs, "wall"), turns=len(theirs), **peaks)
        rows.add("grid", f"CPU time, {name}", _of(ours, "cpu"), _of(theirs, "cpu"))
        for what in ("training", "predicting"):
            rows.add("grid", f"{what}, {name}", _of(ours, what), _of(theirs, what))
        for format_name in ours[0]["formats"]:
            mine, its = ([t["formats"][format_name] for t in side] for side in (ours, theirs))
            rows.add("grid", f"predicting {format_name}, {name}", mine, its)


def _pooled(turns: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, float]]:
    """Cell -> seed -> score, over all turns."""
    found: dict[str, dict[int, float]] = {}
    for turn in turns:
        for cell, values in turn["scores"].items():
            found.setdefault(cell, {}).update(zip(turn["seeds"], values, strict=True))
    return found


def _of(turns: Sequence[Mapping[str, Any]], what: str) -> list[float]:
    return [float(turn[what]) for turn in turns]


def _scores(
    rows: Rows, ours: Mapping[str, Mapping[int, float]], theirs: Mapping[str, Mapping[int, float]], name: str
) -> None:
    """Mean difference in points with its standard error over seeds, each seed one mean over its cells."""
    seeds = sorted(next(iter(ours.values())).keys() & next(iter(theirs.values())).keys())
    for target in (*TARGETS, ""):
        chosen = [cell for cell in ours if cell.startswith(target) and cell in theirs]
        if not chosen:
            continue
        a, b = (np.array([[side[cell][seed] for seed in seeds] for cell in chosen]) for side in (ours, theirs))
        differences = (a - b).mean(axis=0)
        enough = len(seeds) > 1
        error = float(differences.std(ddof=1) / len(seeds) ** 0.5) if enough else float("nan")
        spread = float(np.mean([side.std(axis=1, ddof=1) for side in (a, b)])) if enough else float("nan")
        rows.note(
            "scores", f"{target or 'all targets'}, ours minus {name}", points=round(float(differences.mean()), 2),
            standard_error=round(error, 2), ours=round(float(a.mean()), 2), usual=round(float(b.mean()), 2),
            sd_over_seeds=round(spread, 2), seeds=len(seeds),
        )  # fmt: skip
