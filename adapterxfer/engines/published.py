"""Published adapters come first: one that does not fit is found before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapterxfer.engines.events import PlanLike
from adapterxfer.errors import AdapterxferError, BundleError, HubError
from adapterxfer.store.failures import Failure
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

KIND = "reuse_intermediate"


@dataclass(frozen=True, slots=True)
class PlanSlice:
    """Some stages of a plan."""

    stages: Mapping[str, Stage]


def published_first(plan: PlanLike, store: Store) -> PlanSlice | None:
    """The stages that fetch published adapters and are not done; None where there is none.

    Where the recipe pretrains a backbone itself, its adapters wait for that: only the trained weights can tell.
    """
    done = store.completed()
    published = {
        key: stage
        for key, stage in plan.stages.items()
        if stage.kind == KIND
        and stage.short_key not in done
        and all(plan.stages[parent].short_key in done for parent in stage.inputs.values())
    }
    parents = {key for stage in published.values() for key in stage.inputs.values()}
    return (
        PlanSlice({key: plan.stages[key] for key in plan.stages if key in parents or key in published})
        if published
        else None
    )


def refuse_published(recipe: str, failures: Iterable[Failure]) -> None:
    """Stop a run whose published adapters could not be put together.

    Raises:
        BundleError: they do not fit; names all of them.
        HubError: the Hub did not give them.
        AdapterxferError: something else went wrong with them.
    """
    failed = list(failures)
    if not failed:
        return
    kinds = {failure.error for failure in failed}
    lines = [
        f"  {failure.stage.labels['intermediate']} on {failure.stage.labels['backbone']}: {failure.what}"
        for failure in failed
    ]
    text = "\n".join([f"{recipe}: published adapters cannot be used; nothing was trained", *lines])
    error = BundleError if "BundleError" in kinds else HubError if kinds == {"HubError"} else AdapterxferError
    raise error(text, fix=failed[0].fix)
