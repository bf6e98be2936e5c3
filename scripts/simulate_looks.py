"""Error rate, power and seeds of studies that are judged more than once, by the functions behind `report --verdicts`.

    python scripts/simulate_looks.py [--studies 400] [--seed 0] [--json FILE] [--page FILE]

Every study draws test items and ten training runs of one comparison and is judged three ways: at the declared looks of
3, 5 and 10 seeds with their levels, at the same looks with 0.05 each time until something is significant, and once with
all ten seeds. Nothing is trained and no file is written.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from adapterxfer.recipe.hypotheses import read_hypotheses
from adapterxfer.report.findings import verdicts
from adapterxfer.report.look_levels import declared_looks
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings

sys.path.insert(0, str(Path(__file__).parent))
from verdict_studies import Design, draw

LOOKS = (3, 5, 10)
ASKED = read_hypotheses([{"id": "H", "contrast": "gain"}])
ONCE = ReportSettings(resamples=200, hypotheses=ASKED)
SPREADS = (0.05, 0.1, 0.2)
"""Spread of one training run on the latent scale; 0.1 is about 4 points."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How one study ended.

    Attributes:
        significant: whether a difference was claimed.
        seeds: how many runs it took.
    """

    significant: bool
    seeds: int


def endings(results: Results) -> dict[str, Ending]:
    """One study judged in each of the three ways."""
    return {
        "declared looks": _until(results, replace(ONCE, looks=LOOKS)),
        "0.05 at each look": _until(results, ONCE),
        "once, ten seeds": Ending(_claims(results, ONCE), LOOKS[-1]),
    }


def _until(results: Results, settings: ReportSettings) -> Ending:
    """Stop at the first look that claims a difference."""
    for look in LOOKS:
        seen = _first_seeds(results, look)
        levels = {entry.seeds: 1.0 - entry.alpha for entry in declared_looks(settings)}
        if _claims(seen, replace(settings, looks=(), level=levels.get(look, settings.level))):
            return Ending(True, look)
    return Ending(False, LOOKS[-1])


def _first_seeds(results: Results, seeds: int) -> Results:
    """The drawn study as it stands after some seeds; drawn studies have no files that could be read again."""
    cells = tuple(cell for cell in results.cells if cell.seed < seeds)
    targets = {
        name: replace(data, cells=tuple(cell for cell in data.cells if cell.seed < seeds))
        for name, data in results._targets.items()
    }
    return replace(results, cells=cells, _targets=targets)


def _claims(results: Results, settings: ReportSettings) -> bool:
    return verdicts(results, settings)[0].outcome == "difference found"


def simulate(studies: int, seed: int) -> list[dict[str, float | str]]:
    """A row for every spread, effect and way of judging."""
    rows: list[dict[str, float | str]] = []
    for spread in SPREADS:
        for gain in (0.0, 2.5 * spread * 40.0):
            design = Design(
                backbones=1, variants=("full-ft",), intermediates=("nli",), targets=("xnli",), items=60, seeds=10,
                run_sd=spread, gain=gain,
            )  # fmt: skip
            rng = np.random.default_rng([seed, round(1000 * spread), round(gain)])
            ended: dict[str, list[Ending]] = {}
            for _ in range(studies):
                for way, ending in endings(draw(design, rng)).items():
                    ended.setdefault(way, []).append(ending)
            for way, all_of_them in ended.items():
                rows.append(
                    {
                        "run spread, points": round(spread * 40.0, 1),
                        "gain": gain,
                        "judged": way,
                        "significant": sum(ending.significant for ending in all_of_them) / studies,
                        "seeds": sum(ending.seeds for ending in all_of_them) / studies,
                        "studies": studies,
                    }
                )
    return rows


def table(rows: list[dict[str, float | str]]) -> str:
    """The rows as Markdown."""
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
    for row in rows:
        texts = (f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values())
        lines.append("| " + " | ".join(texts) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400, help="of every row")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--page", type=Path, help="write the table here")
    arguments = parser.parse_args()
    rows = simulate(arguments.studies, arguments.seed)
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if arguments.page:
        arguments.page.write_text(table(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
