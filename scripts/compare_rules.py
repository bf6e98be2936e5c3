"""What the rules for training runs change on a store: half widths, smallest effects, power and findings by family.

    python scripts/compare_rules.py --store STORE [--effect 5] [--resamples 1000] [--json FILE] [--page FILE]

Judges what the newest report of a store asks, by three sets of rules:

- earlier: runs of different systems taken for independent, every run variance from its own runs, Satterthwaite's
  degrees of freedom over items and runs together, Holm (what reports printed before);
- clusters: runs of one backbone and seed move together, variances of their own;
- now: the same with moderated variances, as reports print.

Power is that of a 5 % test of one number with the printed error and degrees of freedom, for --effect points.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from scipy import special

from adapterxfer.report.claims import Claim
from adapterxfer.report.default_hypotheses import default_hypotheses
from adapterxfer.report.display import SOURCE_LANGUAGE, Cell
from adapterxfer.report.effects import family_texts, rows_of
from adapterxfer.report.results import Results
from adapterxfer.report.rulings import Numbers
from adapterxfer.report.selection import Selector
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import Study, build_study
from adapterxfer.report.verdicts import judge_claims
from adapterxfer.statistics import (
    FamilyMember,
    Reading,
    ScoreTable,
    adjust,
    adjust_tests,
    minimum_detectable_effect,
    resample,
    significant,
)
from adapterxfer.statistics.intervals import t_interval
from adapterxfer.statistics.thresholds import BEST_SCORE
from adapterxfer.statistics.variance import Components
from adapterxfer.store.keys import SHORT_KEY
from adapterxfer.store.store import Store

GRID = (np.arange(2000) + 0.5) / 2000
RULES = ("earlier", "clusters", "now")


class Test(NamedTuple):
    """One number by one set of rules; `significant` after adjustment within its family."""

    half_width: float
    smallest: float
    power: float
    significant: bool


def newest_report(store: Store) -> tuple[Results, ReportSettings]:
    """Results and settings of the report stage that ended last."""
    records = [store.read(folder) for folder in store.completed_of("report")]
    if not records:
        raise SystemExit(f"{store.root.name}: no report; run the recipe to its end first")
    stage = max(records, key=lambda record: str(record.provenance.get("finished_at", ""))).stage
    completed, identity = store.completed(), stage.identity
    folders = {
        role: completed[key[:SHORT_KEY]]
        for role, key in stage.inputs.items()
        if role.startswith("predict.") and key[:SHORT_KEY] in completed
    }
    results = Results.from_folders(
        [Cell.from_labels(labels) for labels in identity["cells"]],
        folders,
        languages=identity.get("languages"),
        source_language=str(identity.get("source_language") or SOURCE_LANGUAGE),
    )
    return results, ReportSettings.from_identity(identity)


def questions(study: Study, settings: ReportSettings) -> Iterator[Claim]:
    """Every number of the default tables once, in its first family."""
    seen: Numbers[None] = Numbers()
    for row in rows_of(Selector(study), default_hypotheses(study, settings.margin)):
        if seen.find(row.contrast) is None:
            seen.add(row.contrast, None)
            yield row.claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Tests of one family by each set of rules."""

    family: str
    tests: Mapping[str, Sequence[Test]]

    def row(self, rules: str) -> dict[str, float]:
        """Medians, mean power and findings."""
        tests = self.tests[rules]
        return {
            "half width": median(test.half_width for test in tests),
            "smallest effect": median(test.smallest for test in tests),
            "power": float(np.nanmean([test.power for test in tests])),
            "found": float(sum(test.significant for test in tests)),
        }


def compare(study: Study, settings: ReportSettings, effect: float) -> list[Comparison]:
    """All families of a study."""
    claims = list(questions(study, settings))
    judged = dict(zip(map(id, claims), as_reported(study, claims, settings, effect), strict=True))
    texts = family_texts()
    result = []
    for family in dict.fromkeys(claim.hypothesis.family for claim in claims):
        asked = [claim for claim in claims if claim.hypothesis.family == family]
        tests = {
            "earlier": unmoderated(apart(study.table), asked, effect, earlier=True),
            "clusters": unmoderated(study.table, asked, effect, earlier=False),
            "now": [judged[id(claim)] for claim in asked],
        }
        result.append(Comparison(family=texts.get(family, family), tests=tests))
    return result


def as_reported(study: Study, claims: Sequence[Claim], settings: ReportSettings, effect: float) -> list[Test]:
    """The tests as a report prints them."""
    verdicts = judge_claims(study, claims, settings)
    tests = []
    for test in verdicts.tests:
        error, df = test.standard_error or math.nan, test.df or math.nan
        half = math.nan if test.low is None or test.high is None else (test.high - test.low) / 2.0
        tests.append(known(half, error, df, effect, found=test.outcome == "difference found"))
    return tests


def apart(table: ScoreTable) -> ScoreTable:
    """The same scores with every system's runs in a group of their own."""
    return replace(table, rows=tuple(replace(row, group=(str(row.cell.system),)) for row in table.rows))


def unmoderated(table: ScoreTable, claims: Sequence[Claim], effect: float, *, earlier: bool) -> list[Test]:
    """The tests of one family over items and runs with run variances of their own."""
    contrasts = [claim.contrast for claim in claims if claim.contrast is not None]
    replicates = resample(table, contrasts, resamples=2, seed=0)
    parts = replicates.components
    errors = [math.sqrt(variance) for variance in parts.total.tolist()]
    dfs = plug_in(parts) if earlier else parts.total_df.tolist()
    readings = [Reading(float(v), e, d) for v, e, d in zip(replicates.values, errors, dfs, strict=True)]
    if earlier:
        adjusted = adjust([reading.p() for reading in readings], "holm").tolist()
    else:
        runs = parts.fewest_runs.tolist()
        members = [
            FamilyMember(p=reading.p(), readings=(reading,), runs=number, over_runs=True)
            for reading, number in zip(readings, runs, strict=True)
        ]
        adjusted = [row.p for row in adjust_tests(members)]
    return [
        known(
            t_interval(0.0, r.standard_error, r.df, level=0.95)[1],
            r.standard_error,
            r.df,
            effect,
            found=significant(p, 0.05),
        )
        for r, p in zip(readings, adjusted, strict=True)
    ]


def plug_in(parts: Components) -> list[float]:
    """Satterthwaite's degrees of freedom over items and every group of runs."""
    result = []
    for number, groups in enumerate(parts.groups):
        spread = sum(group.variance**2 / (group.runs - 1) for group in groups if group.runs > 1)
        spread += float(parts.items[number]) ** 2 / float(parts.items_df[number])
        result.append(float(parts.total[number]) ** 2 / spread if spread > 0.0 else math.inf)
    return result


def known(half_width: float, error: float, df: float, effect: float, *, found: bool) -> Test:
    """A test with the smallest effect that it finds with probability .8, and its power for one of a given size."""
    return Test(half_width, minimum_detectable_effect(error, df), power_of(effect, error, df), found)


def power_of(effect: float, error: float, df: float) -> float:
    """Probability that a two-sided 5 % t test finds an effect: the mean over what its standard error may be.

    The noncentral t distribution of scipy gives NaN for large effects with few degrees of freedom.
    """
    if not (error > 0.0 and df > 0.0):
        return math.nan
    critical, shift = (float(special.stdtrit(df, 0.975)) if math.isfinite(df) else 1.959964), effect / error
    spread = np.sqrt(special.chdtri(df, GRID) / df) if math.isfinite(df) else np.ones(1)
    return float(np.mean(special.ndtr(shift - critical * spread) + special.ndtr(-shift - critical * spread)))


COLUMNS = ("half width", "smallest effect", "power", "found")


def page(rows: Sequence[Comparison], effect: float) -> str:
    """A table with every figure by the three sets of rules."""
    shown = [name if name != "power" else f"power at {effect:g} points" for name in COLUMNS]
    each = ", ".join(RULES)
    lines = [
        f"| family (tests) | {' | '.join(f'{name}: {each}' for name in shown)} |",
        "|---" * (1 + len(COLUMNS)) + "|",
    ]
    for row in rows:
        figures = [row.row(rules) for rules in RULES]
        cells = [", ".join(text_of(name, figure[name]) for figure in figures) for name in COLUMNS]
        lines.append(f"| {row.family} ({len(row.tests['now'])}) | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def text_of(name: str, value: float) -> str:
    """A figure in a table; gains beyond the scale, where every score is between 0 and 100, are none."""
    if name == "found":
        return f"{value:.0f}"
    if name == "power":
        return f"{value:.2f}"
    return f"{value:.1f}" if value < BEST_SCORE else "over 100"


def main() -> None:
    """Compare the rules on a store and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True, help="with a finished report")
    parser.add_argument("--effect", type=float, default=5.0, help="points for which to give the power")
    parser.add_argument("--resamples", type=int, default=1000, help="of what the report asks")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--page", type=Path, help="write the table here")
    arguments = parser.parse_args()
    results, settings = newest_report(Store(arguments.store))
    rows = compare(build_study(results), replace(settings, resamples=arguments.resamples), arguments.effect)
    text = page(rows, arguments.effect)
    print(text, end="")
    if arguments.json:
        figures = {row.family: {rules: row.row(rules) for rules in RULES} for row in rows}
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if arguments.page:
        arguments.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
