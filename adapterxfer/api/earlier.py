"""What the store says of earlier looks at a study: reports of the same recipe with fewer seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapterxfer.errors import StoreError
from adapterxfer.plan import Plan
from adapterxfer.plan.cells import CONTROL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from adapterxfer.store.store import Store


def earlier_looks(store: Store, plan: Plan) -> tuple[int, ...]:
    """Numbers of seeds, of two or more and fewer than the plan's, with which this study was reported before.

    A report on one seed gives no verdict, so it is no look.
    """
    last = plan.report
    now = _seeds(last.identity["cells"]) if last is not None else 0
    looks = set()
    for folder in store.completed_of("report"):
        try:
            identity = store.read(folder).stage.identity
        except StoreError:
            continue  # damaged: `store verify` is about that
        if identity.get("recipe") == plan.recipe.name:
            looks.add(_seeds(identity.get("cells") or ()))
    return tuple(sorted(seeds for seeds in looks if 2 <= seeds < now))


def _seeds(cells: Iterable[Mapping[str, Any]]) -> int:
    """Training runs among the cells of a report; controls have none."""
    return len({cell["seed"] for cell in cells if not cell.get("control") and cell.get("variant") != CONTROL})
