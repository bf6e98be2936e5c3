"""What a published adapter says of itself, in a few kilobytes, without its weights. Torch-free.

ROOT/.about/ORG--NAME/COMMIT/    bundle.json of ours, or adapter_config.json and perhaps README.md of another tool
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterxfer.errors import BundleError
from adapterxfer.hub import layout
from adapterxfer.hub.addresses import HubAddress, cache_root
from adapterxfer.hub.fetching import (
    CONFIG,
    WEIGHTS,
    adapter_files,
    adapter_folder,
    at,
    bundle_folder,
    is_whole,
    list_files,
    read_config,
    stated_licence,
    transfer,
)
from adapterxfer.hub.manifest import Manifest, read_manifest
from adapterxfer.hub.requests import Sleep


@dataclass(frozen=True, slots=True)
class About:
    """The description of a published adapter.

    Attributes:
        manifest: of a bundle of ours; None for an adapter of another tool.
        config: its ``adapter_config.json``; empty for a bundle.
        licence: as its card states it; ``unstated`` where it does not.
    """

    address: HubAddress
    manifest: Manifest | None
    config: dict[str, Any]
    licence: str


def known_about(address: HubAddress, *, root: Path | None = None) -> About | None:
    """The description of an adapter that was looked at or fetched before; nobody is asked.

    Raises:
        BundleError: what is there is no adapter.
    """
    root = cache_root() if root is None else root
    if (pulled := bundle_folder(root, address)).is_dir():
        with suppress(BundleError):  # damaged since: whoever needs it fetches it anew
            return _read(address, pulled)
    for folder in (adapter_folder(root, address), _folder(root, address)):
        if is_whole(folder):
            return _read(address, folder)
    return None


def ask_about(address: HubAddress, *, root: Path | None = None, sleep: Sleep = time.sleep) -> About:
    """The description of an adapter, fetched where it is not known.

    Args:
        address: pinned to a commit.

    Raises:
        HubError: the Hub did not give it.
        BundleError: it is no adapter in safetensors, or what the Hub sent is not what the Hub lists.
    """
    root = cache_root() if root is None else root
    if (known := known_about(address, root=root)) is not None:
        return known
    listed = list_files(address, sleep)
    if layout.MANIFEST in listed:
        names = [layout.MANIFEST]
    else:
        names = [name for name in adapter_files(listed, at(address)) if name not in WEIGHTS]
    transfer(address, listed, names, _folder(root, address), sleep)
    return _read(address, _folder(root, address))


def _folder(root: Path, address: HubAddress) -> Path:
    return root / ".about" / address.repository.replace("/", "--") / str(address.revision)


def _read(address: HubAddress, folder: Path) -> About:
    if (folder / layout.MANIFEST).is_file():
        manifest = read_manifest(folder)
        return About(address, manifest, {}, manifest.license)
    if not (folder / CONFIG).is_file():
        raise BundleError(f"{at(address)}: {folder} holds no adapter", fix="remove this folder, and run again")
    return About(address, None, read_config(folder, at(address)), stated_licence(folder / layout.CARD))
