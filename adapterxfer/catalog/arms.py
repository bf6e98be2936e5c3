"""Arms of an intermediate training: the same task again with something added, as ``TASK+ARM`` on the same axis.

Source: Phang et al. 2020: masked language modelling continued during intermediate training, and machine-translated
intermediate data, each beside the plain English training.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple

Arm = Literal["", "mlm", "translated"]

ARMS: tuple[Arm, ...] = ("mlm", "translated")
"""``mlm``: multilingual masked text mixed in; ``translated``: the examples in several languages."""


class ArmName(NamedTuple):
    """A name on the axis of intermediate tasks, taken apart; ``arm`` is empty for a plain training."""

    base: str
    arm: Arm


@cache
def split_arm(name: str) -> ArmName:
    """``mnli+mlm`` -> ``mnli`` and ``mlm``; ``anli+`` is a task of its own."""
    for arm in ARMS:
        if name.endswith(f"+{arm}"):
            return ArmName(name.removesuffix(f"+{arm}"), arm)
    return ArmName(name, "")


def arm_of(base: str, arm: Arm) -> str:
    """The name of an arm of a task."""
    return f"{base}+{arm}" if arm else base
