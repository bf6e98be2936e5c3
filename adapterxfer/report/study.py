"""The finished part of a study as the statistics see it: a table of scores, and which systems may be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapterxfer.catalog import VARIANTS, Task, base_target, is_development, is_other_evaluation
from adapterxfer.catalog.pair_kinds import PairKind, pair_kind
from adapterxfer.catalog.supervision import supervision_of
from adapterxfer.metrics import gold_columns
from adapterxfer.report.clusters import LanguageItems, items_of_whole, language_items
from adapterxfer.report.content import GroupKind
from adapterxfer.report.display import FULL, NONE, RESOURCE_ORDER, Cell, LanguageFacts, resource_key, variant_key
from adapterxfer.report.results import Results
from adapterxfer.report.target_results import TargetResults
from adapterxfer.statistics import CellCounts, ScoreTable, SumScore, System, build_table, mean_counts

SCORE_NAMES = {"em": "exact match"}
"""Secondary scores whose short name says little."""

ADAPTER_BASELINE = "adapter baseline"
"""Without an intermediate task, sequential, stack and fuse are the same training: an adapter alone."""

UNTRAINED_LABEL = "untrained: "

TARGET_LANGUAGES = "target languages"
"""Name of the mean over all languages of a target whose models saw labelled data in them."""


@dataclass(frozen=True, slots=True)
class Group:
    """Languages whose scores are averaged with equal weights."""

    kind: GroupKind
    name: str
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arm:
    """A transfer variant with its adapter: what is compared at every size."""

    variant: str
    adapter: str
    label: str


@dataclass(frozen=True, slots=True)
class TrainedBackbone:
    """A backbone that was trained, with its sizes."""

    name: str
    parameters: int
    non_embedding_parameters: int

    @property
    def size(self) -> int:
        """The size axis of the study: non-embedding parameters, or all where these are unknown."""
        return self.non_embedding_parameters or self.parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Scores of all finished systems and the axes they vary on.

    Attributes:
        systems: (backbone, arm label, intermediate, target) -> system in the table. Cells that are the same trained
            models (the adapter baseline of sequential, stack and fuse) share one system.
        controls: (control label, backbone or empty, target) -> system.
        shown: (system, target) -> its name in tables of scores: several arms may be one system there.
        backbones: by size, smallest first; untrained twins and controls are not among them.
        targets: the targets, each with its main metric; only these are compared.
        secondary: ``<target> (<score>)`` for scores of secondary interest, such as exact match, and
            ``<target>@<label>`` for other evaluations and for supervision in the target language; they are shown, and
            set against controls, but never averaged with others.
        overlaps: (intermediate, target) pairs that share text, so that a gain is no transfer.
        tasks: the tasks of the catalogue, and those that the recipe declares.
    """

    table: ScoreTable
    systems: Mapping[tuple[str, str, str, str], System]
    controls: Mapping[tuple[str, str, str], System]
    shown: Mapping[tuple[System, str], str]
    backbones: tuple[TrainedBackbone, ...]
    arms: tuple[Arm, ...]
    intermediates: tuple[str, ...]
    targets: tuple[str, ...]
    secondary: tuple[str, ...]
    overlaps: frozenset[tuple[str, str]]
    languages: Mapping[str, LanguageFacts]
    groups: Mapping[str, tuple[Group, ...]]
    tasks: Mapping[str, Task]

    def pair_kind(self, intermediate: str, target: str) -> PairKind:
        """Kind of one (intermediate, target) pair."""
        return pair_kind(intermediate, target, self.tasks)

    def baseline(self, backbone: str, arm: Arm, target: str) -> System | None:
        """The system without intermediate training that a gain of this arm is measured against."""
        without = self.systems.get((backbone, arm.label, NONE, target))
        if without is not None:
            return without
        # A target that is not trained has one baseline for all variants: the backbone as it is.
        others = {
            system
            for (name, label, intermediate, task), system in self.systems.items()
            if (name, intermediate, task) == (backbone, NONE, target) and self._same_adapter(label, arm)
        }
        return next(iter(others)) if len(others) == 1 else None

    def _same_adapter(self, label: str, arm: Arm) -> bool:
        other = next(item for item in self.arms if item.label == label)
        return other.adapter in ("", arm.adapter)

    def order(self, label: str) -> int:
        """Sort key of an arm: its position in the order in which arms are shown."""
        return next((index for index, arm in enumerate(self.arms) if arm.label == label), len(self.arms))

    def group(self, target: str, kind: GroupKind, name: str) -> Group | None:
        """One group of languages of a target, if it has such languages."""
        return next((g for g in self.groups[target] if (g.kind, g.name) == (kind, name)), None)

    def group_names(self, kind: GroupKind) -> tuple[str, ...]:
        """All groups of a kind over all targets: tiers from high to low, others by name."""
        names = {group.name for groups in self.groups.values() for group in groups if group.kind == kind}
        return tuple(sorted(names, key=resource_key if kind == "resource" else str))


def build_study(results: Results) -> Study:
    """Join all finished predictions into one table.

    Raises:
        StatisticsError: systems of one target were scored on different examples.
    """
    labels = arm_labels(results.cells)
    systems: dict[tuple[str, str, str, str], System] = {}
    controls: dict[tuple[str, str, str], System] = {}
    counts: list[CellCounts] = []
    metrics: dict[str, SumScore] = {}
    groups: dict[str, tuple[Group, ...]] = {}
    shown: dict[tuple[System, str], str] = {}
    for target, data, metric in _measures(results):
        metrics[target] = metric
        groups[target] = tuple(
            language_groups(
                data.frame.languages,
                results.languages,
                results.source_language,
                supervised=bool(supervision_of(target)),
            )
        )
        systems_of = list(_by_files(data).values())
        baselines = Counter(same[0][0].backbone for same in systems_of if _is_baseline(same[0][0]))
        # Other evaluations answer the same test items, so these are drawn together; development items are others.
        drawn = data.target if is_development(data.target) else base_target(data.target)
        items = language_items(data.frame, drawn)
        if supervision_of(target) and base_target(target) in results.targets:
            whole = results.target(base_target(target)).frame
            items = items_of_whole(data.frame, items, whole, language_items(whole, drawn))
        for same in systems_of:
            first = same[0][0]
            untouched = (
                _is_baseline(first) and not _is_trained(target, results.tasks) and baselines[first.backbone] == 1
            )
            label = shown_label([cells[0] for cells in same], labels, untouched=untouched)
            system = _system(first, label)
            shown[system, target] = label
            counts.extend(_counts(data, target, same[0], system, items))
            for cells in same:
                arm = labels[cells[0].variant, cells[0].adapter]
                if first.is_control:
                    controls[label, first.backbone, target] = system
                else:
                    systems[first.backbone, arm, cells[0].intermediate, target] = system
    trained = [cell for cell in results.cells if not cell.is_control]
    return Study(
        table=build_table(counts, metrics),
        systems=systems,
        controls=controls,
        shown=shown,
        backbones=_backbones(trained),
        arms=_arms(trained, labels),
        intermediates=tuple(dict.fromkeys(cell.intermediate for cell in trained if cell.intermediate != NONE)),
        targets=(targets := tuple(name for name in results.targets if not is_other_evaluation(name))),
        secondary=tuple(name for name in metrics if name not in targets),
        overlaps=frozenset((cell.intermediate, cell.target) for cell in trained if cell.overlap),
        languages=results.languages,
        groups=groups,
        tasks=results.tasks,
    )


def _is_baseline(cell: Cell) -> bool:
    return cell.intermediate == NONE and not cell.control


def _is_trained(target: str, tasks: Mapping[str, Task]) -> bool:
    """Whether models are trained on a target; nothing is known of one that neither catalogue nor recipe has."""
    known = tasks.get(base_target(target))
    return known is None or known.trained


def shown_label(same: list[Cell], labels: Mapping[tuple[str, str], str], *, untouched: bool = False) -> str:
    """What a system is called in tables of scores.

    Args:
        same: one cell of every arm that this system stands for.
        labels: (variant, adapter) -> arm.
        untouched: nothing was trained: a retrieval target without an intermediate task, whatever the variants.
    """
    first = same[0]
    if first.control:
        return first.control
    label = labels[first.variant, first.adapter]
    if first.intermediate == NONE:
        if untouched or (any(cell.variant == FULL for cell in same) and len(same) > 1):
            label = "untouched backbone"
        elif first.adapter and any(_is_one_adapter(cell.variant) for cell in same):
            label = label.replace(first.variant, ADAPTER_BASELINE)
    if not first.is_control:
        return label
    after = "" if first.intermediate == NONE else f" after {first.intermediate}"
    return f"{UNTRAINED_LABEL}{label}{after}"


def _is_one_adapter(variant: str) -> bool:
    """Whether the baseline of a variant is an adapter alone; the soup of a merged variant is a system of its own."""
    return variant in VARIANTS and VARIANTS[variant].shares_adapter_baseline


def language_groups(
    codes: tuple[str, ...], languages: Mapping[str, LanguageFacts], source: str, *, supervised: bool = False
) -> Iterator[Group]:
    """Zero-shot mean, source language, families, tiers and single languages of a target.

    Args:
        supervised: models saw labelled data in other languages, so that the mean bears another name.
    """
    zero_shot = tuple(code for code in codes if code != source)
    if zero_shot:
        yield Group("target", TARGET_LANGUAGES, zero_shot) if supervised else Group("zero-shot", "zero-shot", zero_shot)
    if source in codes:
        yield Group("source", source, (source,))
    for family in sorted({languages[code].family for code in zero_shot}):
        yield Group("family", family, tuple(c for c in zero_shot if languages[c].family == family))
    for tier in sorted({languages[code].resource for code in zero_shot}, key=resource_key):
        yield Group("resource", tier, tuple(c for c in zero_shot if languages[c].resource == tier))
    for code in zero_shot:
        yield Group("language", code, (code,))


def tiers_to_compare(names: tuple[str, ...]) -> tuple[str, str] | None:
    """The richest and the poorest tier, if there are two."""
    known = [name for name in names if name in RESOURCE_ORDER]
    return (known[0], known[-1]) if len(known) >= 2 else None


def _measures(results: Results) -> Iterator[tuple[str, TargetResults, SumScore]]:
    """Every target with its metric, then again with each score of secondary interest."""
    for target in results.targets:
        data = results.target(target)
        gold = gold_columns(data.metric)
        yield target, data, SumScore(target, data.metric.score, gold_columns=gold, lowest=data.metric.lowest)
        for name, score in () if is_other_evaluation(target) else data.metric.extra_scores.items():
            yield f"{target} ({SCORE_NAMES.get(name, name)})", data, SumScore(name, score, gold_columns=gold)


def _by_files(data: TargetResults) -> dict[tuple[str, ...], list[list[Cell]]]:
    """Prediction files -> the cells of every system that they are; one list for each, its seeds in it."""
    systems: dict[tuple[str, str, str, str, str], list[Cell]] = {}
    for cell in data.cells:
        systems.setdefault(cell.system, []).append(cell)
    table: dict[tuple[str, ...], list[list[Cell]]] = {}
    for cells in systems.values():
        table.setdefault(tuple(sorted({cell.predict for cell in cells})), []).append(cells)
    return table


def _system(cell: Cell, arm: str) -> System:
    return System.of(
        {
            "backbone": cell.backbone,
            "variant": arm,
            "intermediate": cell.intermediate,
            "control": cell.control,
        }
    )


def _counts(
    data: TargetResults, target: str, cells: list[Cell], system: System, items: Sequence[LanguageItems]
) -> Iterator[CellCounts]:
    runs = {cell.predict: cell.seed for cell in cells}
    # A rule, or one file for several seeds: nothing was trained, so nothing varies between runs.
    fixed = bool(cells[0].control) or (len(runs) == 1 and len(cells) > 1)
    draws: dict[int | str, list[str]] = {}
    for predict, seed in runs.items():
        draws.setdefault(seed if any(cell.draw for cell in cells) else predict, []).append(predict)
    # Cells of one backbone and seed share the order of their data, the initialisation of their heads, intermediate
    # models and baselines: their deviations correlate by .35 to .81 in the quickstart. As independent runs, differences
    # of scores between variants err in 8 to 10 % instead of 5, and gains do not profit from the pairing by seed.
    run_group = cells[0].backbone
    for predicts in draws.values():
        # No two runs share a draw of labelled examples, so the mean over its draws is one value of a run.
        seed = runs[predicts[0]]
        for language in items:
            yield CellCounts(
                system=dict(system.labels),
                seed=None if fixed and len(runs) == 1 else seed,
                target=target,
                language=language.language,
                domain=language.domain,
                cluster_ids=language.clusters,
                counts=mean_counts([data.counts[predict][language.rows] for predict in predicts]),
                run_group=run_group,
            )


def _backbones(cells: list[Cell]) -> tuple[TrainedBackbone, ...]:
    sizes = {
        cell.backbone: TrainedBackbone(cell.backbone, cell.parameters, cell.non_embedding_parameters)
        for cell in cells
        if cell.backbone
    }
    return tuple(sorted(sizes.values(), key=lambda item: (item.size, item.name)))


def arm_labels(cells: tuple[Cell, ...]) -> dict[tuple[str, str], str]:
    """The variant alone where it has one adapter in this study, else with the adapter.

    Cells without an adapter (a target that is not trained) belong to the arm of their variant.
    """
    adapters: dict[str, set[str]] = {}
    for cell in cells:
        adapters.setdefault(cell.variant, set()).update({cell.adapter} - {""})
    return {
        (cell.variant, cell.adapter): (
            f"{cell.variant} {cell.adapter}".strip() if len(adapters[cell.variant]) > 1 else cell.variant
        )
        for cell in cells
    }


def _arms(cells: list[Cell], labels: Mapping[tuple[str, str], str]) -> tuple[Arm, ...]:
    arms: dict[str, Arm] = {}
    for cell in cells:
        label = labels[cell.variant, cell.adapter]
        if label not in arms or not arms[label].adapter:
            arms[label] = Arm(cell.variant, cell.adapter, label)
    return tuple(sorted(arms.values(), key=lambda arm: (*variant_key(arm.variant), arm.adapter)))
