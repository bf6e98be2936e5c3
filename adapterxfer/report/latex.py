r"""Tables as LaTeX with booktabs, ready for ``\input``.

No number is set in bold because it is the largest. Members of the set of bests (by rank interval) carry a star, and
differences that were found after adjustment a dagger.
"""

from __future__ import annotations

from adapterxfer.report.tables import Column, Table

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\u00b1": r"$\pm$",
    "\u2192": r"$\rightarrow$",
}

FOUND = "difference found"
LONG = 34
"""Texts longer than this get a paragraph column."""


def escape(text: str) -> str:
    """A text without characters that LaTeX would read as commands."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def table_tex(table: Table) -> str:
    r"""A table in a ``tabular`` of booktabs rules; needs ``\usepackage{booktabs}``."""
    texts = table.texts()
    verdict = next((n for n, column in enumerate(table.columns) if column.label == "verdict"), None)
    best = next((n for n, column in enumerate(table.columns) if column.label == "may be the best"), None)
    marked = next((n for n, column in enumerate(table.columns) if column.kind not in ("text",)), None)
    lines = [
        f"% {table.title}. {table.note}",
        "% \\usepackage{booktabs}; $^\\dagger$: difference found after adjustment; $^*$: may be the best",
        f"\\begin{{tabular}}{{{''.join(_alignment(n, table, texts) for n in range(len(table.columns)))}}}",
        "\\toprule",
        " & ".join(escape(column.label) for column in table.columns) + " \\\\",
        "\\midrule",
    ]
    for row in texts:
        cells = [_number(column, text) for column, text in zip(table.columns, row, strict=True)]
        if marked is not None and verdict is not None and row[verdict].startswith(FOUND):
            cells[marked] += "$^\\dagger$"
        if marked is not None and best is not None and row[best] == "yes":
            cells[marked] += "$^*$"
        lines.append(" & ".join(cells) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def _alignment(number: int, table: Table, texts: list[list[str]]) -> str:
    if table.columns[number].kind != "text":
        return "r"
    return "p{5cm}" if any(len(row[number]) > LONG for row in texts) else "l"


def _number(column: Column, text: str) -> str:
    escaped = escape(text)
    if column.kind == "text":
        return escaped
    return "".join("$-$" if character == "-" and not (place and escaped[place - 1].isalnum()) else character
                   for place, character in enumerate(escaped))  # fmt: skip
