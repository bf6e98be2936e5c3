"""The page and its Markdown twin, rendered from findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined

from adapterxfer.catalog import is_other_evaluation
from adapterxfer.report.declared import Judged, Outcome
from adapterxfer.report.findings import margin_text
from adapterxfer.report.model import MODELS_ONLY, Findings
from adapterxfer.report.sharing import sharing
from adapterxfer.report.svg import Figure
from adapterxfer.report.table_shape import Table

SYNTHETIC_NOTE = (
    "Synthetic demonstration. Languages, texts and backbones of this study are made up: the numbers show how the tool "
    "works and say nothing about real languages or published models."
)

ROW_LIMIT = 200
"""Rows of a table on the page; a grid of thousands of cells is read as CSV."""


def render_html(findings: Findings, figures: Sequence[Figure], tables: Sequence[Table]) -> str:
    """One self-contained page: no script, no outside reference, light and dark."""
    return _environment(escape=True).get_template("report.html.j2").render(_context(findings, figures, tables))


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
    return environment


def _context(findings: Findings, figures: Sequence[Figure], tables: Sequence[Table]) -> dict[str, Any]:
    level = f"{findings.settings['level']:.0%}"
    return {
        "f": findings,
        "figures": figures,
        "tables": tables,
        "verdicts": get_args(Outcome),
        "row_limit": ROW_LIMIT,
        "synthetic_note": SYNTHETIC_NOTE,
        "sharing": sharing(findings),
        "facts": facts_line(findings),
        "hypotheses": _by_hypothesis(findings),
        "hypotheses_note": (
            "Declared before the run. A verdict is one of: difference found; equivalent within the declared margin; "
            "inconclusive, with the smallest effect that would have been found with probability 0.8. Inconclusive "
            "never means that there is no difference. p-values are adjusted within the declared family."
        ),
        "scope_note": (
            f"Intervals ({level}) are about new test items and, with several seeds, new training runs; languages, "
            "tasks and backbones are the fixed ones of this study. Verdicts use p-values adjusted within their family. "
            f"'{MODELS_ONLY.capitalize()}' is a remark, no verdict: it holds for new test items, but the seeds do not "
            f"show that it would survive retraining. {margin_text(findings.settings.get('margin'))}"
        ),
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
    """Estimate, interval, p-value and scope of a test in one sentence."""
    if test.estimate is None or test.low is None or test.high is None:
        return "No number."
    parts = [f"{test.estimate:+.2f} {test.unit} ({test.low:+.2f} to {test.high:+.2f})"]
    if test.p_adjusted is not None:
        p = "< 0.001" if test.p_adjusted < 0.001 else f"= {test.p_adjusted:.3f}"
        parts.append(f"p {p}" + ("" if test.adjustment == "one test" else f" ({test.adjustment})"))
    if test.margin is not None:
        shown = "shown" if test.not_inferior else "not shown"
        parts.append(f"not worse by {test.margin:g}: {shown}")
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
    return "; ".join(part for part in parts if part) + "."


def protocol_text(protocol: Any) -> str:
    """A protocol on one line, whatever JSON it is."""
    if isinstance(protocol, dict):
        return ", ".join(f"{name} {value}" for name, value in protocol.items())
    if isinstance(protocol, (list, tuple)):
        return ", ".join(map(str, protocol))
    return "" if protocol is None else str(protocol)


def _plural(count: int, word: str, many: str = "") -> str:
    return f"{count} {word}" if count == 1 else f"{count} {many or word + 's'}"
