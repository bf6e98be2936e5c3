"""What a result of a meta-analysis is about, and what it says, in words."""

from __future__ import annotations

import math

from adapterxfer.hub.meta import MetaEffect


def subject(effect: MetaEffect) -> str:
    """``gain of world-nli, stack seq_bn/2 on world-mini, world-xnli``."""
    contrast = effect.contrast
    system = " ".join(filter(None, [contrast.variant or "any variant", contrast.adapter]))
    intermediate = contrast.intermediate or "any intermediate task"
    first = f"gain of {intermediate}" if effect.quantity == "gain" else f"score after {intermediate}"
    where = contrast.target if len(effect.languages) > 1 else f"{contrast.target} in {effect.languages[0]}"
    return f"{first}, {system} on {contrast.backbone or 'any backbone'}, {where}"


def sentences(effect: MetaEffect) -> list[str]:
    """The pooled effect and how much studies differ, one statement a line; empty where nothing was pooled."""
    pooled = effect.pooled
    if pooled is None:
        return []
    level = f"{pooled.level:.0%}"
    if not math.isfinite(pooled.low):
        return [f"pooled {pooled.estimate:+.2f} points; all studies agree exactly, so nothing says how sure this is"]
    lines = [
        f"pooled {pooled.estimate:+.2f} points ({pooled.low:+.2f} to {pooled.high:+.2f}, {level}), p {_p(pooled.p)}, "
        f"{pooled.df:.1f} degrees of freedom"
    ]
    between = f"between studies: tau {pooled.tau:.2f} points"
    if math.isfinite(pooled.q):
        between += f", I2 {pooled.i2:.0%}, Q {pooled.q:.2f} (p {_p(pooled.q_p)})"
    if math.isfinite(effect.run_sd):
        between += f"; one training run varies by {effect.run_sd:.2f} points"
    lines.append(between)
    if math.isfinite(pooled.prediction_low):
        lines.append(
            f"true effect of one more study: {pooled.prediction_low:+.2f} to {pooled.prediction_high:+.2f} points"
        )
    else:
        lines.append("true effect of one more study: cannot be said from two studies")
    return lines


def _p(value: float) -> str:
    return f"{value:.4f}" if value >= 1e-4 else "< 0.0001"
