"""Fetch a published adapter at one commit, of whichever tool: a bundle, AdapterHub in safetensors, or peft. Torch-free.

ROOT/.adapters/ORG--NAME/COMMIT/    adapter_config.json, weights, perhaps README.md: checked against the Hub's hashes
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from adapterxfer.errors import BundleError
from adapterxfer.hub import layout
from adapterxfer.hub.addresses import HubAddress, cache_root
from adapterxfer.hub.inspection import read_header
from adapterxfer.hub.manifest import Manifest, read_json
from adapterxfer.hub.pulling import pull
from adapterxfer.hub.requests import Sleep, call, hub_api
from adapterxfer.store.files import hash_file

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter.safetensors")
UNSTATED = "unstated"
_RECORD = "files.json"
_LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}\Z")


@dataclass(frozen=True, slots=True)
class Published:
    """A published adapter on this machine.

    Attributes:
        manifest: of a bundle of ours; None for an adapter of another tool.
        weights: of an adapter of another tool.
        licence: as its card states it; ``unstated`` where it does not.
    """

    folder: Path
    address: HubAddress
    manifest: Manifest | None
    weights: Path | None
    licence: str

    def __str__(self) -> str:
        return at(self.address)


def fetch_published(address: HubAddress, *, root: Path | None = None, sleep: Sleep = time.sleep) -> Published:
    """Fetch an adapter, or find it where it was put before; with a warm cache the Hub is not asked.

    Args:
        address: pinned to a commit.

    Raises:
        HubError: the Hub did not give it; trying again continues.
        BundleError: it is no adapter in safetensors, or what the Hub sent is not what the Hub lists.
    """
    root = cache_root() if root is None else root
    final = adapter_folder(root, address)
    if not bundle_folder(root, address).is_dir() and not is_whole(final):
        listed = list_files(address, sleep)
        if layout.MANIFEST not in listed:
            names = adapter_files(listed, at(address))
            transfer(address, listed, names, final, sleep, check=lambda folder: read_header(folder / names[1]))
    if is_whole(final):
        (weights,) = [final / file for file in WEIGHTS if (final / file).is_file()]
        return Published(final, address, None, weights, stated_licence(final / layout.CARD))
    pulled = pull(address, root=root, sleep=sleep)
    return Published(pulled.folder, address, pulled.manifest, None, pulled.manifest.license)


def at(address: HubAddress) -> str:
    """``ORG/NAME@0123456789ab``, as messages name it."""
    return f"{address.repository}@{str(address.revision)[:12]}"


def adapter_folder(root: Path, address: HubAddress) -> Path:
    """Where an adapter of another tool is kept."""
    return root / ".adapters" / address.repository.replace("/", "--") / str(address.revision)


def bundle_folder(root: Path, address: HubAddress) -> Path:
    """Where `pull` keeps a bundle."""
    return root / address.repository.replace("/", "--") / str(address.revision)


def list_files(address: HubAddress, sleep: Sleep) -> dict[str, Any]:
    """What the Hub lists at the commit: name -> size and hash.

    Raises:
        HubError: the Hub did not answer.
    """
    api = hub_api()
    info = call(
        "pull",
        address.repository,
        lambda: api.model_info(address.repository, revision=address.revision, files_metadata=True),
        sleep=sleep,
    )
    return {sibling.rfilename: sibling for sibling in info.siblings or ()}


def adapter_files(listed: Mapping[str, Any], where: str) -> list[str]:
    """Configuration, weights and perhaps card of an adapter of another tool.

    Raises:
        BundleError: the repository has none, or none that is safe to read.
    """
    weights = [name for name in WEIGHTS if name in listed]
    if CONFIG in listed and weights:
        return [CONFIG, weights[0]] + ([layout.CARD] if layout.CARD in listed else [])
    pickles = sorted(name for name in listed if Path(name).suffix in layout.PICKLES)
    if pickles:
        raise BundleError(
            f"{where}: its weights are in {pickles[0]}, a format that can hold code; it is never read",
            fix="ask its author for safetensors, or convert it in a place you do not mind: load it with its own "
            "library, save it with safetensors, and push it as your own",
        )
    raise BundleError(
        f"{where}: neither a bundle of adapterxfer ({layout.MANIFEST}) nor an adapter ({CONFIG} with "
        f"{' or '.join(WEIGHTS)})",
        fix="check the name and the commit",
    )


def transfer(
    address: HubAddress,
    listed: Mapping[str, Any],
    names: Sequence[str],
    final: Path,
    sleep: Sleep,
    *,
    check: Callable[[Path], object] | None = None,
) -> None:
    """Download files into a folder that appears only when all of them are there and have the hashes the Hub lists.

    Args:
        check: looks at the folder before it gets its name.

    Raises:
        HubError: the Hub did not give them; trying again continues.
        BundleError: a file is too large, or not what the Hub lists.
    """
    for name in names:
        limit, size = layout.size_limit(name), listed[name].size or 0
        if limit is not None and size > limit:
            raise BundleError(f"{at(address)}/{name}: {size:,} bytes; at most {limit:,} are read", fix="do not use it")
    final.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{final}.lock"):
        if not is_whole(final):
            _transfer(address, listed, names, final, sleep, check)


def _transfer(
    address: HubAddress,
    listed: Mapping[str, Any],
    names: Sequence[str],
    final: Path,
    sleep: Sleep,
    check: Callable[[Path], object] | None,
) -> None:
    partial = final.with_name(f".{final.name}.partial")
    api = hub_api()

    def download() -> None:
        for name in names:
            api.hf_hub_download(address.repository, name, revision=address.revision, local_dir=partial)

    for _ in (1, 2):
        call("pull", address.repository, download, sleep=sleep)
        wrong = [name for name in names if not _is_as_listed(partial / name, listed[name])]
        if not wrong:
            break
        shutil.rmtree(partial)
    else:
        raise BundleError(
            f"{at(address)}: {', '.join(wrong)} as sent by the Hub do not match the hash it lists",
            fix="run again; if it stays so, the repository is damaged",
        )
    shutil.rmtree(partial / ".cache", ignore_errors=True)
    if check is not None:
        check(partial)
    record = {name: dict(hash_file(partial / name)) for name in names}
    (partial / _RECORD).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    if final.exists():
        shutil.rmtree(final)
    partial.rename(final)


def _is_as_listed(path: Path, sibling: Any) -> bool:
    """Whether a file has the hash that the Hub lists: sha256 for large files, git's own for small ones."""
    content = path.read_bytes()
    lfs = sibling.lfs
    if lfs is not None:
        return hashlib.sha256(content).hexdigest() == str(lfs["sha256"])
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return blob == str(sibling.blob_id)


def is_whole(folder: Path) -> bool:
    """Whether an earlier fetch is here and unchanged."""
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        return bool(record) and all(dict(hash_file(folder / name)) == facts for name, facts in record.items())
    except (OSError, ValueError, AttributeError):
        return False


def stated_licence(card: Path) -> str:
    """The licence in the metadata of a card."""
    if not card.is_file():
        return UNSTATED
    match = re.match(r"---\r?\n(.*?)\r?\n---", card.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    if match is None or len(match[1]) > 1_000_000:
        return UNSTATED
    try:
        data = yaml.safe_load(match[1])
    except yaml.YAMLError:
        return UNSTATED
    stated = data.get("license") if isinstance(data, dict) else None
    if isinstance(stated, list) and len(stated) == 1:
        stated = stated[0]
    return stated.lower() if isinstance(stated, str) and _LICENCE.match(stated) else UNSTATED


def read_config(folder: Path, where: str) -> dict[str, Any]:
    """The ``adapter_config.json`` of an adapter of another tool.

    Raises:
        BundleError: it is not an object in JSON.
    """
    content = read_json(folder / CONFIG)
    if not isinstance(content, dict):
        raise BundleError(f"{where}: {CONFIG} is not a JSON object", fix="do not use this adapter")
    return content
