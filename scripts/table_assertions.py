"""Print, as the Markdown of docs/design/assertions.md, what is asserted of every variant, method and composition.

python scripts/table_assertions.py > docs/design/assertions.md
"""

from __future__ import annotations

from adapterxfer.catalog import METHODS, VARIANTS
from adapterxfer.catalog.variants import alone, composition
from adapterxfer.variants.assertions import TABLE
from adapterxfer.variants.rules import Rule

HEAD = """# What is asserted of every model

Made by `python scripts/table_assertions.py > docs/design/assertions.md` from `variants/assertions.py`. A model is
measured after it is built and again after it is trained, or after it was merged from others; a number outside its
bound ends the stage, and every number goes into `model.json`. *n/a* says why an assertion does not apply. `adapter` is
a fresh adapter alone: intermediates, baselines, and adapters of languages.

Rules of a method replace those of the variant wherever the assertion applies at all; the last column holds where a
language's adapter lies below. Mutants that each assertion catches: `tests/unit/variants/test_assertions.py`,
`test_methods.py`, `test_language.py` and `test_merged_assertions.py`; silent failures of the libraries and their tests:
`tests/contract/test_adapter_traps.py`.
"""


def shown(rule: Rule | None) -> str:
    """A rule in a few words."""
    if rule is None:
        return ""
    match rule.kind:
        case "exact":
            return "exactly 0"
        case "recorded":
            return "recorded"
        case "not applicable":
            return f"n/a: {rule.because}"
        case kind:
            return f"{kind} {rule.limit:g}"


def page() -> str:
    """The whole page."""
    variants = [*(name for name in VARIANTS if not VARIANTS[name].joins), alone(adapter=True).name]
    lines = [HEAD, "| assertion | when | " + " | ".join(variants) + " | above a language |"]
    lines.append("|---|---|" + "---|" * (len(variants) + 1))
    for row in TABLE:
        cells = [shown(row.of_variant(composition(variant))) for variant in variants]
        lines.append(
            f"| {row.name} | {', '.join(row.when)} | " + " | ".join(cells) + f" | {shown(row.above_language)} |"
        )
    lines += ["", "## What they measure", "", "| assertion | measured |", "|---|---|"]
    lines += [f"| {row.name} | {row.says} |" for row in TABLE]
    lines += ["", "## Rules of single methods", "", "| assertion | method | rule |", "|---|---|---|"]
    for row in TABLE:
        by_rule: dict[str, list[str]] = {}
        for method, spec in METHODS.items():
            if (rule := row.of_method(spec)) is not None:
                by_rule.setdefault(shown(rule), []).append(method)
        lines += [f"| {row.name} | {', '.join(sorted(methods))} | {text} |" for text, methods in by_rule.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
