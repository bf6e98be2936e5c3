"""The Python face of the command line: run a recipe, and ask about a study."""

from adapterxfer.api.asking import contrast, power, report, verdicts
from adapterxfer.api.comparing import VariantComparison, compare
from adapterxfer.api.running import DEFAULT_STORE, ENGINES, RunResult, as_recipe, default_jobs, measure, run

__all__ = [
    "DEFAULT_STORE",
    "ENGINES",
    "RunResult",
    "VariantComparison",
    "as_recipe",
    "compare",
    "contrast",
    "default_jobs",
    "measure",
    "power",
    "report",
    "run",
    "verdicts",
]
