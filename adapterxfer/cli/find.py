"""Find a stage by what a user types: a key, the start of one, or a folder name."""

from __future__ import annotations

import re
from pathlib import Path

from adapterxfer.errors import AdapterxferError
from adapterxfer.recipe.messages import suggestion
from adapterxfer.store.keys import SHORT_KEY, Stage
from adapterxfer.store.store import Store

_KEY = re.compile(r"(?:.*-)?([0-9a-f]{4,64})\Z")


def find_stage(text: str, store: Store, planned: dict[str, Stage] | None = None) -> Stage:
    """A stage of the store or of a plan.

    Args:
        text: at least four digits of the key, a folder name such as ``train_target-3fa2...``, or a path of a folder.
        planned: stages of a recipe, searched too.

    Raises:
        AdapterxferError: no stage, or several, have such a key.
    """
    name = Path(text).name
    match = _KEY.match(name)
    if match is None:
        fix = "give at least four digits of its key, or its folder name; `status` and the store's folders show them"
        raise AdapterxferError(f"'{text}' is not the key of a stage", fix=fix)
    start = match.group(1)[:SHORT_KEY]
    completed = store.completed()
    keys = {key for key in completed if key.startswith(start)}
    plans = {stage.short_key: stage for stage in (planned or {}).values() if stage.short_key.startswith(start)}
    matches = sorted(keys | set(plans))
    if not matches:
        names = [folder.name for folder in completed.values()]
        raise AdapterxferError(
            f"no stage '{text}' in the store {store.root}{suggestion(name, names)}",
            fix="give --recipe too if the stage has not been made yet",
        )
    if len(matches) > 1:
        shown = ", ".join(matches[:5]) + (", ..." if len(matches) > 5 else "")
        raise AdapterxferError(f"'{text}' means {len(matches)} stages: {shown}", fix="give more digits of the key")
    key = matches[0]
    return plans[key] if key in plans else store.read(completed[key]).stage
