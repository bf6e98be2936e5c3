"""Backbones of the Hub: one commit of a repository in the cache of `huggingface_hub`, fetched once and checked."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from adapterxfer.backbones.describing import CONFIG, SENTENCEPIECE, TOKENIZER, TOKENIZER_FACTS, WEIGHTS, WEIGHTS_INDEX
from adapterxfer.backbones.xet import AROUND, shorten_waits, xet_failure
from adapterxfer.errors import BackboneError

WANTED = (CONFIG, WEIGHTS, WEIGHTS_INDEX, "model-*.safetensors", TOKENIZER, TOKENIZER_FACTS, *SENTENCEPIECE)
"""All that is ever asked for and read of a backbone: no pickles, no code."""

TRANSPORTS = ("requests", "urllib3", "httpx", "httpcore", "httpx2", "httpcore2")
"""What the versions of `huggingface_hub` send requests with: broken connections come as errors of these packages."""

_UNREACHED = "the Hub was not reached"
_CONNECT = (
    "run again where there is a connection (what was transferred is kept), or name a local folder in backbone_sources"
)

_REVISION = re.compile(r"[0-9a-f]{40}\Z")
_SHA256, _GIT = re.compile(r"[0-9a-f]{64}\Z"), re.compile(r"[0-9a-f]{40}\Z")


def hub_snapshot(repository: str, revision: str, *, fetch: bool) -> Path | None:
    """The folder of a repository at one commit in the cache of the Hub.

    Args:
        revision: a full commit id: branches move.
        fetch: download what is not there; otherwise None where it is not.

    Raises:
        BackboneError: no commit id, or it is not there and the Hub does not give it.
    """
    if not _REVISION.match(revision):
        raise BackboneError(
            f"backbone {repository}: revision '{revision}' is no commit id",
            fix="pin the 40 characters of a commit of its repository; branches move",
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    quiet_progress()
    shorten_waits()
    try:
        snapshot = snapshot_download(
            repository,
            revision=revision,
            allow_patterns=list(WANTED),
            local_files_only=not fetch,
            endpoint=os.environ.get("HF_ENDPOINT") or None,  # the library reads it once, when it is imported
        )
    except LocalEntryNotFoundError as error:
        if not fetch:
            return None
        raise BackboneError(
            f"backbone {repository}@{revision[:12]}: not in the cache, and {_reason(error)}", fix=_CONNECT
        ) from None
    except Exception as error:
        if (storage := xet_failure(error)) is not None:
            raise BackboneError(
                f"backbone {repository}@{revision[:12]}: {storage.reason}",
                fix="check your access to this repository (`hf auth login`)"
                if storage.is_refusal
                else f"run again (what was transferred is kept); or {AROUND}",
            ) from None
        if not isinstance(error, (OSError, ValueError)) and not _is_transport(error):
            raise
        reason = _reason(error)
        if reason == _UNREACHED:  # as some versions of the library let the error of their transport through
            raise BackboneError(
                f"backbone {repository}@{revision[:12]}: not in the cache, and {reason}", fix=_CONNECT
            ) from None
        raise BackboneError(
            f"backbone {repository}@{revision[:12]}: {reason}",
            fix="check repository, commit and access rights (`hf auth login` for private ones), or name a local "
            "folder in backbone_sources",
        ) from None
    folder = Path(snapshot)
    complete = (folder / CONFIG).is_file() and any(folder.glob("*.safetensors"))
    if fetch and not complete:
        raise BackboneError(
            f"backbone {repository}@{revision[:12]}: it has no {CONFIG} with weights in safetensors",
            fix="use a commit that has model.safetensors (the Hub's converter can add it to a repository), or name a "
            "local folder in backbone_sources",
        )
    return folder if complete else None


def check_snapshot(folder: Path, sha256: Callable[[Path], str]) -> None:
    """Compare files in the cache with the hashes that the Hub stated for them, which are their names there.

    A file that is another one is removed, so that running again fetches it. Where the cache has no links (a file system
    without them), nothing states a hash and nothing is compared.

    Args:
        sha256: hashes one file; a cache saves time with large ones.

    Raises:
        BackboneError: a file is not what the Hub stated.
    """
    for path in sorted(folder.iterdir()):
        stored = path.resolve()
        if not path.is_symlink() or not stored.is_file():
            continue
        if _SHA256.match(stored.name):
            digest = sha256(stored)
        elif _GIT.match(stored.name):
            content = stored.read_bytes()
            digest = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        else:
            continue
        if digest != stored.name:
            path.unlink()
            stored.unlink()
            raise BackboneError(
                f"{path}: hash {digest[:16]}; the Hub states {stored.name[:16]}: the transfer was damaged",
                fix="run again: the file was removed and will be fetched anew",
            )


def _reason(error: BaseException) -> str:
    """What stopped a transfer, in a few words."""
    seen: BaseException | None = error
    while seen is not None:
        match type(seen).__name__:
            case "GatedRepoError":
                return "its owner gives access on request only, and your token has none"
            case "RepositoryNotFoundError":
                return "no such repository, or it is private and you are not logged in"
            case "RevisionNotFoundError":
                return "no such commit in this repository"
        status = getattr(getattr(seen, "response", None), "status_code", None)
        if isinstance(status, int):
            return f"the Hub refused (HTTP {status})" if status < 500 else f"the Hub failed (HTTP {status})"
        seen = seen.__cause__
    if is_offline(error):
        return "the Hub is not asked, because HF_HUB_OFFLINE is set"
    if type(error).__name__ == "LocalEntryNotFoundError" or _is_transport(error):
        return _UNREACHED
    return (str(error).splitlines() or [type(error).__name__])[0]


def is_offline(error: BaseException) -> bool:
    """Whether the library was told not to ask: asking again cannot help."""
    seen: BaseException | None = error
    while seen is not None:
        if type(seen).__name__ == "OfflineModeIsEnabled":
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _is_transport(error: BaseException) -> bool:
    """Whether a connection broke, rather than the Hub answered no."""
    return type(error).__module__.split(".")[0] in TRANSPORTS


def quiet_progress() -> None:
    """Progress bars belong on a terminal; in a log or a pipe they are noise."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars

    if sys.stderr.isatty() or are_progress_bars_disabled() or os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS"):
        return  # what the user set in the environment wins
    disable_progress_bars()
