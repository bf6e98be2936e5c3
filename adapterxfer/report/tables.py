"""The tables of a report: scores, effects, controls and backbones."""

from __future__ import annotations

from collections.abc import Callable

from adapterxfer.catalog import ORACLE
from adapterxfer.catalog.supervision import supervision_of
from adapterxfer.report.content import Effect, Findings, Score
from adapterxfer.report.display import parameter_text, resource_key
from adapterxfer.report.inputs import input_table
from adapterxfer.report.table_shape import Column, Table, Value
from adapterxfer.report.tables_oracle import oracle_table
from adapterxfer.report.tables_tasks import tasks_table
from adapterxfer.report.words import level_text


def build_tables(findings: Findings) -> tuple[Table, ...]:
    """All tables that have rows, in the order of the page."""
    tables = (
        _effect_table(
            findings,
            "mean-gains",
            "Mean gain at each size",
            "Averaged over the pairs with a trained target that all sizes of a variant have; 'mean' is over sizes.",
            lambda e: e.kind == "gain" and _is_main(e) and e.group_kind in ("zero-shot", "source"),
        ),
        _effect_table(
            findings,
            "kind-gains",
            "Gain and trend by kind of task pair",
            "Same kind: intermediate task and target have the same annotation. No target training: the target is "
            "evaluated with the intermediate model itself. A trend is per tenfold parameters.",
            lambda e: e.kind in ("gain", "trend") and bool(e.pair_kind),
        ),
        _effect_table(
            findings,
            "arms",
            "Arms of intermediate training",
            "Intermediate gain: zero-shot score with the intermediate task minus without it, mean over the trained "
            "targets that share no data with it. Arm difference: score after the intermediate task minus score after "
            "the one under 'against', on the targets of both. No target training: the same on retrieval targets.",
            lambda e: e.kind in ("intermediate gain", "arm difference"),
        ),
        _sampling_table(findings),
        _effect_table(
            findings,
            "trends",
            "Change of the gain per tenfold parameters",
            "Slope of the gain on log10 non-embedding parameters. With two sizes it is a difference, not a trend.",
            lambda e: e.kind == "trend" and _is_main(e),
        ),
        _effect_table(
            findings,
            "variants",
            "Variants compared at each size",
            "'Gain kept': gain of the variant minus gain of the other. 'Variant difference': score of the variant "
            "minus score of the other, both with an intermediate task. Each on the pairs that both have.",
            lambda e: e.kind in ("variant difference", "gain kept") and not e.intermediate,
        ),
        _effect_table(
            findings,
            "family-gains",
            "Mean gain by language family and resource tier",
            "As the mean gains, over the languages of one family or tier.",
            lambda e: e.kind == "gain" and _is_main(e) and e.group_kind in ("family", "resource"),
            unfolded=False,
        ),
        *tasks_table(findings),
        _score_table(findings),
        oracle_table(findings),
        _language_table(findings),
        _effect_table(
            findings,
            "cell-gains",
            "Gain of each cell",
            "Zero-shot score with the intermediate task minus without it, for every single cell.",
            lambda e: e.kind == "gain" and bool(e.intermediate) and e.group_kind == "zero-shot",
            unfolded=False,
        ),
        _effect_table(
            findings,
            "cell-variants",
            "Variants on each cell",
            "Zero-shot score of the variant minus that of the other, for every single cell.",
            lambda e: e.kind == "variant difference" and bool(e.intermediate),
            unfolded=False,
        ),
        _effect_table(
            findings,
            "controls",
            "Scores against controls",
            "Zero-shot score without an intermediate task minus the control's.",
            lambda e: e.kind == "above control",
            unfolded=False,
        ),
        _effect_table(
            findings,
            "tiers",
            "High against low resource languages",
            "Score in the richest tier minus score in the poorest, without an intermediate task.",
            lambda e: e.kind == "tier difference",
            unfolded=False,
        ),
        _backbone_table(findings),
        _size_table(findings),
        input_table(findings.inputs),
    )
    return tuple(table for table in tables if table.rows)


def _is_main(effect: Effect) -> bool:
    """Whether an effect is a mean over all pairs with a trained target."""
    return not effect.intermediate and not effect.pair_kind


def _effect_table(
    findings: Findings,
    name: str,
    title: str,
    note: str,
    chosen: Callable[[Effect], bool],
    *,
    unfolded: bool = True,
) -> Table:
    effects = [effect for effect in findings.effects if chosen(effect)]
    sized = any(effect.backbone for effect in effects)
    if len({effect.backbone for effect in effects if effect.backbone}) == 1:
        effects = [effect for effect in effects if effect.backbone]  # the mean over one size is that size
    axes: list[tuple[str, Callable[[Effect], str]]] = [
        ("pairs", lambda e: e.pair_kind),
        ("what", lambda e: e.kind),
        ("variant", lambda e: e.variant),
        ("against", lambda e: e.against),
        ("backbone", lambda e: e.backbone or ("mean" if sized else "")),
        ("intermediate", lambda e: e.intermediate),
        ("target", lambda e: e.target),
        ("languages", lambda e: e.group),
    ]
    shown = [
        (label, get) for label, get in axes if len({get(e) for e in effects}) > 1 or (label == "variant" and effects)
    ]
    level = level_text(findings.settings["level"])
    columns = (
        *(Column(label) for label, _ in shown),
        Column("difference", "signed"),
        Column(f"{level} interval", "interval"),
        Column("adjusted interval", "interval"),
        Column("p adjusted", "p"),
        Column("paired bootstrap", "interval"),
        Column("p adjusted", "p"),
        Column("detectable", "points"),
        Column("verdict"),
        Column("remark"),
    )
    rows = tuple(
        (
            *(get(e) for _, get in shown),
            e.estimate,
            (e.low, e.high),
            None if e.adjusted_low is None else (e.adjusted_low, e.adjusted_high),
            e.p_adjusted,
            (e.items_low, e.items_high),
            e.items_p_adjusted,
            e.detectable,
            e.verdict,
            "; ".join(text for text in (e.remark, e.judged_in and f"judged in: {e.judged_in}") if text),
        )
        for e in effects
    )
    return Table(name, title, note, columns, rows, unfolded)


def _sampling_table(findings: Findings) -> Table:
    note = (
        "Share of the steps that each task of a mixed intermediate training gets, and of the examples in each "
        "language; drawn: smallest and largest over all trainings of that name."
    )
    names = ("intermediate", "share of", "part")
    columns = (
        *(Column(name) for name in names), Column("declared", "percent"), Column("drawn", "percents"),
        Column("largest difference", "percent"), Column("trainings", "count"),
    )  # fmt: skip
    rows = tuple(
        (row.intermediate, row.share_of, row.part, row.declared, (row.low, row.high), row.off, row.trainings)
        for row in findings.sampling
    )
    return Table("sampling", "Declared and realised sampling shares", note, columns, rows, open=False)


def _control_label(control: str) -> str:
    return f"diagnostic, not zero-shot: {control}" if control.startswith(ORACLE) else f"control: {control}"


def _score_table(findings: Findings) -> Table:
    families = _group_names(findings, "family")
    tiers = sorted(_group_names(findings, "resource"), key=resource_key)
    averages: list[tuple[str, str]] = [("zero-shot", "zero-shot"), ("source", findings.source_language)]
    averages += [("family", name) for name in families] + [("resource", name) for name in tiers]
    systems: dict[tuple[str, str, str, str, str], dict[tuple[str, str], Score]] = {}
    for score in findings.scores:
        if score.repeated or supervision_of(score.target):
            continue  # no zero-shot score: tables_supervision.py has it
        key = (score.target, score.backbone, score.shown, score.intermediate, score.control)
        systems.setdefault(key, {})[score.group_kind, score.group] = score
    targets = list(dict.fromkeys(key[0] for key in systems))
    sizes = {facts.name: facts.non_embedding_parameters or facts.parameters for facts in findings.backbones}
    order = sorted(systems, key=lambda key: (targets.index(key[0]), bool(key[4]), sizes.get(key[1], 0)))
    rows = []
    for key in order:
        target, backbone, shown, intermediate, control = key
        groups = systems[key]
        values: list[Value] = []
        for column in averages:
            mean = groups.get(column)
            values.append(None if mean is None else (mean.score, mean.standard_deviation))
        label = _control_label(control) if control else shown
        first = next(iter(groups.values()))
        rows.append((target, backbone, label, "" if control else intermediate, *values, first.seeds))
    columns = (
        Column("target"),
        Column("backbone"),
        Column("system"),
        Column("intermediate"),
        Column("zero-shot", "points"),
        Column(findings.source_language, "points"),
        *(Column(f"family {name}", "points") for name in families),
        *(Column(f"{name} resource", "points") for name in tiers),
        Column("seeds", "count"),
    )
    note = (
        "Mean \u00b1 standard deviation over seeds, in points. Controls stand below the systems of their target. "
        f"'zero-shot' is the mean over all languages but {findings.source_language}. Without an intermediate task all "
        "adapter variants are the same training, the adapter baseline; a target that is not trained has the untouched "
        "backbone."
    )
    return Table("scores", "Scores and controls", note, columns, tuple(rows))


def _language_table(findings: Findings) -> Table:
    codes = [row["code"] for row in findings.languages]
    systems: dict[tuple[str, ...], dict[str, float]] = {}
    for score in findings.scores:
        if score.group_kind in ("language", "source") and not score.repeated:
            system = _control_label(score.control) if score.control else score.shown
            key = (score.target, score.backbone, system, "" if score.control else score.intermediate)
            systems.setdefault(key, {})[score.group] = score.score
    columns = (
        Column("target"),
        Column("backbone"),
        Column("system"),
        Column("intermediate"),
        *(Column(code, "points") for code in codes),
    )
    rows = tuple((*key, *(values.get(code) for code in codes)) for key, values in systems.items())
    names = ", ".join(f"{row['code']} {row['name']}" for row in findings.languages)
    return Table("languages", "Scores by language", f"Mean over seeds, in points. {names}.", columns, rows, open=False)


def _backbone_table(findings: Findings) -> Table:
    known = [
        ("mlm", "held-out loss"),
        ("unigram", "unigram level"),
        ("shuffled", "shuffled context"),
        ("accuracy", "share of tokens right"),
        ("marker_cloze_en", "marker cloze, English"),
        ("marker_cloze_zero-shot", "marker cloze, others"),
        ("learning_rate", "peak learning rate"),
        ("tokens", "training tokens"),
    ]
    present = [(key, label) for key, label in known if any(key in f.diagnostics for f in findings.backbones)]
    few_bits = any(f.weights for f in findings.backbones)
    columns = (
        Column("backbone"),
        Column("parameters", "size"),
        Column("non-embedding", "size"),
        *((Column("linear maps"),) if few_bits else ()),
        *(Column(label, "nats") for _, label in present),
    )
    rows = tuple(
        (
            *(f.name, f.parameters, f.non_embedding_parameters),
            *((f.weights or "full numbers",) if few_bits else ()),
            *(f.diagnostics.get(key) for key, _ in present),
        )
        for f in findings.backbones
    )
    note = (
        "Losses in nats per masked token on held-out text. A backbone that uses context is clearly below the unigram "
        "level, and worse when its context is shuffled. Marker cloze: percent of discourse markers put back right in "
        "made-up text, chance 33."
        if present
        else "Sizes of the backbones."
    )
    if few_bits:
        note += " Linear maps in int8 (8 bits) or nf4 (4 bits) are frozen; all other weights are in full numbers."
    return Table("backbones", "Backbones and their pretraining", note, columns, rows)


def _size_table(findings: Findings) -> Table:
    columns = (
        Column("backbone"), Column("system"), Column("backbone parameters", "size"), Column("non-embedding", "size"),
        Column("active in all", "size"), Column("trainable", "size"), Column("share", "percents"),
    )  # fmt: skip
    rows = tuple(
        (row.backbone, row.system, row.parameters, row.non_embedding_parameters, _range(row.total),
         _range(row.trainable), (row.share[0], row.share[-1]) if row.share else None)
        for row in findings.sizes
    )  # fmt: skip
    note = (
        "Parameters, heads left out. Active: backbone, adapters and fusion of the predicting model. Trainable: in the "
        "last training of the system; share: of the active ones. A merged model has no training of its own."
    )
    return Table("parameters", "Parameters of every system, and how many train", note, columns, rows)


def _range(values: tuple[int, ...]) -> str:
    return " to ".join(dict.fromkeys(map(parameter_text, values)))


def _group_names(findings: Findings, kind: str) -> list[str]:
    return list(dict.fromkeys(score.group for score in findings.scores if score.group_kind == kind))
