"""Where a long stage saves its state, and how often."""

from __future__ import annotations

from adapterxfer.durable.checkpoints import EVERY_S, Checkpoints
from adapterxfer.stages.context import StageContext


def checkpoints_of(context: StageContext, *, before: str = "") -> Checkpoints | None:
    """Where the stage saves its state, and how often: ``checkpoint_seconds`` and ``checkpoint_steps`` of the settings,
    0 for never. What is trained before keeps its last state, so that going on later repeats little of it.
    """
    if context.resume is None:
        return None
    seconds = context.settings.get("checkpoint_seconds")
    return Checkpoints(
        context.resume / f"before-{before}" if before else context.resume,
        stage=f"{context.stage.key}/{before}" if before else context.stage.key,
        every_s=EVERY_S if seconds is None else float(seconds),
        every_steps=int(context.settings.get("checkpoint_steps") or 0),
        stop=context.stop,
    )
