"""How to publish the best model of a study: the commands at the end of a report."""

from __future__ import annotations

import re
import shlex
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace

from adapterxfer.catalog import is_other_evaluation, tasks
from adapterxfer.catalog.declared import declared_in
from adapterxfer.catalog.records import Task
from adapterxfer.recipe.axes import Axes
from adapterxfer.report.content import Findings
from adapterxfer.report.display import FULL, NONE


@dataclass(frozen=True, slots=True)
class Sharing:
    """One model and the commands that publish it.

    Attributes:
        text: which model it is and why this one; where it cannot be bundled, the reason.
        commands: to be run where the recipe was run; none where it cannot be bundled.
    """

    text: str
    commands: tuple[str, ...]


def bundle_name(axes: Axes, *, first_seed: bool = True) -> str:
    """Name of the bundle of one trained model.

    Args:
        axes: variant as in the labels of its stage (``adapter`` for an adapter without intermediate task), the adapter
            only where the recipe has several, no target for an intermediate model.
        first_seed: whether its seed is the recipe's first, which is not named.
    """
    intermediate = "" if axes.intermediate == NONE else axes.intermediate
    parts = [axes.backbone, axes.variant, intermediate, axes.target, axes.adapter.replace("/", "-")]
    parts.append("" if first_seed else f"seed{axes.seed}")
    text = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(word for word in parts if word))
    return re.sub(r"\.{2,}", ".", text).strip("-.")[:96]


def sharing(findings: Findings) -> Sharing | None:
    """The system with the highest mean zero-shot score on trained targets at the largest backbone, on its best target.

    None where nothing was trained for a target, and where scores come from no recipe: what made them is not known here.
    """
    if not findings.recipe_file:
        return None
    trained = [facts for facts in findings.backbones if not facts.untrained]
    # A target without training (retrieval) has no model of its own to share.
    known = [facts.name for facts in findings.targets if not is_other_evaluation(facts.name)]
    catalogued = _tasks(findings)
    names = {name for name in known if name not in catalogued or catalogued[name].trained}
    rows = [
        score
        for score in findings.scores
        if score.group_kind == "zero-shot" and not score.control and score.target in names and score.variant
    ]
    for facts in reversed(trained):
        of_backbone = [row for row in rows if row.backbone == facts.name]
        systems: dict[tuple[str, str], dict[str, float]] = {}
        for row in of_backbone:
            systems.setdefault((row.variant, row.intermediate), {})[row.target] = row.score
        most = max(map(len, systems.values()), default=0)
        whole = {system: scores for system, scores in systems.items() if len(scores) == most}
        if not whole:
            continue
        best = max(whole, key=lambda system: statistics.fmean(whole[system].values()))
        # Bundles know no models that search: their heads embed and do not answer.
        answering = {name: score for name, score in whole[best].items() if not _searches(catalogued, name)}
        target = max(answering or whole[best], key=whole[best].__getitem__)
        arm, intermediate = best
        axes = Axes(backbone=facts.name, variant=arm, intermediate=intermediate, target=target)
        return _commands(findings, axes, whole[best][target])
    return None


def _commands(findings: Findings, axes: Axes, points: float) -> Sharing:
    """What bundles one system; its variant is named as in tables: with the adapter where there are several."""
    arm, intermediate, target = axes.variant, axes.intermediate, axes.target
    variant, _, adapter = arm.partition(" ")
    trained = "adapter" if intermediate == NONE and variant != FULL else variant
    after = f"{arm} after {intermediate}" if intermediate != NONE else f"{trained} without intermediate task"
    text = (
        f"Highest mean zero-shot score on trained targets at the largest backbone: {after} on {axes.backbone}; "
        f"here for {target} ({points:.1f} points), its best target. "
    )
    if reason := _unbundled(findings.adapters.get(arm, adapter), searches=_searches(_tasks(findings), target)):
        return Sharing(text + reason, ())
    model = replace(axes, variant=variant, adapter=adapter)
    only = [f"{axis}={value}" for axis, value in model.values().items() if value]
    name = bundle_name(replace(model, variant=trained))
    make = f"adapterxfer bundle {shlex.quote(findings.recipe_file)} " + " ".join(
        f"--only {shlex.quote(condition)}" for condition in only
    )
    make += " --full-weights" if variant == FULL else ""
    text += (
        "The bundle holds the run of the first seed, not the best one. Where the study was run with --store or --set, "
        "give the first command the same."
    )
    return Sharing(text, (make, f"adapterxfer push bundles/{name} --to ORG/{name}"))


def _tasks(findings: Findings) -> Mapping[str, Task]:
    return {**tasks(), **declared_in({str(facts["name"]): facts for facts in findings.declared})}


def _searches(known: Mapping[str, Task], target: str) -> bool:
    return target in known and known[target].format == "retrieval"


def _unbundled(adapter: str, *, searches: bool) -> str:
    """Why a model cannot be bundled; empty where it can."""
    if adapter.endswith("+language"):
        return "It rests on language adapters, one for each language it is asked in, so it cannot be bundled."
    if "upper-half" in adapter.split("/"):
        return "Its adapters are in the upper half of the layers alone, which bundles cannot say, so it is not bundled."
    if searches:
        return "It embeds texts that are then searched, which bundles cannot do yet."
    return ""
