"""The page and its Markdown twin, rendered from findings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from adapterxfer.catalog import VARIANTS, is_other_evaluation
from adapterxfer.report.content import MODELS_ONLY, Effect, Findings
from adapterxfer.report.declared import Judged
from adapterxfer.report.display import signed
from adapterxfer.report.figures_cost import unit_of
from adapterxfer.report.headline import headline
from adapterxfer.report.hours import HoursRow
from adapterxfer.report.scores_page import zero_shot_table
from adapterxfer.report.sharing import sharing
from adapterxfer.report.svg import Figure, Panel
from adapterxfer.report.svg_inline import style_sheet
from adapterxfer.report.table_shape import Table
from adapterxfer.report.words import (
    SIGNIFICANT,
    SMALLEST_EFFECT,
    THESE_MODELS,
    estimate_text,
    held_words,
    level_text,
    outcome_words,
    rows_text,
    verdict_words,
)

SYNTHETIC_NOTE = (
    "Synthetic demonstration: made-up languages, texts and backbones. The numbers show how the tool works and say "
    "nothing about real languages or published models."
)

ROW_LIMIT = 12
"""Rows of a folded table on the page; whole tables are CSV files beside it."""

SCORE_ROWS = 60
"""Rows of the table of scores, which scrolls."""

HOURS_LIMIT = 8
"""Variants whose hours stand in words; all are in a file."""

PANEL_LIMIT = 6
"""Panels of a figure on the page; a study of ten targets has the others as files."""


class Measured(NamedTuple):
    """What was measured where a study was trained: time of each variant, and its figure if one can be drawn."""

    hours: tuple[HoursRow, ...] = ()
    panel: Panel | None = None


def render_html(
    findings: Findings, figures: Sequence[Figure], tables: Sequence[Table], measured: Measured | None = None
) -> str:
    """One self-contained page: no script, no outside reference, light and dark.

    What was measured stands between two comments, and nothing else of the page depends on it.
    """
    context = _context(findings, figures, tables)
    drawing = measured.panel.inline if measured is not None and measured.panel is not None else None
    context |= {
        "measured": None if drawing is None else drawing.markup,
        "measured_rules": "" if drawing is None else style_sheet([drawing], beyond=context["drawings"].values()),
        "measured_note": hours_note(measured.hours if measured is not None else ()),
    }
    return _environment(escape=True).get_template("report.html.j2").render(context)


def render_markdown(findings: Findings, figures: Sequence[Figure], tables: Sequence[Table]) -> str:
    """The same content as Markdown, with figures as files beside it."""
    return _environment(escape=False).get_template("report.md.j2").render(_context(findings, figures, tables))


def _environment(*, escape: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("adapterxfer.report", "templates"),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["protocol"] = protocol_text
    environment.filters["numbers"] = test_numbers
    environment.filters["cell"] = number_cell
    environment.filters["words"] = outcome_words
    environment.filters["held"] = held_words
    environment.filters["rows"] = rows_text
    return environment


def _context(findings: Findings, figures: Sequence[Figure], tables: Sequence[Table]) -> dict[str, Any]:
    level = level_text(findings.settings["level"])
    shown = [replace(figure, panels=figure.panels[:PANEL_LIMIT]) for figure in figures if figure.shown]
    drawings = {panel.name: panel.inline for figure in shown for panel in figure.panels}
    first = headline(findings)
    remarks = {effect.remark for row in first.rows for effect in row.cells if effect is not None}
    return {
        "f": findings,
        "headline": first,
        "remarked": MODELS_ONLY in remarks,
        # On a phone the means over all pairs stand in the sentence alone where the kinds of pairs have rows.
        "by_kind": any(effect.pair_kind for row in first.rows for effect in row.cells if effect is not None),
        "these_models": THESE_MODELS,
        "variants_note": variants_note([row.variant for row in first.rows]),
        "level": level,
        "figures": shown,
        "more_figures": [figure for figure in figures if not figure.shown],
        "drawings": drawings,
        "drawing_rules": style_sheet(drawings.values()),
        "scores": zero_shot_table(findings),
        "score_rows": SCORE_ROWS,
        "tables": tables,
        "row_limit": ROW_LIMIT,
        "synthetic_note": SYNTHETIC_NOTE,
        "sharing": sharing(findings),
        "facts": facts_line(findings),
        "hypotheses": _by_hypothesis(findings),
        "hypotheses_note": (
            f"Declared before the run and judged in their own families. Significant: the p-value, adjusted within the "
            f"family, is at most {1 - findings.settings['level']:.2g}. Undecided never means that there is no "
            f"difference: beside it stands the {SMALLEST_EFFECT}, with probability 0.8."
        ),
        "table_note": (
            f"Gain: zero-shot score with an English intermediate task minus without it, in points, with {level} "
            f"intervals over new test items and, with several seeds, new training runs; both they and p are "
            f"adjusted within the family of tests. Undecided is not 'no difference'."
        ),
    }


def hours_note(rows: Sequence[HoursRow]) -> str:
    """The measured time of every variant in words, and what it is and is not."""
    known = [row for row in rows if row.hours is not None]
    if not known:
        return (
            "Time of training is not known: the trainings are not in this store, were trained elsewhere, or were all "
            "interrupted."
            if rows
            else ""
        )
    unit, factor = unit_of(known)
    names = dict.fromkeys(row.variant for row in known)
    listed = []
    for name in list(names)[:HOURS_LIMIT]:
        sizes = [f"{row.backbone} {factor * (row.hours or 0.0):.3g}" for row in known if row.variant == name]
        listed.append(f"{name}: {', '.join(sizes)}")
    devices = sorted({device for row in known for device in row.devices})
    total, timed = sum(row.systems for row in rows), sum(row.measured for row in rows)
    rest = "" if timed == total else f" Known of {timed} of {total} systems; interrupted trainings are left out."
    return (
        f"Measured, in {unit}, on {'; '.join(devices)}: the median over seeds and tasks of the wall time of all "
        f"trainings behind a system with an intermediate task. {'; '.join(listed)}.{rest} Other work on the "
        "machine is in it; another machine takes another time. All of it: measured/hours.csv."
    )


def variants_note(shown: Sequence[str]) -> str:
    """What the variants of the first table are, in a sentence each."""
    names = dict.fromkeys(label.split(" ")[0].split("/")[0] for label in shown)
    known = [f"{name}: {VARIANTS[name].description}" for name in names if name in VARIANTS]
    return "; ".join(known) + "." if known else ""


def number_cell(effect: Effect | None) -> dict[str, str] | None:
    """What the first table shows of one effect."""
    if effect is None:
        return None
    p = effect.p_adjusted
    ends = effect.ends
    known = all(math.isfinite(end) for end in ends)
    return {
        "estimate": signed(effect.estimate),
        "interval": f"{signed(ends[0])} to {signed(ends[1])}" if known else "no interval",
        # Two runs in a family of several, one run: there is no adjusted p-value, and no interval that belongs to one.
        "p": "not adjusted" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.3f}",
        "verdict": verdict_words(effect),
        "outcome": effect.verdict.replace(" ", "-"),
        "lower": "yes" if effect.verdict == SIGNIFICANT and effect.estimate < 0 else "",
        "remark": THESE_MODELS if effect.remark == MODELS_ONLY else "",
    }


def _by_hypothesis(findings: Findings) -> list[dict[str, Any]]:
    """Tests in groups, one for each declared hypothesis."""
    groups: dict[str, list[Judged]] = {}
    for test in findings.tests:
        groups.setdefault(test.hypothesis, []).append(test)
    return [
        {
            "id": name,
            "text": tests[0].text,
            "reference": tests[0].reference,
            "label": tests[0].reference_label,
            "tests": tests,
        }
        for name, tests in groups.items()
    ]


def test_numbers(test: Judged) -> str:
    """A test in one sentence: estimate, interval, p-value, scope; where it is undecided, the detectable effect."""
    estimate = estimate_text(test)
    if not estimate:
        return "No number."
    parts = [estimate]
    if test.p_adjusted is not None:
        p = "< 0.001" if test.p_adjusted < 0.001 else f"= {test.p_adjusted:.3f}"
        parts.append(f"p {p}" + ("" if test.adjustment == "one test" else f" ({test.adjustment})"))
    if test.margin is not None:
        shown = "shown" if test.not_inferior else "not shown"
        parts.append(f"not worse by {test.margin:g}: {shown}")
    if test.outcome == "inconclusive" and test.detectable is not None and math.isfinite(test.detectable):
        each = " in each of the parts" if test.contrast == "at_least" else ""
        parts.append(f"{SMALLEST_EFFECT} {test.detectable:.2f}{each}")
    if test.resampled:
        parts.append(f"over {test.resampled}" if test.scope in ("items", "items+runs") else f"scope {test.scope}")
    return "; ".join(parts) + "."


def facts_line(findings: Findings) -> str:
    """What was studied, in one line."""
    trained = [facts for facts in findings.backbones if not facts.untrained]
    zero_shot = [row for row in findings.languages if row["code"] != findings.source_language]
    families = {row["family"] for row in zero_shot}
    parts = [
        _plural(len(trained), "backbone"),
        f"variants {', '.join(findings.variants)}" if findings.variants else "",
        f"intermediate tasks {', '.join(findings.intermediates)}" if findings.intermediates else "no intermediate task",
        f"targets {', '.join(name for name in (t.name for t in findings.targets) if not is_other_evaluation(name))}",
        f"{_plural(len(zero_shot), 'zero-shot language')} in {_plural(len(families), 'family', 'families')}",
        _plural(len(findings.seeds), "seed"),
    ]
    return "; ".join(fact for fact in parts if fact) + "."


def protocol_text(protocol: Any) -> str:
    """A protocol on one line, whatever JSON it is."""
    if isinstance(protocol, dict):
        return ", ".join(f"{name} {value}" for name, value in protocol.items())
    if isinstance(protocol, (list, tuple)):
        return ", ".join(map(str, protocol))
    return "" if protocol is None else str(protocol)


def _plural(count: int, word: str, many: str = "") -> str:
    return f"{count} {word}" if count == 1 else f"{count} {many or word + 's'}"
