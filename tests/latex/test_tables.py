"""A real TeX engine sets every table of a report: no error, no missing character, nothing wider than the page."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

PAGE = r"""\documentclass{article}
\usepackage[a4paper,landscape,margin=1.5cm]{geometry}
\usepackage[T1]{fontenc}
\usepackage{array,booktabs,longtable}
\begin{document}
\footnotesize\setlength{\tabcolsep}{3pt}\noindent
\input{TABLE}
\end{document}
"""
"""What docs/report.md tells people to write around a table; no other packages."""


def _typeset(engine: str, table: Path, folder: Path) -> str:
    """Log of the engine.

    Raises:
        AssertionError: it stopped, or made no page.
    """
    source = folder / f"{table.stem}-page.tex"
    source.write_text(PAGE.replace("TABLE", table.as_posix()), encoding="utf-8")
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", f"-output-directory={folder}", str(source)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    log = done.stdout.decode("utf-8", errors="replace")
    assert done.returncode == 0, f"{table.name}: {log[-2000:]}"
    assert source.with_suffix(".pdf").stat().st_size > 1000
    return log.replace("\n", "")


def test_every_table_compiles_and_fits_the_page(engine: str, tables: Path, pages: Path) -> None:
    found = sorted(tables.glob("*.tex"))
    assert {"hypotheses", "mean-gains", "ladders", "ranks"} <= {table.stem for table in found}
    for table in found:
        log = _typeset(engine, table, pages)
        assert "Missing character" not in log, table.name
        assert "undefined" not in log, table.name
        wide = [float(points) for points in re.findall(r"Overfull \\hbox \((\d+\.?\d*)pt too wide\)", log)]
        assert not [points for points in wide if points > 1.0], f"{table.name}: {wide}"
        assert "Overfull \\vbox" not in log, f"{table.name} is longer than a page"
