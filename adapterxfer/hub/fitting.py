"""Whether a published adapter may take the place of an intermediate training: everything that differs, in words.

Torch-free, and content with little: before a run only descriptions are known, when the adapter is put together also the
weights of the backbone. What is not known yet is not compared yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapterxfer.hub.foreign import Foreign, same_base
from adapterxfer.hub.licences import facts_of
from adapterxfer.hub.manifest import Manifest

FREE = 2
"""Highest rank of a licence that needs no word in the recipe: attribution and share-alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedAdapter:
    """What a recipe asks of a published adapter; None where it is not known.

    Attributes:
        task: intermediate task of the recipe.
        method: adapter method.
        size: bottleneck or rank.
        licence: what the recipe accepts by name; None where it names none.
        backbone: name in the recipe.
        identity: of the backbone, as in a stage.
        model_type, hidden_size, layers: of the backbone.
        fingerprint: of its weights, where they are loaded.
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

    @property
    def base(self) -> str:
        """The backbone by its repository, or by its name where it has none."""
        return str(self.identity.get("repo") or self.backbone)


def adapter_size(adapter: Mapping[str, Any], hidden_size: int | None) -> int | None:
    """Bottleneck or rank that an adapter of a recipe has on a backbone; 1 for methods without size."""
    sizes = {key: int(value) for key, value in adapter.items() if key != "method" and value is not None}
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


def bundle_differences(manifest: Manifest, wanted: WantedAdapter) -> list[str]:
    """What of a bundle of ours is not as the recipe asks."""
    composition = manifest.composition
    found = licence_differences(manifest.license, wanted.licence) + _backbone_differences(manifest, wanted)
    if len(composition.adapters) == 1:
        part = composition.adapters[0]
        found += shape_differences(part.method, part.bottleneck_size, wanted)
    else:
        count = len(composition.adapters)
        holds = f"{count} adapters" if count else "no adapter"
        found.append(f"it is a bundle of variant '{composition.variant}' with {holds}; one adapter is needed")
    trained_on = [task for head in composition.heads for task in (head.task, *head.also)]
    if wanted.task not in trained_on:
        found.append(f"trained on {' and '.join(trained_on)}; the recipe asks for {wanted.task}")
    return found


def _backbone_differences(manifest: Manifest, wanted: WantedAdapter) -> list[str]:
    entry, name = manifest.backbone, wanted.backbone
    found = []
    if wanted.model_type is not None and entry.model_type != wanted.model_type:
        found.append(f"for {entry.model_type} encoders; backbone '{name}' is {wanted.model_type}")
    for what, theirs, ours in (
        ("hidden size", entry.hidden_size, wanted.hidden_size),
        ("number of layers", entry.layers, wanted.layers),
    ):
        if ours is not None and theirs != ours:
            found.append(f"{what} {theirs}; backbone '{name}' has {ours}")
    if found:
        return found
    trained = f"trained on backbone {describe_backbone(manifest)}"
    if wanted.fingerprint is not None:
        if entry.fingerprint != wanted.fingerprint:
            own = wanted.fingerprint[:16]
            found.append(f"{trained} with fingerprint {entry.fingerprint[:16]}; backbone '{name}' has {own}")
    elif _pins_differ(entry.identity, wanted.identity):
        found.append(f"{trained}, which has other weights than backbone '{name}'")
    return found


def _pins_differ(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether both identities pin weights by their hash, and not the same ones.

    A repository at another commit may hold the same weights, and so may a folder: these are compared when loaded.
    """
    pinned = all(identity.get("kind") == "embedded" and identity.get("fingerprint") for identity in (theirs, ours))
    return pinned and theirs["fingerprint"] != ours["fingerprint"]


def describe_backbone(manifest: Manifest) -> str:
    """The backbone of a bundle in words: name, and where it comes from."""
    entry = manifest.backbone
    match entry.kind:
        case "embedded" | "untrained":
            return f"'{entry.name}' (ships with adapterxfer {entry.package_version})"
        case "hub":
            return f"'{entry.identity.get('repo')}' at revision {entry.identity.get('revision')}"
        case "stage":
            return f"'{entry.name}' (pretrained by the recipe)"
        case _:
            return f"'{entry.name}'"


def foreign_differences(found: Foreign, licence: str, wanted: WantedAdapter) -> list[str]:
    """What of an adapter of another tool is not as the recipe asks, by its own description."""
    name = wanted.backbone
    differences = licence_differences(licence, wanted.licence) + found.differences
    differences += shape_differences(wanted.method, found.size, wanted)
    if not found.base:
        differences.append(f"it does not name its backbone; the recipe's is {wanted.base}")
    elif not same_base(found.base, wanted.base):
        differences.append(f"trained on backbone '{found.base}'; the recipe's is {wanted.base}")
    revision = wanted.identity.get("revision")
    if found.revision and revision and found.revision not in ("main", revision):
        differences.append(f"trained on revision {found.revision} of the backbone; the recipe's is {revision}")
    if found.model_type and wanted.model_type and found.model_type != wanted.model_type:
        differences.append(f"for {found.model_type} encoders; '{name}' is {wanted.model_type}")
    if found.hidden_size and wanted.hidden_size and found.hidden_size != wanted.hidden_size:
        differences.append(f"hidden size {found.hidden_size}; backbone '{name}' has {wanted.hidden_size}")
    return differences


def shape_differences(method: str, size: int | None, wanted: WantedAdapter) -> list[str]:
    """Method and size that are not the recipe's; None where a size is not known."""
    if method != wanted.method:
        return [f"adapter method {method}; the recipe asks for {wanted.method}"]
    if size is not None and wanted.size is not None and size != wanted.size:
        return [f"adapter of size {size} (bottleneck or rank); the recipe asks for {wanted.size}"]
    return []
