r"""Tables as LaTeX with booktabs, ready for ``\input``.

No number is set in bold because it is the largest. Members of the set of bests (by rank interval) carry a star, and
differences that were found after adjustment a dagger.
"""

from __future__ import annotations

import re

from adapterxfer.report.table_shape import Column, Table

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
MANY_COLUMNS = 7
"""Tables with more columns than this get narrower paragraphs, and some for shorter texts as well."""
MOST_COLUMNS = 11
"""Tables with more columns than this get still narrower ones."""
SHORT = 13
"""Texts up to this length are never broken."""
ONE_PAGE = 40
"""Tables with more lines than this break across pages."""
LETTERS_PER_CM = 5.5
"""Of a footnote-sized text, careful: a word that does not fit its paragraph sticks out."""
_BREAK = re.compile(r"(?<=-)| ")
PACKAGES = "array,booktabs,longtable"


def escape(text: str) -> str:
    """A text without characters that LaTeX would read as commands."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def table_tex(table: Table) -> str:
    r"""A table of booktabs rules, a ``tabular`` or for many rows a ``longtable``.

    Needs ``\usepackage{array,booktabs,longtable}``.
    """
    texts = table.texts()
    lines_needed = sum(_lines(row, table, texts) for row in texts)
    environment = "longtable" if lines_needed > ONE_PAGE else "tabular"
    verdict = next((n for n, column in enumerate(table.columns) if column.label == "verdict"), None)
    best = next((n for n, column in enumerate(table.columns) if column.label == "may be the best"), None)
    marked = next((n for n, column in enumerate(table.columns) if column.kind not in ("text",)), None)
    lines = [
        f"% {table.title}. {table.note}",
        f"% \\usepackage{{{PACKAGES}}}; $^\\dagger$: difference found after adjustment; $^*$: may be the best",
        f"\\begin{{{environment}}}{{{''.join(_alignment(n, table, texts) for n in range(len(table.columns)))}}}",
        "\\toprule",
        " & ".join(_heading(n, table, texts) for n in range(len(table.columns))) + " \\\\",
        "\\midrule",
        *(["\\endhead"] if environment == "longtable" else []),
    ]
    for row in texts:
        cells = [_number(column, text) for column, text in zip(table.columns, row, strict=True)]
        if marked is not None and verdict is not None and row[verdict].startswith(FOUND):
            cells[marked] += "$^\\dagger$"
        if marked is not None and best is not None and row[best] == "yes":
            cells[marked] += "$^*$"
        lines.append(" & ".join(cells) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", f"\\end{{{environment}}}", ""])


def _alignment(number: int, table: Table, texts: list[list[str]]) -> str:
    if table.columns[number].kind != "text":
        return "r"
    width = _paragraph_cm(number, table, texts)
    return f">{{\\raggedright\\arraybackslash}}p{{{width}cm}}" if width else "l"


def _paragraph_cm(number: int, table: Table, texts: list[list[str]]) -> float | None:
    """Width of a column of broken lines; None where its texts are short enough for one."""
    longest = max((len(row[number]) for row in texts), default=0)
    if len(table.columns) <= MANY_COLUMNS:
        return 5.0 if longest > LONG else None
    if longest <= SHORT:
        return None
    word = max(len(word) for row in texts for word in _BREAK.split(row[number]))  # TeX breaks lines behind hyphens
    most = 3.8 if len(table.columns) <= MOST_COLUMNS else 3.0
    return max(most if longest > LONG else 2.1, round(word / LETTERS_PER_CM + 0.3, 1))


def _lines(row: list[str], table: Table, texts: list[list[str]]) -> int:
    """How many lines a row takes."""
    widths = [_paragraph_cm(n, table, texts) if c.kind == "text" else None for n, c in enumerate(table.columns)]
    needed = [-(-len(text) // int(LETTERS_PER_CM * width)) for text, width in zip(row, widths, strict=True) if width]
    return max(needed, default=1) or 1


def _heading(number: int, table: Table, texts: list[list[str]]) -> str:
    """A label; over two lines where it would make its column much wider than the numbers below."""
    label = table.columns[number].label
    words = label.split()
    longest = max((len(row[number]) for row in texts), default=0)
    if len(words) < 2 or len(label) <= longest + 2 or _paragraph_cm(number, table, texts):
        return escape(label)
    middle = min(range(1, len(words)), key=lambda split: abs(len(" ".join(words[:split])) - len(label) / 2))
    side = "l" if table.columns[number].kind == "text" else "r"
    lines = [escape(" ".join(half)) for half in (words[:middle], words[middle:])]
    return f"\\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{lines[0]}\\\\{lines[1]}\\end{{tabular}}"


def _number(column: Column, text: str) -> str:
    escaped = escape(text)
    if column.kind == "text":
        return escaped
    return "".join("$-$" if character == "-" and not (position and escaped[position - 1].isalnum()) else character
                   for position, character in enumerate(escaped))  # fmt: skip
