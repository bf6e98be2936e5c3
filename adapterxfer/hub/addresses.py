"""Where a bundle is: a folder, or a repository at a revision. Torch-free."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from adapterxfer.errors import BundleError

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"({_NAME}/{_NAME})(?:@([A-Za-z0-9][A-Za-z0-9._/-]{{0,199}}))?\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")


class HubAddress(NamedTuple):
    """A repository, and a branch, tag or commit of it; None is the default branch."""

    repository: str
    revision: str | None

    @property
    def pinned(self) -> bool:
        """Whether the revision is a full commit id, whose content never changes."""
        return self.revision is not None and _COMMIT.match(self.revision) is not None


def parse_address(text: str) -> HubAddress:
    """``ORG/NAME`` or ``ORG/NAME@REVISION``, with or without ``hub:`` in front.

    Raises:
        BundleError: it is neither.
    """
    match = _ADDRESS.match(text.removeprefix("hub:"))
    if match is None or ".." in text or "--" in match[1]:
        raise BundleError(
            f"'{text}' is no folder and no name on the Hub", fix="give a folder, or ORG/NAME or ORG/NAME@REVISION"
        )
    return HubAddress(match[1], match[2])


def cache_root() -> Path:
    """Where pulled bundles are kept: ``ADAPTERXFER_CACHE``, or a folder in the user's cache."""
    variable = os.environ.get("ADAPTERXFER_CACHE")
    if variable:
        return Path(variable)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "adapterxfer" / "bundles"
