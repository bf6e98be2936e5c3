"""How to publish the best model of a study: the commands at the end of a report."""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass

from adapterxfer.catalog import is_other_evaluation, tasks
from adapterxfer.report.cells import FULL, NONE
from adapterxfer.report.model import Findings


@dataclass(frozen=True, slots=True)
class Sharing:
    """One model and the commands that publish it.

    Attributes:
        text: which model it is and why this one; where it cannot be bundled, the reason.
        commands: to be run where the recipe was run; none where it cannot be bundled.
    """

    text: str
    commands: tuple[str, ...]


def bundle_name(
    backbone: str, variant: str, intermediate: str, target: str, *, adapter: str = "", seed: int | None = None
) -> str:
    """Name of the bundle of one trained model.

    Args:
        variant: as in the labels of its stage; ``adapter`` for an adapter without intermediate task.
        intermediate: ``none`` is left out.
        target: empty for an intermediate model.
        adapter: only where the recipe has several.
        seed: only where it is not the recipe's first.
    """
    parts = [backbone, variant, "" if intermediate == NONE else intermediate, target, adapter.replace("/", "-")]
    parts.append("" if seed is None else f"seed{seed}")
    text = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(part for part in parts if part))
    return re.sub(r"\.{2,}", ".", text).strip("-.")[:96]


def sharing(findings: Findings) -> Sharing | None:
    """The system with the highest mean zero-shot score on trained targets at the largest backbone, on its best target.

    None where nothing was trained for a target.
    """
    trained = [facts for facts in findings.backbones if not facts.untrained]
    # A target without training (retrieval) has no model of its own to share.
    known = [facts.name for facts in findings.targets if not is_other_evaluation(facts.name)]
    names = {name for name in known if name not in tasks() or tasks()[name].trained}
    rows = [
        score
        for score in findings.scores
        if score.group_kind == "zero-shot" and not score.control and score.target in names and score.variant
    ]
    for facts in reversed(trained):
        own = [row for row in rows if row.backbone == facts.name]
        systems: dict[tuple[str, str], dict[str, float]] = {}
        for row in own:
            systems.setdefault((row.variant, row.intermediate), {})[row.target] = row.score
        most = max(map(len, systems.values()), default=0)
        whole = {system: scores for system, scores in systems.items() if len(scores) == most}
        if not whole:
            continue
        best = max(whole, key=lambda system: statistics.fmean(whole[system].values()))
        # Bundles know no models that search: their heads embed and do not answer.
        answering = {name: score for name, score in whole[best].items() if not _searches(name)}
        target = max(answering or whole[best], key=whole[best].__getitem__)
        return _commands(findings, facts.name, *best, target, whole[best][target])
    return None


def _commands(findings: Findings, backbone: str, arm: str, intermediate: str, target: str, points: float) -> Sharing:
    variant, _, adapter = arm.partition(" ")
    trained = "adapter" if intermediate == NONE and variant != FULL else variant
    system = f"{arm} after {intermediate}" if intermediate != NONE else f"{trained} without intermediate task"
    text = (
        f"Highest mean zero-shot score on trained targets at the largest backbone: {system} on {backbone}; here for "
        f"{target} ({points:.1f} points), its best target. "
    )
    if reason := _unbundled(findings.adapters.get(arm, adapter), target):
        return Sharing(text + reason, ())
    only = [f"backbone={backbone}", f"variant={variant}", f"intermediate={intermediate}", f"target={target}"]
    only += [f"adapter={adapter}"] if adapter else []
    name = bundle_name(backbone, trained, intermediate, target, adapter=adapter)
    make = f"adapterxfer bundle recipes/{findings.recipe}.yaml " + " ".join(f"--only {entry}" for entry in only)
    make += " --full-weights" if variant == FULL else ""
    text += (
        "The bundle holds the run of the first seed, not the best one. Where the study was run with --store or --set, "
        "give the first command the same."
    )
    return Sharing(text, (make, f"adapterxfer push bundles/{name} --to ORG/{name}"))


def _searches(target: str) -> bool:
    return target in tasks() and tasks()[target].format == "retrieval"


def _unbundled(adapter: str, target: str) -> str:
    """Why a model cannot be bundled; empty where it can."""
    if adapter.endswith("+language"):
        return "It rests on language adapters, one for each language it is asked in, so it cannot be bundled."
    if "upper-half" in adapter.split("/"):
        return "Its adapters are in the upper half of the layers alone, which bundles cannot say, so it is not bundled."
    if _searches(target):
        return "It embeds texts that are then searched, which bundles cannot do yet."
    return ""
