"""Count the stages of a recipe, what of it is done, and what the rest may cost."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict

from adapterxfer.cli.console import complain, count, duration, say, say_json, say_table
from adapterxfer.cli.options import add_json, add_recipe, add_store, hub_notes, positive, read_plan
from adapterxfer.plan import Plan
from adapterxfer.plan.choosing import MadeChoice, choices_made
from adapterxfer.plan.devices import ASSUMED_SHARE, DEVICES
from adapterxfer.plan.model import NAME_SOURCE, NO_SOURCE
from adapterxfer.plan.remaining import KindEstimate, estimate
from adapterxfer.store.kinds import CHOICE
from adapterxfer.store.store import Store

UNKNOWN_TIME = (
    "cost in time unknown: `plan --measure` times this machine in seconds; or give tokens_per_second for the "
    "backbones, run a part first, or ask for a --device"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `plan`."""
    add_recipe(parser)
    add_store(parser)
    parser.add_argument(
        "--measure", action="store_true",
        help="first time how fast this machine trains and predicts at the widths of the backbones, some seconds for "
        "each, and keep it in the store",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", type=positive, default=None, help="processes that work at once while measuring (default: as in `run`)"
    )
    parser.add_argument(
        "--device", choices=sorted(DEVICES), default=None,
        help="estimate for a device that need not be here, from its maker's nominal speed",
    )  # fmt: skip
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per stage kind, and everything that stands in the way of a run."""
    plan = read_plan(arguments)
    store = Store(arguments.store)
    if arguments.measure:
        from adapterxfer.api.timing import measure_speed

        measure_speed(plan, arguments.store, jobs=arguments.jobs)
    device = DEVICES[arguments.device] if arguments.device else None
    rows = estimate(plan, store, device=device)
    choices = choices_made(plan.stages.of_kind(CHOICE), store.completed()) if plan.recipe.chooses else []
    # Data may come later, a plan says what they will be for; a folder of a backbone that is not one is a mistake.
    code = next((error.exit_code for error in (plan.missing_backbones, plan.unfit) if error is not None), 0)
    if arguments.json:
        say_json("plan", as_json(plan, rows) | {"choices": [asdict(choice) for choice in choices]})
        return code
    say(f"{plan.recipe.name}: {count(len(plan.stages), 'stage')}, {count(len(plan.cells), 'cell')}")
    say_table(
        ["stage", "count", "done", "ready", "waiting", "estimate", "peak memory", "basis"],
        [
            [
                row.kind,
                f"{row.count:,}",
                f"{row.done:,}",
                f"{row.ready:,}",
                f"{row.waiting:,}",
                row.hours,
                row.memory,
                row.basis,
            ]
            for row in rows
        ],
        right=(1, 2, 3, 4, 5, 6),
    )
    seconds = [row.seconds for row in rows if row.kind not in ("prepare", "report")]
    if None not in seconds:
        total = sum(value or 0 for value in seconds)
        where = f"on one {arguments.device}" if device else "on one process"
        say(f"estimate for training and prediction that are not done, {where}: {duration(total)}")
    else:
        say(UNKNOWN_TIME)
    if device is not None:
        say(f"nominal: {ASSUMED_SHARE:.0%} of {device.tflops:g} TFLOP/s in bf16; nothing was measured on this device")
        if (most := max(row.memory_gb for row in rows)) > device.memory_gb:
            say(f"caution: a stage may need {most:.1f} GiB; {arguments.device} has {device.memory_gb:g} GB")
    say_choices(choices)
    say_obstacles(plan)
    return code


CHOICES_SHOWN = 12
"""Choices that are listed in a terminal; a report has a table of all."""


def say_choices(choices: Sequence[MadeChoice]) -> None:
    """Print what English development data choose, and what they have chosen."""
    made = sum(1 for choice in choices if choice.chosen is not None)
    if choices:
        say(f"chosen by English dev data: {made} of {count(len(choices), 'choice')} made")
    for choice in choices[:CHOICES_SHOWN]:
        say(f"  {choice}")
    if len(choices) > CHOICES_SHOWN:
        say(f"  and {len(choices) - CHOICES_SHOWN} more; a report lists all")


def say_obstacles(plan: Plan) -> None:
    """Print what will not run, and why."""
    for name, cells in plan.unavailable.items():
        say(f"{NO_SOURCE}: backbone {name} ({count(cells, 'cell')})")
    if plan.unavailable:
        say(f"  {NAME_SOURCE}")
    reasons: dict[str, list[str]] = {}
    for refusal in plan.refused:
        reasons.setdefault(refusal.reason, []).append(f"{refusal.variant} {refusal.intermediate}>{refusal.target}")
    for reason, cells_ in reasons.items():
        shown = ", ".join(cells_[:4]) + (f" and {len(cells_) - 4} more" if len(cells_) > 4 else "")
        say(f"does not exist: {shown}: {reason}")
    for because, cells in plan.excluded.items():
        say(f"excluded: {count(cells, 'cell')}: {because}")
    for line in published_lines(plan):
        say(line)
    for note in hub_notes(plan):
        say(note)
    if plan.needs_measurement:
        say("the token budget is measured when the run starts; stages that depend on it have provisional keys")
    if plan.missing_data is not None:
        say("files are missing; keys are provisional")
        (say if plan.missing_backbones is None else complain)(str(plan.missing_data))
    for caution in plan.cautions:
        say(f"warning: {caution}")
    if plan.unfit is not None:
        complain(str(plan.unfit))


def published_lines(plan: Plan) -> list[str]:
    """Published adapters that are known not to fit, or were not looked at yet; nobody is asked."""
    if not plan.recipe.reuse:
        return []
    from adapterxfer.hub.early import look_at_published

    lines = []
    for look in look_at_published(plan.recipe, online=False):
        if look.differences:
            lines.append(f"published adapter does not fit: {look.name}: {'; '.join(look.differences)}")
        elif not look.looked:
            lines.append(f"published adapter not looked at yet: {look.name}; `check --online` asks the Hub")
    return lines


def as_json(plan: Plan, rows: list[KindEstimate]) -> dict[str, object]:
    """The plan in short, for programs."""
    return {
        "recipe": plan.recipe.name,
        "stages": len(plan.stages),
        "cells": len(plan.cells),
        "kinds": [row.as_json() for row in rows],
        "unavailable": [{"kind": "backbone", "name": name, "cells": cells} for name, cells in plan.unavailable.items()],
        "refused": [
            {
                "variant": refusal.variant,
                "intermediate": refusal.intermediate,
                "target": refusal.target,
                "reason": refusal.reason,
            }
            for refusal in plan.refused
        ],
        "excluded": dict(plan.excluded),
        "needs_measurement": plan.needs_measurement,
        "from_hub": list(plan.from_hub),
        "published": published_lines(plan),
        "missing_data": plan.missing_data.what if plan.missing_data else None,
        "unfit": plan.unfit.what if plan.unfit else None,
    }
