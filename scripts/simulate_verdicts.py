"""Error rates and power of verdicts: whole studies with known effects, judged as a report judges them.

    python scripts/simulate_verdicts.py [--studies 400] [--minutes 10] [--only TEXT] [--json FILE] [--page FILE]

Every study draws new test items, training runs and languages, and is judged by the functions behind `adapterxfer report
--verdicts`: contrasts, moderated run variance, ladder, families, verdicts. Nothing is trained and no file is written. A
rate is the share of studies in which a verdict was wrong (without an effect) or right (with one). `verdict_studies.py`
has the situations.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import stats
from verdict_studies import Situation, draw, situations

from adapterxfer.recipe.hypotheses import read_hypotheses
from adapterxfer.report.declared import FamilySummary, Judged
from adapterxfer.report.effects import answer, default_families
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import build_study
from adapterxfer.report.verdicts import Verdicts, judge


def outcomes(situation: Situation, rng: np.random.Generator, *, resamples: int = 100) -> list[Judged]:
    """Verdicts of one drawn study; tests over runs do not depend on the number of resamples."""
    declared = [{"id": f"H{number}", **asked} for number, asked in enumerate(situation.hypotheses)]
    settings = ReportSettings(resamples=resamples, seed=1, hypotheses=read_hypotheses(declared))
    return list(judge(build_study(draw(situation.design, rng)), settings.hypotheses, settings).tests)


def general_answers(situation: Situation, rng: np.random.Generator, *, resamples: int = 100) -> list[FamilySummary]:
    """Families of what every report asks, of one drawn study; a family of several tests only."""
    study = build_study(draw(situation.design, rng))
    counted = answer(study, ReportSettings(resamples=resamples, seed=1), Verdicts()).counted
    return [family for family in default_families(counted) if family.tests > 1]


def rates(situation: Situation, studies: int, seed: int, *, seconds: float = math.inf) -> dict[str, Rates]:
    """Counts by hypothesis, or by family of the general answers, over studies drawn until the CPU time is up."""
    counts: dict[str, Rates] = {}
    start = time.process_time()
    for number in range(studies):
        rng = np.random.default_rng([seed, number])
        if not situation.hypotheses:
            for family in general_answers(situation, rng):
                counts.setdefault(family.family, Rates()).add_family(family)
        else:
            tests = outcomes(situation, rng)
            for position, asked in enumerate(situation.hypotheses):
                name = f"{asked.get('contrast')} ({asked['family']}, {asked.get('scope', 'items+runs')})"
                chosen = [test for test in tests if test.hypothesis == f"H{position}"]
                counts.setdefault(name, Rates()).add(chosen, situation.design.gain)
        if time.process_time() - start > seconds:
            break
    return counts


@dataclass(slots=True, kw_only=True)
class Rates:
    """Counts over studies.

    Attributes:
        any_found: studies with at least one difference found; without an effect the family-wise error.
        found, positive: tests found, and found above 0.
        covered: tests whose printed interval holds the planted gain, of those with an interval.
        unnested: tests with a rung of the ladder that is surer than the one below it.
        errors: standard errors of all tests, to compare with the spread of their estimates.
    """

    studies: int = 0
    tests: int = 0
    any_found: int = 0
    found: int = 0
    positive: int = 0
    covered: int = 0
    withheld: int = 0
    unnested: int = 0
    estimates: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)

    def add(self, tests: Sequence[Judged], truth: float) -> None:
        """Count one study."""
        self.studies += 1
        self.tests += len(tests)
        hits = [test for test in tests if test.outcome == "difference found"]
        self.any_found += bool(hits)
        self.found += len(hits)
        self.positive += sum(test.estimate is not None and test.estimate > 0 for test in hits)
        self.withheld += sum(withheld(test) for test in tests)
        self.unnested += sum(map(unnested, tests))
        for test in tests:
            if test.estimate is None or test.low is None or test.high is None or test.standard_error is None:
                continue
            self.covered += test.low <= truth <= test.high
            self.estimates.append(test.estimate)
            self.errors.append(test.standard_error)
            self.widths.append((test.high - test.low) / 2.0)

    def add_family(self, family: FamilySummary) -> None:
        """Count one study by the summary of a family."""
        self.studies += 1
        self.tests += family.tests
        self.any_found += family.found > 0
        self.found += family.found

    @property
    def summary(self) -> dict[str, float]:
        """Rates and means for a table; `low` and `high` are the ends of the 95 % interval of `any found`."""
        known = max(len(self.estimates), 1)
        bounds = stats.binomtest(self.any_found, max(self.studies, 1)).proportion_ci(method="wilson")
        return {
            "studies": self.studies,
            "tests": self.tests / max(self.studies, 1),
            "any found": self.any_found / max(self.studies, 1),
            "low": float(bounds.low),
            "high": float(bounds.high),
            "found": self.found / max(self.tests, 1),
            "positive": self.positive / max(self.tests, 1),
            "covered": self.covered / known if self.estimates else math.nan,
            "mean": float(np.mean(self.estimates)) if self.estimates else math.nan,
            "sd": float(np.std(self.estimates)) if self.estimates else math.nan,
            "error": float(np.sqrt(np.mean(np.square(self.errors)))) if self.errors else math.nan,
            "half width": float(np.median(self.widths)) if self.widths else math.nan,
            "withheld": self.withheld / max(self.tests, 1),
            "not nested": self.unnested / max(self.tests, 1),
        }


def withheld(test: Judged) -> bool:
    """Whether a test has no verdict because of too few runs."""
    return "withheld" in test.adjustment or any(text in test.remark for text in ("cannot be had", "Not evaluated"))


def unnested(test: Judged) -> bool:
    """Whether some rung of the ladder, from items and runs up, is surer than the one below it."""
    known = [rung for rung in test.rungs[1:] if not rung.missing and rung.low is not None and rung.p is not None]
    for lower, upper in pairwise(known):
        assert lower.low is not None
        assert lower.high is not None
        assert lower.p is not None
        assert upper.low is not None
        assert upper.high is not None
        assert upper.p is not None
        if upper.low > lower.low + 1e-9 or upper.high < lower.high - 1e-9 or upper.p < lower.p - 1e-9:
            return True
    return False


COLUMNS = ("any found", "95 % interval", "found", "covers", "mean", "sd", "error", "half width", "withheld", "studies")
HEAD = f"| studies with, asked (family, scope) | {' | '.join(COLUMNS)} |"


def main() -> None:
    """Simulate until the time is up, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400, help="of every situation")
    parser.add_argument("--minutes", type=float, default=10.0, help="CPU minutes of all situations together")
    parser.add_argument("--only", default="", metavar="TEXT", help="situations whose name contains it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--languages", type=int, help="zero-shot languages of every design; one is the fastest")
    parser.add_argument("--list", action="store_true", help="print the names of the situations only")
    parser.add_argument("--json", type=Path, help="write all rates here")
    parser.add_argument("--page", type=Path, help="write the table here")
    arguments = parser.parse_args()
    chosen = [(name, situation) for name, situation in situations() if arguments.only in name]
    if arguments.list:
        print(*(name for name, _ in chosen), sep="\n")
        return
    results: dict[str, dict[str, float]] = {}
    for number, (name, situation) in enumerate(chosen):
        if arguments.languages:
            situation = replace(situation, design=replace(situation.design, languages=arguments.languages))
        seconds = 60.0 * arguments.minutes / len(chosen)
        counts = rates(situation, arguments.studies, arguments.seed + number, seconds=seconds)
        for asked, count in counts.items():
            results[f"{name}: {asked}"] = count.summary
            print(row(f"{name}: {asked}", count.summary), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    if arguments.page:
        lines = [HEAD, "|---" * (1 + len(COLUMNS)) + "|", *(row(name, summary) for name, summary in results.items())]
        arguments.page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def row(name: str, summary: Mapping[str, float]) -> str:
    """One line of the table."""
    numbers = [f"{summary['any found']:.3f}", f"{summary['low']:.3f} to {summary['high']:.3f}"]
    numbers += [f"{summary[key]:.3f}" for key in ("found", "covered")]
    numbers += [f"{summary[key]:.2f}" for key in ("mean", "sd", "error", "half width", "withheld")]
    shown = f"| {name} | {' | '.join(numbers)} | {summary['studies']:.0f} |"
    return shown.replace(" nan ", " ")


if __name__ == "__main__":
    main()
