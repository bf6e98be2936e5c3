"""Look at the published adapters of a recipe before anything is trained; one error for all. Torch-free.

Descriptions are compared here. What only the weights can tell (a fingerprint, the shape of a tensor) is compared when
the adapter is put together, which a run does first of all.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapterxfer.catalog import UNTRAINED, backbones
from adapterxfer.catalog.architectures import PRETRAINED
from adapterxfer.catalog.methods.spec import config_text
from adapterxfer.errors import BundleError, HubError
from adapterxfer.hub.about import About, ask_about, known_about
from adapterxfer.hub.addresses import HubAddress
from adapterxfer.hub.fetching import at
from adapterxfer.hub.fitting import RequiredAdapter, adapter_size, bundle_differences, foreign_differences
from adapterxfer.hub.foreign import describe
from adapterxfer.hub.requests import Sleep
from adapterxfer.plan.backbones import Backbones
from adapterxfer.recipe import Recipe

FIX = "use adapters that fit, change the recipe, or train the task here (leave 'from' out)"


@dataclass(frozen=True, slots=True)
class AdapterCheck:
    """What came of looking at one published adapter.

    Attributes:
        backbone, task: of the recipe.
        address: where the adapter is.
        looked: whether its description was there to be compared.
        differences: everything that does not fit; empty if nothing is known against it.
        unreached: why the Hub did not give its description; empty where it was not asked, or answered.
    """

    backbone: str
    task: str
    address: HubAddress
    looked: bool
    differences: tuple[str, ...] = ()
    unreached: str = ""

    @property
    def name(self) -> str:
        """``mnli on xlm-r-base, from hub:ORG/NAME@0123456789ab``."""
        return f"{self.task} on {self.backbone}, from hub:{at(self.address)}"


def look_at_published(
    recipe: Recipe,
    *,
    online: bool,
    only: Collection[tuple[str, str]] | None = None,
    root: Path | None = None,
    sleep: Sleep = time.sleep,
) -> list[AdapterCheck]:
    """Compare every published adapter of a recipe with what the recipe asks for.

    Args:
        online: ask the Hub for descriptions that are not here; otherwise nobody is asked.
        only: pairs of backbone and task that are looked at; all if absent.
    """
    table = Backbones(recipe)
    looks = []
    for task in recipe.reuse or ():
        for backbone in recipe.backbones:
            pin = recipe.reused(backbone, task)
            if pin is None or (only is not None and (backbone, task) not in only):
                continue
            needed = _required(recipe, table, backbone, task)
            looks.append(_look(HubAddress(*pin), needed, online=online, root=root, sleep=sleep))
    return looks


def require_fit(looks: Sequence[AdapterCheck], recipe: str) -> None:
    """Refuse a study whose published adapters do not fit; names all of them with everything that differs.

    Raises:
        BundleError: an adapter does not fit.
        HubError: the Hub did not say.
    """
    wrong = [f"  {look.name}: {'; '.join(look.differences)}" for look in looks if look.differences]
    unreached = [f"  {look.name}: {look.unreached}" for look in looks if look.unreached]
    if wrong:
        who = "a published adapter does" if len(wrong) == 1 else f"{len(wrong)} published adapters do"
        raise BundleError("\n".join([f"{recipe}: {who} not fit", *wrong, *unreached]), fix=FIX)
    if unreached:
        first = f"{recipe}: the Hub did not say what its published adapters are"
        raise HubError("\n".join([first, *unreached]), fix="check name, commit and network, then run again")


def _look(
    address: HubAddress, needed: RequiredAdapter, *, online: bool, root: Path | None, sleep: Sleep
) -> AdapterCheck:
    about, differences, unreached = None, [], ""
    try:
        about = ask_about(address, root=root, sleep=sleep) if online else known_about(address, root=root)
        differences = [] if about is None else differences_of(about, needed)
    except HubError as error:
        unreached = error.what
    except BundleError as error:
        differences = [error.what]
    looked = about is not None or bool(differences)
    return AdapterCheck(needed.backbone, needed.task, address, looked, tuple(differences), unreached)


def differences_of(about: About, needed: RequiredAdapter) -> list[str]:
    """Everything of a published adapter that is not as a recipe asks."""
    if about.manifest is not None:
        return bundle_differences(about.manifest, needed)
    return foreign_differences(describe(about.config, needed.method, needed.config), about.licence, needed)


def _required(recipe: Recipe, table: Backbones, backbone: str, task: str) -> RequiredAdapter:
    """What the recipe asks for, as far as that is known without loading a backbone."""
    adapter = recipe.adapters[0].identity()
    model_type, hidden, layers = _shape(recipe, table, backbone)
    return RequiredAdapter(
        task=task,
        method=str(adapter["method"]),
        size=adapter_size(adapter, hidden),
        config=config_text(adapter),
        licence=(recipe.reuse or {})[task].licence,
        backbone=backbone,
        identity={} if recipe.is_own(backbone) else table.identity(backbone),
        model_type=model_type,
        hidden_size=hidden,
        layers=layers,
    )


def _shape(recipe: Recipe, table: Backbones, name: str) -> tuple[str | None, int | None, int | None]:
    """Architecture, width and number of layers of a backbone; None where nothing here says it."""
    if recipe.pretrain is not None and recipe.is_own(name):
        shape = recipe.pretrain.series[name.removesuffix(UNTRAINED)]
        return PRETRAINED, shape.hidden, shape.layers
    if (folder := table.described(name)) is not None:
        return folder.architecture, folder.hidden, folder.layers
    spec = backbones().get(name)
    known = spec is not None and spec.verified and table.source(name) is None
    architecture = recipe.architecture(name) or None
    return (architecture, spec.hidden, spec.layers) if spec is not None and known else (architecture, None, None)
