"""The questions that every report asks, as declarations in the language of recipes: docs/hypotheses.md.

They are judged by the code that judges a recipe's own hypotheses. What is literal here is what is asked; the study
fills in the names of its variants, tiers and controls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from adapterxfer.catalog import ORACLE, base_target
from adapterxfer.catalog.arms import split_arm
from adapterxfer.catalog.pair_kinds import SEVERAL, UNTRAINED_TARGET, kinds_in_order
from adapterxfer.catalog.supervision import supervision_of
from adapterxfer.recipe.hypotheses import Hypothesis, Quantity, read_hypotheses
from adapterxfer.report.content import EffectKind
from adapterxfer.report.display import FULL, NONE
from adapterxfer.report.selection import UNTRAINED
from adapterxfer.report.study import UNTRAINED_LABEL, Study, tiers_to_compare

FAMILIES = {
    "default.mean-gain": "mean gain",
    "default.gain-at-size": "gain at each size",
    "default.trend": "trend of the gain with size",
    "default.kind-gain": "gain by kind of pair",
    "default.kind-gain-at-size": "gain by kind of pair at each size",
    "default.kind-trend": "trend by kind of pair",
    "default.language-gain": "gain by language",
    "default.kept-mean": "gain of adapters against full fine-tuning, mean over sizes",
    "default.kept": "gain of adapters against full fine-tuning",
    "default.variants-mean": "variants, mean over sizes",
    "default.variants": "variants at each size",
    "default.cell-gain": "gain of each cell",
    "default.cell-trend": "trend of each cell's gain",
    "default.cell-variants": "variants on each cell",
    "default.tiers": "resource tiers",
    "default.controls": "scores against controls",
    "default.task-gain": "gain of each intermediate task",
    "default.arms": "arms against English intermediate training",
    "default.supervision": "labelled data in the target language against zero-shot",
    "default.supervised-gain": "gain with labelled data in the target language",
    "default.gain-change": "that gain against the zero-shot gain",
    "default.asked-mean": "asked apart from the report, mean over sizes",
    "default.asked": "asked apart from the report, at each size",
    "default.asked-cell": "asked apart from the report, each cell",
}
"""Family of default hypotheses -> what its tests are called in tables. Means come before what they are means of: a
number that several families ask about is judged in the first of them."""

LANGUAGES: dict[str, tuple[str, str]] = {
    "": ("", ""),
    "source": (".source", ", source language"),
    "family": (".family", ", by language family"),
    "resource": (".tier", ", by resource tier"),
    "language": (".language", ", by language"),
}
"""Kind of language group -> ending of the name of a family of hypotheses, and of what it is called."""


@dataclass(frozen=True, slots=True)
class Default:
    """One default hypothesis and how the report shows its tests.

    Attributes:
        kind: of the rows.
        family_text: what its family is called.
        ladder: also shown in four scopes of inference.
        systems: the rows are about systems and not about variants, several of which may be one system.
    """

    hypothesis: Hypothesis
    kind: EffectKind
    family_text: str
    ladder: bool = False
    systems: bool = False


def default_hypotheses(study: Study, margin: float | None) -> list[Default]:
    """Everything that the finished cells could answer.

    Args:
        margin: in points, within which differences count as equivalent; none where a recipe declares none.
    """
    return list(_Declarations(study, margin).all())


def comparison(
    study: Study, margin: float | None, sides: tuple[str, str], *, of: Quantity, over: Mapping[str, Any]
) -> list[Default]:
    """One variant against another: the mean, at every size, and for every cell.

    Args:
        sides: the variant that is judged, and the one it is compared with, in all their arms.
        of: compare their scores or their gains.
        over: narrows what is compared, as in a hypothesis.
    """
    arms = [[arm.label for arm in study.arms if arm.variant == side] for side in sides]
    kind: EffectKind = "variant difference" if of == "score" else "gain kept"
    listed = []
    say = _Declarations(study, margin)
    every = {"target": study.targets, "intermediate": ((NONE,) if of == "score" else ()) + study.intermediates, **over}
    for first, second in product(*arms):
        declared: dict[str, Any] = {"contrast": "difference", "of": of, "a": first, "b": second}
        means = {**declared, "over": over, "balance": "backbone", "overlaps": False}
        listed += [
            say.ask(kind, "asked-mean", **means),
            say.ask(kind, "asked", each=["backbone"], **means),
            say.ask(kind, "asked-cell", each=["backbone", "target", "intermediate"], over=every, **declared),
        ]
    return listed


class _Declarations:
    """The declarations with the names of one study."""

    def __init__(self, study: Study, margin: float | None) -> None:
        self.study, self.margin, self.number = study, margin, 0
        self.arms = tuple(arm.label for arm in study.arms)

    def all(self) -> Iterator[Default]:
        if not self.arms:
            return
        if self.study.intermediates:
            yield from self.means()
            yield from self.kinds()
            yield self.ask("gain", "language-gain", contrast="gain", over=self.over(), each=["variant", "language"])
            yield from self.kept()
            yield from self.variants()
            yield from self.cells()
            yield from self.names()
        yield from self.pairs_of_variants()
        yield from self.tiers()
        yield from self.controls()
        yield from self.supervision()

    def ask(
        self, kind: EffectKind, family: str, group: str = "", *, ladder: bool = False, systems: bool = False,
        **declared: Any,
    ) -> Default:  # fmt: skip
        """One declaration; a margin makes no sense for a slope, which is no difference in points."""
        self.number += 1
        ending, text = LANGUAGES[group]
        name = f"default.{family}"
        if self.margin is not None and declared["contrast"] != "slope":
            declared["margin"] = self.margin
        (hypothesis,) = read_hypotheses([{"id": f"default.{self.number}", "family": f"{name}{ending}", **declared}])
        return Default(hypothesis, kind, FAMILIES[name] + text, ladder, systems)

    def over(self, **more: Any) -> dict[str, Any]:
        """All arms by name, so that several adapters of one variant stay apart."""
        return {"variant": self.arms, **more}

    def groups(self) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        """Kind of language group, what it adds to the selection, and to `each`."""
        yield "", {}, []
        for name in self.study.group_names("source"):
            yield "source", {"language": (name,)}, []
        yield "family", {}, ["family"]
        yield "resource", {}, ["resource"]

    def means(self) -> Iterator[Default]:
        """Gain of every variant, over all sizes and at each, and its trend; for groups of languages too."""
        for group, more, each in self.groups():
            declared: dict[str, Any] = {"contrast": "gain", "over": self.over(**more), "balance": "backbone"}
            text: dict[str, Any] = {} if group else {"text": "Gain"}
            yield self.ask("gain", "mean-gain", group, ladder=not group, each=["variant", *each], **declared, **text)
            yield self.ask("gain", "gain-at-size", group, each=["variant", *each, "backbone"], **declared)
            text = {} if group else {"text": "Trend of the gain"}
            yield self.trend("trend", self.over(**more), ["variant", *each], group, ladder=not group, **text)

    def trend(
        self, family: str, over: dict[str, Any], each: list[str], group: str = "", *, ladder: bool = False,
        **more: Any,
    ) -> Default:  # fmt: skip
        """Change of a gain per tenfold parameters."""
        return self.ask("trend", family, group, ladder=ladder, contrast="slope", over=over, each=each, **more)

    def kinds(self) -> Iterator[Default]:
        """Gain and trend for every kind of (intermediate, target) pair."""
        pairs = kinds_in_order(self.study.pair_kind(i, t) for i in self.study.intermediates for t in self.study.targets)
        if not pairs:
            return
        declared: dict[str, Any] = {"contrast": "gain", "over": self.over(pair=pairs), "balance": "backbone"}
        yield self.ask("gain", "kind-gain", each=["pair", "variant"], **declared)
        yield self.ask("gain", "kind-gain-at-size", each=["pair", "variant", "backbone"], **declared)
        yield self.trend("kind-trend", self.over(pair=pairs), ["pair", "variant"])

    def kept(self) -> Iterator[Default]:
        """Gain of each adapter variant minus that of full fine-tuning, on the pairs both have."""
        full = next((arm.label for arm in self.study.arms if arm.variant == FULL), None)
        for arm in self.arms if full is not None else ():
            if arm != full:
                declared: dict[str, Any] = {"contrast": "difference", "a": arm, "b": full, "balance": "backbone"}
                yield self.ask("gain kept", "kept-mean", **declared)
                yield self.ask("gain kept", "kept", each=["backbone"], **declared)

    def variants(self) -> Iterator[Default]:
        """Score of one variant minus another, with an intermediate task."""
        for first, second in combinations(self.arms, 2):
            declared: dict[str, Any] = {
                "contrast": "difference", "of": "score", "a": second, "b": first, "balance": "backbone",
                "overlaps": False,
            }  # fmt: skip
            yield self.ask("variant difference", "variants-mean", **declared)
            yield self.ask("variant difference", "variants", each=["backbone"], **declared)

    def cells(self) -> Iterator[Default]:
        """Gain of every single cell and its trend; pairs whose data overlap too, since nothing is averaged."""
        axes = ["variant", "intermediate", "target"]
        single: dict[str, Any] = {"target": self.study.targets}
        for group, more, each in self.groups():
            yield self.ask(
                "gain", "cell-gain", group, contrast="gain", over=self.over(**single, **more), overlaps=True,
                each=[*axes, "backbone", *each],
            )  # fmt: skip
        yield self.trend("cell-trend", self.over(**single), axes, overlaps=True)

    def pairs_of_variants(self) -> Iterator[Default]:
        """Score of one variant minus another, for every cell."""
        over = {"target": self.study.targets, "intermediate": (NONE, *self.study.intermediates)}
        for first, second in combinations(self.arms, 2):
            yield self.ask(
                "variant difference", "cell-variants", contrast="difference", of="score", a=second, b=first, over=over,
                each=["backbone", "target", "intermediate"],
            )  # fmt: skip

    def tiers(self) -> Iterator[Default]:
        """Score in the richest minus the poorest tier of languages, without an intermediate task."""
        compared: dict[tuple[str, str], list[str]] = {}
        for target in self.study.targets:
            names = tuple(group.name for group in self.study.groups[target] if group.kind == "resource")
            if (tiers := tiers_to_compare(names)) is not None:
                compared.setdefault(tiers, []).append(target)
        for (high, low), targets in compared.items():
            yield self.ask(
                "tier difference", "tiers", systems=True, contrast="difference", of="score", a={"resource": high},
                b={"resource": low}, over=self.over(intermediate=NONE, target=tuple(targets)),
                each=["target", "backbone", "variant"],
            )  # fmt: skip

    def controls(self) -> Iterator[Default]:
        """Score without an intermediate task minus each control; an oracle is nothing to be above of."""
        labels = [label for label, _, _ in self.study.controls if not label.startswith(ORACLE)]
        names = dict.fromkeys(UNTRAINED if label.startswith(UNTRAINED_LABEL) else label for label in labels)
        for name in names:
            yield self.ask(
                "above control", "controls", systems=True, contrast="difference", of="score",
                a={"intermediate": NONE}, b={"intermediate": NONE, "control": name},
                over=self.over(target=(*self.study.targets, *self.study.secondary)),
                each=["backbone", "variant", "target"],
            )  # fmt: skip

    def supervision(self) -> Iterator[Default]:
        """Every supervision against zero-shot transfer in the same languages, and what intermediate training gains."""
        for target in self.study.secondary:
            if not supervision_of(target) or (base := base_target(target)) not in self.study.targets:
                continue
            sides: dict[str, Any] = {"a": {"target": target}, "b": {"target": base}}
            each = ["backbone", "variant"]
            for group in ("", "language"):
                every = [*each, *([group] if group else [])]
                yield self.ask(
                    "supervision difference", "supervision", group, systems=True, contrast="difference", of="score",
                    over=self.over(intermediate=NONE), each=every, **sides,
                )  # fmt: skip
                for intermediate in self.study.intermediates:
                    yield self.ask(
                        "supervised gain", "supervised-gain", group, contrast="gain", overlaps=True, each=every,
                        over=self.over(intermediate=intermediate, target=target),
                    )  # fmt: skip
            for intermediate in self.study.intermediates:
                yield self.ask(
                    "gain change", "gain-change", contrast="difference", overlaps=True, each=each,
                    over=self.over(intermediate=intermediate), **sides,
                )  # fmt: skip

    def names(self) -> Iterator[Default]:
        """Every name on the axis of intermediate tasks by itself, and arms against the training they add to."""
        intermediates = self.study.intermediates
        if len(intermediates) < 2:
            return
        for more in self.trained_and_not():
            yield self.ask(
                "intermediate gain", "task-gain", contrast="gain", over=self.over(**more),
                each=["variant", "backbone", "intermediate"],
            )  # fmt: skip
            for name, other in compared_arms(intermediates):
                yield self.ask(
                    "arm difference", "arms", contrast="difference", of="score", overlaps=False,
                    a={"intermediate": name}, b={"intermediate": other}, over=self.over(**more),
                    each=["variant", "backbone"],
                )  # fmt: skip

    def trained_and_not(self) -> Iterator[dict[str, Any]]:
        """Targets with a training of their own, and apart from them those without one, if a study has both."""
        kinds = {self.study.pair_kind(i, t) for i in self.study.intermediates for t in self.study.targets}
        yield {}
        if UNTRAINED_TARGET in kinds and len(kinds) > 1:
            yield {"pair": UNTRAINED_TARGET}


def compared_arms(intermediates: tuple[str, ...]) -> list[tuple[str, str]]:
    """Every arm with the plain training of the same task, and several tasks together with each single one."""
    plain = [name for name in intermediates if not split_arm(name).arm]
    pairs = [(name, split_arm(name).base) for name in intermediates if split_arm(name).arm]
    pairs = [(name, base) for name, base in pairs if base in plain]
    single = [name for name in plain if name not in SEVERAL]
    return pairs + [(name, other) for name in plain if name in SEVERAL for other in single]
