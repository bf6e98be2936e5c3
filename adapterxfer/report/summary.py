"""The answer in a few short sentences: what a reader in a hurry takes home."""

from __future__ import annotations

from collections.abc import Sequence

from adapterxfer.catalog.pair_kinds import LABELS, kinds_in_order
from adapterxfer.report.content import MODELS_ONLY, Effect


def summarise(effects: Sequence[Effect]) -> tuple[str, ...]:
    """Sentences for the gain (by kind of task pair), its trend, adapters and controls; without data none."""
    means = [e for e in effects if not e.intermediate and e.group_kind == "zero-shot"]
    gains = [e for e in means if e.kind == "gain" and not e.backbone]
    kinds = kinds_in_order(e.pair_kind for e in gains)
    sentences = [
        _sentence(LABELS[kind], [e for e in gains if e.pair_kind == kind], up="helps", down="hurts") for kind in kinds
    ]
    if not kinds:
        sentences.append(_sentence("An English intermediate task", gains, up="helps", down="hurts"))
    main = [e for e in means if not e.pair_kind]
    trends = [e for e in main if e.kind == "trend"]
    kept = [e for e in main if e.kind == "gain kept" and not e.backbone]
    sentences.append(_sentence("As backbones grow, the gain", trends, up="rises", down="falls"))
    against = f"Gain of adapters against {kept[0].against}:" if kept else ""
    sentences.append(_sentence(against, kept, up="larger", down="smaller"))
    sentences.append(_controls([e for e in effects if e.kind == "above control"]))
    return tuple(sentence for sentence in sentences if sentence)


def _controls(effects: Sequence[Effect]) -> str:
    """On which targets every score is above every control."""
    targets = list(dict.fromkeys(e.target for e in effects))
    if not targets:
        return ""
    weak = [target for target in targets if any(e.target == target and e.ends[0] <= 0.0 for e in effects)]
    clear = [target for target in targets if target not in weak]
    if not clear:
        return f"On no target is every score above every control (checked: {_and(targets)})."
    return f"Every score is above every control on {_and(clear)}{f', not on {_and(weak)}' if weak else ''}."


def _sentence(start: str, effects: Sequence[Effect], *, up: str, down: str) -> str:
    """What was found, then what is open, with what holds for these trained models only."""
    if not effects:
        return ""
    chosen = [e for e in effects if e.verdict == "difference found"]
    parts = [f"{word} with {_and(names)}" for word, names in _directions(chosen, up, down)]
    any_chosen = bool(chosen)
    same = [e for e in effects if e.verdict == "equivalent"]
    if same:
        parts.append(f"equivalent within {same[0].margin:g} points with {_and([e.variant for e in same])}")
    undecided = [e for e in effects if e.verdict == "inconclusive"]
    models_only = [e for e in undecided if e.remark == MODELS_ONLY]
    for word, names in _directions(models_only, up, down):
        parts.append(f"open for {_and(names)} (for these trained models alone: {word})")
    rest = [e.variant for e in undecided if e.remark != MODELS_ONLY]
    if rest:
        parts.append(f"open for {_and(rest)}")
    return f"{start}{'' if any_chosen or start.endswith(':') else ':'} {'; '.join(parts)}."


def _directions(effects: Sequence[Effect], up: str, down: str) -> list[tuple[str, list[str]]]:
    """The word of each direction that occurs, with its variants."""
    above = [e.variant for e in effects if e.estimate > 0]
    below = [e.variant for e in effects if e.estimate <= 0]
    return [(word, names) for word, names in ((up, above), (down, below)) if names]


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
