"""Publish a bundle: one commit with exactly its files. Torch-free."""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.errors import BundleError, HubError
from adapterxfer.hub import layout
from adapterxfer.hub.addresses import HubAddress, parse_address
from adapterxfer.hub.benchmarks import write_eval_results
from adapterxfer.hub.card import render_card
from adapterxfer.hub.counts import ids_of
from adapterxfer.hub.inspection import inspect_bundle
from adapterxfer.hub.manifest import Manifest, read_json, read_manifest, write_manifest
from adapterxfer.hub.requests import Sleep, call, hub_api
from adapterxfer.store.files import hash_file
from adapterxfer.store.redaction import holds_token

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo

DEFAULT_BRANCH = "main"

_PATH = re.compile(r"(?<![\w.])(?:/home/|/Users/|/root/|/mnt/|/tmp/|[A-Z]:\\\\)[\w.-]+")


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did, or would do.

    Attributes:
        commit: id of the commit the repository is at; empty for a dry run.
        changed: whether there is a new commit; None for a dry run.
        files: relative paths and sizes of what is published.
    """

    repository: str
    revision: str
    commit: str
    changed: bool | None
    files: dict[str, int]


def push(
    folder: Path,
    to: str,
    *,
    private: bool = False,
    revision: str | None = None,
    dry_run: bool = False,
    sleep: Sleep = time.sleep,
) -> Pushed:
    """Publish a bundle; what is already there is not sent again, and equal content makes no commit.

    Args:
        to: ``ORG/NAME``; made if it does not exist.
        private: make it private when it is made; refused where it is there and public.
        revision: branch; made if it does not exist.
        dry_run: check everything on this side and send nothing.

    Raises:
        BundleError: it is not a whole bundle, or a file holds a token or a path of this machine.
        HubError: the Hub refused or could not be reached; pushing again continues.
    """
    address = parse_address(to)
    if address.revision is not None:
        raise BundleError(f"'{to}': a push goes to a branch", fix="use --revision BRANCH")
    inspect_bundle(folder)
    branch = revision or DEFAULT_BRANCH
    with _publishable(folder, address) as (ready, manifest):
        refuse_secrets(ready)
        files = {name: file.bytes for name, file in sorted(manifest.files.items())}
        if dry_run:
            return Pushed(address.repository, branch, "", None, files)
        results = read_json(ready / layout.RESULTS)
        files |= write_eval_results(ready, results, manifest.composition.variant, sleep=sleep)
        before, after = _send(ready, address, manifest, branch, private=private, sleep=sleep)
        return Pushed(address.repository, branch, after, before != after, files)


def _send(
    folder: Path, address: HubAddress, manifest: Manifest, branch: str, *, private: bool, sleep: Sleep
) -> tuple[str, str]:
    return upload(
        folder,
        address.repository,
        branch,
        message=f"adapterxfer bundle {manifest.name} {manifest.digest[:16]}",
        # The commit may have been made and only its answer lost; then it is in the way of its own repetition.
        is_there=lambda: _holds(hub_api(), address.repository, branch, manifest),
        private=private,
        sleep=sleep,
    )


def upload(
    folder: Path,
    repository: str,
    branch: str,
    *,
    message: str,
    is_there: Callable[[], bool],
    private: bool,
    sleep: Sleep,
) -> tuple[str, str]:
    """Make a branch of a repository hold exactly the files of a folder; returns its commits before and after.

    Args:
        is_there: whether the branch already holds this content, asked when a commit failed.
        private: it must be private: made so, or so already.

    Raises:
        BundleError: it must be private and is public.
        HubError: the Hub refused or could not be reached.
    """
    api = hub_api()

    def ask(action: Any) -> Any:
        return call("push to", repository, action, sleep=sleep)

    ask(lambda: api.create_repo(repository, private=private, exist_ok=True))
    if branch != DEFAULT_BRANCH:
        ask(lambda: api.create_branch(repository, branch=branch, exist_ok=True))
    there = ask(lambda: api.model_info(repository, revision=branch))
    if private and not there.private:
        raise BundleError(
            f"push to {repository}: it exists and is public, which --private does not change; nothing was sent",
            fix="make it private in its settings on the Hub, choose another name, or leave --private out",
        )
    before = str(there.sha)
    try:
        with _only_errors("huggingface_hub"):
            ask(lambda: _one_commit(api, folder, repository, branch, message, there))
    except HubError:
        if not is_there():
            raise
    return before, str(ask(lambda: api.model_info(repository, revision=branch)).sha)


def _one_commit(api: HfApi, folder: Path, repository: str, branch: str, message: str, there: ModelInfo) -> None:
    """Send a folder as one commit.

    `upload_folder` makes several where it goes through Xet and the first is refused or takes long; whoever pulls
    between them gets half a bundle.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    # Everything that is not part of it goes: a stale weight file beside a new one would be loaded by somebody.
    gone = {sibling.rfilename for sibling in there.siblings or ()} - files.keys() - {".gitattributes"}
    api.create_commit(
        repository,
        [
            *(CommitOperationDelete(path_in_repo=name) for name in sorted(gone)),
            *(CommitOperationAdd(path_in_repo=name, path_or_fileobj=path) for name, path in files.items()),
        ],
        revision=branch,
        commit_message=message,
        parent_commit=there.sha,
    )


@contextmanager
def _only_errors(library: str) -> Iterator[None]:
    """Silence the remarks of the library; the command prints its own messages."""
    logger = logging.getLogger(library)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # The counts are meant to be there: they are the evidence about the model, and no data set.
            warnings.filterwarnings("ignore", message="It seems that you are about to commit a data file")
            yield
    finally:
        logger.setLevel(level)


def _holds(api: HfApi, repository: str, branch: str, manifest: Manifest) -> bool:
    """Whether a branch already is at this very bundle."""
    with tempfile.TemporaryDirectory(prefix="adapterxfer-push-") as root, suppress(Exception):
        path = api.hf_hub_download(repository, layout.MANIFEST, revision=branch, local_dir=root)
        return read_manifest(Path(path).parent).digest == manifest.digest
    return False


@contextmanager
def _publishable(folder: Path, address: HubAddress) -> Iterator[tuple[Path, Manifest]]:
    """The bundle with a card that names the repository; links instead of copies where the disk allows."""
    with tempfile.TemporaryDirectory(prefix="adapterxfer-push-") as root:
        ready = Path(root) / "bundle"
        shutil.copytree(folder, ready, copy_function=_link)
        content = read_json(folder / layout.MANIFEST)
        results = read_json(folder / layout.RESULTS)
        manifest = inspect_bundle(ready)
        card = ready / layout.CARD
        card.unlink()
        card.write_text(render_card(manifest, results, address=address.repository), encoding="utf-8", newline="\n")
        content["files"][layout.CARD] = dict(hash_file(card))
        (ready / layout.MANIFEST).unlink()
        yield ready, write_manifest(ready, content)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def refuse_secrets(folder: Path) -> None:
    """Refuse to publish files that hold an access token or a path of this machine.

    Raises:
        BundleError: a file holds an access token or a path of a machine.
    """
    problems = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix == ".safetensors" or path.name == "tokenizer.json":
            continue
        content = path.read_bytes().decode("utf-8", errors="replace")
        if layout.is_counts(path.relative_to(folder).as_posix()):
            content = "\n".join(ids_of(path))  # compressed, the file would show nothing
        if holds_token(content):
            problems.append(f"{path.relative_to(folder)}: holds what looks like an access token")
        if match := _PATH.search(content):
            problems.append(f"{path.relative_to(folder)}: holds a path of a machine ({match.group()})")
    if problems:
        raise BundleError("; ".join(problems[:4]), fix="remove it from the recipe, then make the bundle again")
