"""Fetch a bundle at one commit into a place of its own; a half or changed one never gets there. Torch-free.

ROOT/ORG--NAME/COMMIT/            a whole bundle, checked against its manifest before it got this name
ROOT/ORG--NAME/refs.json          which commit a branch was at when it was last asked for
ROOT/.partial/ORG--NAME--COMMIT/  a download that goes on where it stopped
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from adapterxfer.errors import BundleError, HubError
from adapterxfer.hub import layout
from adapterxfer.hub.addresses import HubAddress, cache_root, parse_address
from adapterxfer.hub.inspection import inspect_bundle
from adapterxfer.hub.manifest import Manifest, parse_manifest, read_json
from adapterxfer.hub.requests import Sleep, call, hub_api
from adapterxfer.store.files import hash_file, write_json

REFS = "refs.json"


@dataclass(frozen=True, slots=True)
class Pulled:
    """A bundle on this machine.

    Attributes:
        commit: what was pulled; pin it as ``ORG/NAME@COMMIT``.
        fetched: whether files were downloaded now.
        offline: the Hub was not reached, and the commit is the one that was seen last.
    """

    folder: Path
    repository: str
    commit: str
    manifest: Manifest
    fetched: bool
    offline: bool


def pull(address: HubAddress, *, root: Path | None = None, sleep: Sleep = time.sleep) -> Pulled:
    """Fetch a bundle, or find it where an earlier pull put it.

    Args:
        address: with a full commit id nothing is asked of the Hub once the bundle is here.
        root: where bundles are kept; `cache_root` if absent.

    Raises:
        HubError: it is not here and the Hub did not give it; pulling again continues.
        BundleError: what the Hub gave is not a bundle, or is damaged.
    """
    root = cache_root() if root is None else root
    home = root / address.repository.replace("/", "--")
    commit, offline, names = _commit(address, home, sleep)
    final = home / commit
    if (manifest := _intact(final)) is not None:
        return Pulled(final, address.repository, commit, manifest, False, offline)
    partial = root / ".partial" / f"{home.name}--{commit}"
    partial.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{partial}.lock"):
        if (manifest := _intact(final)) is None:  # another process may have pulled it while we waited
            names = names or _names(address.repository, commit, sleep)
            manifest = _fetch(address.repository, commit, names, partial, sleep)
            home.mkdir(parents=True, exist_ok=True)
            if final.exists():
                shutil.rmtree(final)
            partial.rename(final)
    return Pulled(final, address.repository, commit, manifest, True, offline)


def _commit(address: HubAddress, home: Path, sleep: Sleep) -> tuple[str, bool, list[str]]:
    """The commit that is meant, whether that is from memory, and the names of its files where the Hub was asked."""
    if address.pinned and (home / str(address.revision)).is_dir():
        return str(address.revision), False, []
    branch = address.revision or "main"
    try:
        info = _info(address.repository, address.revision, sleep)
    except HubError as error:
        seen = _refs(home).get(branch)
        if seen is None or "cannot be reached" not in error.what or not (home / seen).is_dir():
            raise
        return seen, True, []
    commit = str(info.sha)
    home.mkdir(parents=True, exist_ok=True)
    write_json(home / REFS, {**_refs(home), branch: commit})
    return commit, False, [sibling.rfilename for sibling in info.siblings or ()]


def _info(repository: str, revision: str | None, sleep: Sleep) -> Any:
    api = hub_api()
    return call("pull", repository, lambda: api.model_info(repository, revision=revision), sleep=sleep)


def _names(repository: str, commit: str, sleep: Sleep) -> list[str]:
    return [sibling.rfilename for sibling in _info(repository, commit, sleep).siblings or ()]


def _refs(home: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        content = json.loads((home / REFS).read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return {str(key): str(value) for key, value in content.items()}
    return {}


def _intact(folder: Path) -> Manifest | None:
    """The manifest of an earlier pull; None where there is none or it was changed since."""
    if not folder.is_dir():
        return None
    try:
        return inspect_bundle(folder)
    except BundleError:
        return None


def _fetch(repository: str, commit: str, names: Iterable[str], partial: Path, sleep: Sleep) -> Manifest:
    """Download into ``partial``: the manifest first, then what it lists; files that do not match are fetched anew."""
    offered = set(names)
    if problems := layout.unsafe_names(offered):
        raise BundleError(f"{repository}@{commit[:12]}: {'; '.join(problems[:4])}", fix="nothing of it was downloaded")
    if layout.MANIFEST not in offered:
        raise BundleError(
            f"{repository}@{commit[:12]}: no {layout.MANIFEST}, so it is not a bundle of adapterxfer",
            fix="check the name; adapters of other tools are loaded with those tools",
        )
    where = f"{repository}@{commit[:12]}/{layout.MANIFEST}"
    path = partial / layout.MANIFEST
    _download(repository, commit, [layout.MANIFEST], partial, sleep)
    try:
        manifest = parse_manifest(read_json(path), where)
    except BundleError:
        _forget(partial, [layout.MANIFEST])
        raise
    extra = [name for name in sorted(offered - manifest.expected_files()) if not layout.is_beside(name)]
    lacking = sorted(manifest.expected_files() - offered)
    if extra or lacking:
        lines = [f"{name}: does not belong to a bundle" for name in extra] + [f"{name}: missing" for name in lacking]
        raise BundleError(f"{repository}@{commit[:12]}: {'; '.join(lines[:4])}", fix="ask its author to push it again")
    names_left = sorted(manifest.files)
    for attempt in (1, 2):
        _download(repository, commit, names_left, partial, sleep)
        names_left = [name for name in names_left if not _matches(partial / name, manifest.files[name])]
        if not names_left:
            break
        _forget(partial, names_left)
        if attempt == 2:
            raise BundleError(
                f"{repository}@{commit[:12]}: {', '.join(names_left[:4])} as sent by the Hub do not match the manifest",
                fix="pull again; if it stays so, the repository is damaged",
            )
    shutil.rmtree(partial / ".cache", ignore_errors=True)
    return inspect_bundle(partial)


def _download(repository: str, commit: str, names: list[str], partial: Path, sleep: Sleep) -> None:
    api = hub_api()

    def fetch() -> None:
        for name in names:
            api.hf_hub_download(repository, name, revision=commit, local_dir=partial)

    call("pull", repository, fetch, sleep=sleep)


def _matches(path: Path, listed: Any) -> bool:
    return path.is_file() and hash_file(path) == {"sha256": listed.sha256, "bytes": listed.bytes}


def _forget(partial: Path, names: Iterable[str]) -> None:
    """Remove files with what the library remembers of them, so that they are fetched from the start."""
    for name in names:
        (partial / name).unlink(missing_ok=True)
        for kind in (".metadata", ".lock"):
            (partial / ".cache" / "huggingface" / "download" / f"{name}{kind}").unlink(missing_ok=True)


def local_folder(source: str | Path) -> Path:
    """The folder of a bundle, pulled first where it is on the Hub.

    Raises:
        BundleError, HubError: there is none, or it could not be pulled.
    """
    path = Path(source)
    return path if path.is_dir() else pull(parse_address(str(source))).folder
