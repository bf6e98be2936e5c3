"""Which engine runs a plan; its libraries are imported only when it is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any, Protocol

from adapterxfer.engines.events import Listener, Outcome, PlanLike
from adapterxfer.errors import AdapterxferError, MissingDependency
from adapterxfer.store.store import Store


class RunPlan(Protocol):
    """What every engine offers: `adapterxfer.engines.inline.run_plan`."""

    def __call__(
        self,
        plan: PlanLike,
        store: Store,
        *,
        jobs: int,
        listener: Listener = ...,
        settings: Mapping[str, Any] | None = None,
        registry: Mapping[str, str] = ...,
        retry_failed: bool = False,
    ) -> Outcome:
        """Run every stage of a plan that is not in the store yet."""
        ...


def choose_engine(name: str, settings: Mapping[str, str]) -> RunPlan:
    """The engine of that name with its own settings.

    Raises:
        AdapterxferError: there is no such engine, or it has no such setting.
        MissingDependency: its extra is not installed.
    """
    if name == "ray":
        from adapterxfer.engines import ray

        ray_settings = ray.RaySettings.of(settings)
        _require("ray", "ray")
        return partial(ray.run_plan, ray_settings=ray_settings)
    if name == "slurm":
        from adapterxfer.engines import slurm

        slurm_settings = slurm.SlurmSettings.of(settings)
        _require("submitit", "slurm")
        return partial(slurm.run_plan, slurm_settings=slurm_settings)
    if name != "inline":
        raise AdapterxferError(f"engine '{name}': expected inline, ray or slurm", fix="choose one of them")
    if settings:
        raise AdapterxferError(
            f"engine inline: has no settings; given {', '.join(sorted(settings))}", fix="choose --jobs instead"
        )
    from adapterxfer.engines import inline

    return inline.run_plan


def _require(library: str, extra: str) -> None:
    """Say what is missing before anything is measured or trained."""
    if find_spec(library) is None:
        raise MissingDependency(f"engine {extra}", extra)
