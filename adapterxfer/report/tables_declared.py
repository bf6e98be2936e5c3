"""Tables of declared hypotheses, ladders, ranks, variance components and power."""

from __future__ import annotations

from adapterxfer.report.content import Findings
from adapterxfer.report.declared import Judged
from adapterxfer.report.table_shape import Column, Table, Value
from adapterxfer.report.words import level_text


def declared_tables(findings: Findings) -> tuple[Table, ...]:
    """The tables that have rows, in the order of the page."""
    tables = (
        hypotheses(findings),
        scales(findings),
        families(findings),
        ladders(findings),
        ranks(findings),
        components(findings),
        power(findings),
    )
    return tuple(table for table in tables if table.rows)


def hypotheses(findings: Findings) -> Table:
    """Every test of every declared hypothesis, ours beside the reference."""
    referenced = any(test.reference is not None for test in findings.tests)
    columns = [
        Column("test"),
        Column("claim"),
        Column("verdict"),
        Column("estimate", "nats"),
        Column(f"{level_text(findings.settings['level'])} interval", "interval"),
        Column("adjusted interval", "interval"),
        Column("p adjusted", "p"),
        Column("adjusted by"),
        Column("scope"),
        Column("expected"),
        Column("not worse by the margin"),
    ]
    columns += [Column("reference", "nats"), Column("reference is")] if referenced else []
    rows: list[tuple[Value, ...]] = []
    for test in findings.tests:
        expected = f"{test.expected}: {test.held}" if test.expected else ""
        row: tuple[Value, ...] = (
            test.name,
            test.text,
            test.verdict,
            test.estimate,
            _interval(test.low, test.high),
            _interval(test.adjusted_low, test.adjusted_high),
            test.p_adjusted,
            test.adjustment,
            test.scope,
            expected,
            "" if test.not_inferior is None else "shown" if test.not_inferior else "not shown",
        )
        rows.append((*row, test.reference, test.reference_label) if referenced else row)
    note = "Declared in the recipe before the run. Every p-value is adjusted within its declared family."
    note += " Reference values are printed only: no verdict looks at them." if referenced else ""
    return Table("hypotheses", "Declared hypotheses", note, tuple(columns), tuple(rows))


def scales(findings: Findings) -> Table:
    """Questions about sizes on three scales."""
    rows: list[tuple[Value, ...]] = []
    for test in (*findings.tests, *findings.ladders):
        name = test.name if test in findings.tests else test.text
        for scale in test.scales:
            agree = "scale dependent" if test.scale_dependent else "all agree"
            rows.append((name, scale.scale, scale.estimate, _bounds(scale.low, scale.high), scale.p, agree))
    columns = (
        Column("question"),
        Column("scale"),
        Column("per tenfold parameters", "fine"),
        Column("from to"),
        Column("p", "p"),
        Column("scales"),
    )
    note = (
        "A gain in points may shrink with size because little is left to gain. Logit: change of the log odds; relative "
        "error: change of the log of the errors, turned so that up is better. Where signs or significance differ the "
        "result is scale dependent. Not adjusted."
    )
    return Table("scales", "Trends on three scales", note, columns, tuple(rows), open=False)


def _interval(low: float | None, high: float | None) -> tuple[float, float] | None:
    return None if low is None or high is None else (low, high)


def _bounds(low: float, high: float) -> str:
    return f"{low:+.2f} to {high:+.2f}"


def families(findings: Findings) -> Table:
    """How the declared families were adjusted."""
    columns = (
        Column("family"),
        Column("tests", "count"),
        Column("adjusted by"),
        Column("significant", "count"),
        Column("equivalent", "count"),
        Column("undecided", "count"),
    )
    rows = tuple(
        (f.family, f.tests, f.adjustment, f.found, f.equivalent, f.inconclusive)
        for f in (*findings.families, *findings.default_families)
    )
    note = (
        "Over test items: Romano-Wolf. Over items and training runs: Holm; tests with few runs (fewer than five, with "
        "moderated variances fewer than three) are read with the fewest degrees of freedom among them. With two runs "
        "and variances of their own adjusted p-values of families with several tests are withheld."
    )
    return Table("families", "Multiplicity", note, columns, rows, open=False)


def ladders(findings: Findings) -> Table:
    """Every rung of every question."""
    rows: list[tuple[Value, ...]] = []
    for test in (*findings.tests, *findings.ladders):
        name = test.name if test in findings.tests else test.text
        rows += [_rung(name, test, number) for number in range(len(test.rungs))]
    columns = (
        Column("question"),
        Column("scope"),
        Column("estimate", "nats"),
        Column(f"{level_text(findings.settings['level'])} interval", "interval"),
        Column("standard error", "nats"),
        Column("df", "df"),
        Column("p", "p"),
        Column("assumes, or why it cannot be had"),
    )
    note = (
        "One number in four scopes of inference. The interval over languages rests on their spread and on the "
        "error over runs and parallel items that they share. Not adjusted."
    )
    return Table("ladders", "Four scopes of inference", note, columns, tuple(rows), open=False)


def _rung(name: str, test: Judged, number: int) -> tuple[Value, ...]:
    rung = test.rungs[number]
    bounds = (rung.low, rung.high) if rung.low is not None and rung.high is not None else None
    why = f"cannot be had: {rung.missing}" if rung.missing else rung.assumes
    return (name, rung.scope, rung.estimate, bounds, rung.standard_error, rung.df, rung.p, why)


def ranks(findings: Findings) -> Table:
    """Rank intervals of the intermediate tasks."""
    columns = (
        Column("variant"),
        Column("intermediate"),
        Column("score", "points"),
        Column("rank", "count"),
        Column("ranks not excluded"),
        Column("may be the best"),
    )
    rows = tuple(
        (r.variant, r.intermediate, r.score, r.rank, f"{r.low} to {r.high}", "yes" if r.may_be_best else "no")
        for r in findings.ranks
    )
    note = (
        "Mean zero-shot score over the (backbone, target) cells that all intermediate tasks of the variant have. Ranks "
        "hold for all together; the trained models are held fixed. No row is the best for having the highest number."
    )
    return Table("ranks", "Rank intervals of intermediate tasks", note, columns, rows, open=False)


def components(findings: Findings) -> Table:
    """Standard deviations by source."""
    columns = (
        Column("number"),
        Column("estimate", "nats"),
        Column("standard error", "nats"),
        Column("test items", "nats"),
        Column("training runs", "nats"),
        Column("runs x items", "nats"),
        Column("languages (spread)", "nats"),
        Column("what to spend next"),
    )
    rows = tuple(
        (s.subject, s.estimate, s.standard_error, s.items, s.runs, s.interaction, s.languages, s.advice)
        for s in findings.spending
    )
    note = (
        "Parts of the standard error by source, in points; their squares add up. A test that holds the trained models "
        "fixed has none of training runs. Languages: standard deviation of the effect between languages, for scale."
    )
    return Table("components", "Where the uncertainty comes from", note, columns, rows, open=False)


def power(findings: Findings) -> Table:
    """Minimum detectable effects now and with more data."""
    planned = tuple(dict.fromkeys(seeds for row in findings.spending for seeds, _ in row.with_seeds))
    columns = (
        Column("number"),
        Column("seeds", "count"),
        Column("now", "nats"),
        Column("twice the items", "nats"),
        *(Column(f"{seeds} seeds", "nats") for seeds in planned),
    )
    rows = tuple(
        (s.subject, s.seeds, s.detectable, s.with_twice_items, *(dict(s.with_seeds).get(seeds) for seeds in planned))
        for s in findings.spending
    )
    note = (
        "Smallest true effect that would be found with probability 0.8 after adjustment in its family, in points. "
        "Projections keep the estimated variances and the other tests."
    )
    return Table("power", "What could be found", note, columns, rows, open=False)
