"""Whether a published adapter may take the place of an intermediate training: everything that differs, in words.

Torch-free, and content with little: before a run only descriptions are known, when the adapter is put together also the
weights of the backbone. What is not known yet is not compared yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapterxfer.catalog.methods.spec import CONFIG
from adapterxfer.hub.foreign import Foreign, same_base
from adapterxfer.hub.licences import facts_of
from adapterxfer.hub.manifest import Manifest

EMPTY = "{}"
"""A configuration of which nothing was said."""

FREE = 2
"""Highest rank of a licence that needs no word in the recipe: attribution and share-alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredAdapter:
    """What a recipe asks of a published adapter; None where it is not known.

    Attributes:
        task: intermediate task of the recipe.
        method: adapter method.
        size: bottleneck or rank.
        config: of a library's own method, as JSON with sorted keys; empty otherwise.
        licence: what the recipe accepts by name; None where it names none.
        backbone: name in the recipe.
        identity: of the backbone, as in a stage.
        model_type, hidden_size, layers: of the backbone.
        fingerprint: of its weights, where they are loaded.
        function: hash of its configuration values, where it is loaded.
    """

    task: str
    method: str
    size: int | None
    licence: str | None
    backbone: str
    identity: Mapping[str, Any] = field(default_factory=dict)
    model_type: str | None = None
    hidden_size: int | None = None
    layers: int | None = None
    fingerprint: str | None = None
    function: str | None = None
    config: str = ""

    @property
    def base(self) -> str:
        """The backbone by its repository, or by its name where it has none."""
        return str(self.identity.get("repo") or self.backbone)


def adapter_size(adapter: Mapping[str, Any], hidden_size: int | None) -> int | None:
    """Bottleneck or rank that an adapter of a recipe has on a backbone; 1 for methods without size."""
    named = {key: value for key, value in adapter.items() if key not in ("method", CONFIG) and value is not None}
    sizes = {key: int(value) for key, value in named.items()}
    if not sizes:
        return 1
    if (factor := sizes.get("reduction_factor")) is not None:
        return None if hidden_size is None else max(1, hidden_size // factor)
    return next(iter(sizes.values()))


def licence_differences(stated: str, accepted: str | None) -> list[str]:
    """Why the recipe does not accept a licence; at most one reason."""
    facts = facts_of(stated)
    if accepted is not None:
        same = accepted.lower() == stated.lower()
        return [] if same else [f"its licence is {stated}; the recipe accepts {accepted}"]
    if facts.rank <= FREE:
        return []
    about = f" ({'; '.join(facts.flags)})" if facts.flags and stated not in ("other", "unstated") else ""
    return [f"its licence is {stated}{about}; if you may use it, accept it in the recipe with licence: {stated}"]


def bundle_differences(manifest: Manifest, needed: RequiredAdapter) -> list[str]:
    """What of a bundle of ours is not as the recipe asks."""
    composition = manifest.composition
    differences = licence_differences(manifest.license, needed.licence) + _backbone_differences(manifest, needed)
    if len(composition.adapters) == 1:
        adapter = composition.adapters[0]
        differences += shape_differences(adapter.method, adapter.bottleneck_size, needed)
        if adapter.method == needed.method and (adapter.config or EMPTY) != (needed.config or EMPTY):
            differences.append(f"its config is {adapter.config or EMPTY}; the recipe's is {needed.config or EMPTY}")
    else:
        count = len(composition.adapters)
        holds = f"{count} adapters" if count else "no adapter"
        differences.append(f"it is a bundle of variant '{composition.variant}' with {holds}; one adapter is needed")
    trained_on = [task for head in composition.heads for task in (head.task, *head.also)]
    if needed.task not in trained_on:
        differences.append(f"trained on {' and '.join(trained_on)}; the recipe asks for {needed.task}")
    return differences


def _backbone_differences(manifest: Manifest, needed: RequiredAdapter) -> list[str]:
    backbone, name = manifest.backbone, needed.backbone
    differences = []
    if needed.model_type is not None and backbone.model_type != needed.model_type:
        differences.append(f"for {backbone.model_type} encoders; backbone '{name}' is {needed.model_type}")
    for quantity, theirs, ours in (
        ("hidden size", backbone.hidden_size, needed.hidden_size),
        ("number of layers", backbone.layers, needed.layers),
    ):
        if ours is not None and theirs != ours:
            differences.append(f"{quantity} {theirs}; backbone '{name}' has {ours}")
    if differences:
        return differences
    trained = f"trained on backbone {describe_backbone(manifest)}"
    if needed.fingerprint is not None:
        if backbone.fingerprint != needed.fingerprint:
            expected = needed.fingerprint[:16]
            differences.append(
                f"{trained} with fingerprint {backbone.fingerprint[:16]}; backbone '{name}' has {expected}"
            )
        elif needed.function is not None and backbone.identity.get("function", needed.function) != needed.function:
            differences.append(f"{trained}, whose configuration gives the same weights another function than '{name}'")
    elif _pins_differ(backbone.identity, needed.identity):
        differences.append(f"{trained}, which has other weights than backbone '{name}'")
    return differences


def _pins_differ(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether both identities pin weights by their hash, and not the same ones.

    A repository at another commit may hold the same weights, and so may a folder: these are compared when loaded.
    """
    pinned = all(identity.get("kind") == "embedded" and identity.get("fingerprint") for identity in (theirs, ours))
    return pinned and theirs["fingerprint"] != ours["fingerprint"]


def describe_backbone(manifest: Manifest) -> str:
    """The backbone of a bundle in words: name, and where it comes from."""
    backbone = manifest.backbone
    match backbone.kind:
        case "embedded" | "untrained":
            return f"'{backbone.name}' (ships with adapterxfer {backbone.package_version})"
        case "hub":
            return f"'{backbone.identity.get('repo')}' at revision {backbone.identity.get('revision')}"
        case "stage":
            return f"'{backbone.name}' (pretrained by the recipe)"
        case _:
            return f"'{backbone.name}'"


def foreign_differences(foreign: Foreign, licence: str, needed: RequiredAdapter) -> list[str]:
    """What of an adapter of another tool is not as the recipe asks, by its own description."""
    name = needed.backbone
    differences = licence_differences(licence, needed.licence) + foreign.differences
    differences += shape_differences(needed.method, foreign.size, needed)
    if not foreign.base:
        differences.append(f"it does not name its backbone; the recipe's is {needed.base}")
    elif not same_base(foreign.base, needed.base):
        differences.append(f"trained on backbone '{foreign.base}'; the recipe's is {needed.base}")
    revision = needed.identity.get("revision")
    if foreign.revision and revision and foreign.revision not in ("main", revision):
        differences.append(f"trained on revision {foreign.revision} of the backbone; the recipe's is {revision}")
    if foreign.model_type and needed.model_type and foreign.model_type != needed.model_type:
        differences.append(f"for {foreign.model_type} encoders; '{name}' is {needed.model_type}")
    if foreign.hidden_size and needed.hidden_size and foreign.hidden_size != needed.hidden_size:
        differences.append(f"hidden size {foreign.hidden_size}; backbone '{name}' has {needed.hidden_size}")
    return differences


def shape_differences(method: str, size: int | None, needed: RequiredAdapter) -> list[str]:
    """Method and size that are not the recipe's; None where a size is not known."""
    if method != needed.method:
        return [f"adapter method {method}; the recipe asks for {needed.method}"]
    if size is not None and needed.size is not None and size != needed.size:
        return [f"adapter of size {size} (bottleneck or rank); the recipe asks for {needed.size}"]
    return []
