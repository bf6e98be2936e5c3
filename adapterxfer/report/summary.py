"""The answer in a few short sentences: what a reader in a hurry takes home."""

from __future__ import annotations

from collections.abc import Sequence

from adapterxfer.report.model import Effect


def summarise(effects: Sequence[Effect]) -> tuple[str, ...]:
    """One sentence for the gain, its trend, adapters and controls each; those without data are left out."""
    means = [e for e in effects if not e.intermediate and e.group_kind == "zero-shot"]
    sentences = (
        _sentence(
            [e for e in means if e.kind == "gain" and not e.backbone],
            up="Training on an English intermediate task first helped zero-shot transfer",
            down="Training on an English intermediate task first hurt zero-shot transfer",
            open_="whether an English intermediate task helps",
        ),
        _sentence(
            [e for e in means if e.kind == "trend"],
            up="The gain rises as backbones grow",
            down="The gain falls as backbones grow",
            open_="whether the gain rises or falls with size",
        ),
        _sentence(
            [e for e in means if e.kind == "gain kept" and not e.backbone],
            up="Adapters gained more than full fine-tuning",
            down="Adapters gained less than full fine-tuning",
            open_="whether adapters gain more or less than full fine-tuning",
        ),
        _control_sentence([e for e in effects if e.kind == "above control"]),
    )
    return tuple(sentence for sentence in sentences if sentence)


def _control_sentence(effects: Sequence[Effect]) -> str:
    """On how many targets every system is above every control."""
    targets = list(dict.fromkeys(e.target for e in effects))
    if not targets:
        return ""
    weak = [target for target in targets if any(e.target == target and e.low <= 0.0 for e in effects)]
    if not weak:
        return "Without an intermediate task, every zero-shot score is above every control of its target."
    clear = [target for target in targets if target not in weak]
    start = (
        f"All zero-shot scores are above their controls on {_and(clear)}" if clear else "On no target is every score"
    )
    rest = f"some are not on {_and(weak)}" if clear else "above every control"
    return f"{start}; {rest}." if clear else f"{start} {rest}."


def _sentence(effects: Sequence[Effect], *, up: str, down: str, open_: str) -> str:
    if not effects:
        return ""
    is_open = [e.variant for e in effects if e.verdict in ("inconclusive", "not enough data")]
    higher = [_name(e) for e in effects if e.variant not in is_open and e.estimate > 0]
    lower = [_name(e) for e in effects if e.variant not in is_open and e.estimate <= 0]
    parts = []
    if higher:
        parts.append(f"{up} with {_and(higher)}")
    if lower:
        parts.append(f"{down} with {_and(lower)}")
    if is_open and not parts:
        return f"For {_and(is_open)}, this study cannot tell {open_}."
    if is_open:
        parts.append(f"for {_and(is_open)} this study cannot tell")
    return "; ".join(parts[:1] + [part[0].lower() + part[1:] for part in parts[1:]]) + "."


def _name(effect: Effect) -> str:
    return f"{effect.variant} (these models)" if effect.verdict == "found for these models" else effect.variant


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
