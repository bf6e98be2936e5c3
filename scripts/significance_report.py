"""`adapterxfer significance` under the name that pipelines know: the same arguments, the same exit codes.

python scripts/significance_report.py scores.csv --hypotheses claims.yaml --out report --check
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from adapterxfer.cli.main import main as command


def main(argv: Sequence[str] | None = None) -> int:
    return command(["significance", *(sys.argv[1:] if argv is None else argv)])


if __name__ == "__main__":
    sys.exit(main())
