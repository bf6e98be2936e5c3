"""Commits of data sets that a recipe pins beside those of the catalogue. Torch-free."""

from __future__ import annotations

from adapterxfer.errors import AdapterxferError
from adapterxfer.recipe.recipe import Recipe


def data_repositories(recipe: Recipe) -> dict[str, str]:
    """Repository -> branch or commit of the catalogue (empty: main), of every real task whose data the recipe uses."""
    from adapterxfer.data.origins import repositories

    commits: dict[str, str] = {}
    for name, task in recipe.used_tasks().items():
        if not task.synthetic:
            commits |= repositories(recipe.spec(name) or name)
    return commits


def check_pins(recipe: Recipe) -> None:
    """Refuse a pinned repository that no task reads: after a slip of the pen its task would go on unpinned.

    Raises:
        AdapterxferError: names all of them.
    """
    if not recipe.data_revisions or recipe.world:
        return
    read = data_repositories(recipe)
    if unread := [name for name in recipe.data_revisions if name not in read]:
        raise AdapterxferError(
            f"{recipe.name}: data_revisions: no task of the recipe reads {', '.join(unread)}",
            fix=f"they read {', '.join(sorted(read)) or 'nothing from the Hub'}",
        )
