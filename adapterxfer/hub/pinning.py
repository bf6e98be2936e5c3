"""Which commits of repositories to pin, and whether a backbone's commit holds what can be loaded. Torch-free."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapterxfer.backbones.describing import CONFIG, SENTENCEPIECE, TOKENIZER, WEIGHTS, WEIGHTS_INDEX
from adapterxfer.hub.requests import call, hub_api

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MOST_PROPOSALS = 20
"""Pull requests looked at, newest first."""


@dataclass(frozen=True, slots=True)
class RepositoryState:
    """What a branch of a repository points to now, and whether that commit can be loaded.

    Attributes:
        name: of the backbone, in the recipe.
        repository: ``ORG/NAME``.
        commit: of the revision asked for.
        lacks: what has to be there and is not, in words; empty where the commit can be loaded.
        proposals: pull request -> commit, of those that would add the weights in safetensors. Anybody can open one:
            whoever pins such a commit trusts its author.
    """

    name: str
    repository: str
    commit: str
    lacks: tuple[str, ...] = ()
    proposals: tuple[tuple[str, str], ...] = ()

    @property
    def loadable(self) -> bool:
        """Whether this commit holds configuration, safetensors and a tokenizer."""
        return not self.lacks


def find_pin(name: str, repository: str, revision: str | None = None) -> RepositoryState:
    """Ask the Hub (``HF_ENDPOINT``) what a branch of a repository points to.

    Args:
        name: of the backbone, for the answer.
        revision: branch, tag or commit; None for the main branch.

    Raises:
        HubError: the repository or revision does not exist, may not be seen, or the Hub cannot be reached.
    """
    api = hub_api()
    commit, files = _files(api, repository, revision)
    lacks = _lacks(files)
    proposals: tuple[tuple[str, str], ...] = ()
    if not _has_weights(files):
        proposals = _proposals(api, repository)
    return RepositoryState(name, repository, commit, lacks, proposals)


def find_data_commit(repository: str, branch: str = "") -> str:
    """The commit that a branch of a data set's repository points to now.

    Args:
        branch: empty for the main one; converted files lie on a branch of their own.

    Raises:
        HubError: as `find_pin`.
    """
    api = hub_api()
    return str(call("look at", repository, lambda: api.dataset_info(repository, revision=branch or None)).sha)


def _files(api: HfApi, repository: str, revision: str | None) -> tuple[str, frozenset[str]]:
    info = call("look at", repository, lambda: api.model_info(repository, revision=revision))
    return str(info.sha), frozenset(sibling.rfilename for sibling in info.siblings or ())


def _has_weights(files: Collection[str]) -> bool:
    return WEIGHTS in files or WEIGHTS_INDEX in files


def _lacks(files: Collection[str]) -> tuple[str, ...]:
    lacking = []
    if CONFIG not in files:
        lacking.append(CONFIG)
    if not _has_weights(files):
        pickled = any(name.endswith((".bin", ".pt")) for name in files)
        lacking.append("weights in safetensors" + (" (it has pickled ones, which are never read)" if pickled else ""))
    if TOKENIZER not in files and not any(name in files for name in SENTENCEPIECE):
        lacking.append("a fast or SentencePiece tokenizer")
    return tuple(lacking)


def _proposals(api: HfApi, repository: str) -> tuple[tuple[str, str], ...]:
    refs = call("look at", repository, lambda: api.list_repo_refs(repository, include_pull_requests=True))
    numbered = sorted(refs.pull_requests or (), key=lambda ref: _number(ref.ref), reverse=True)
    proposals = []
    for ref in numbered[:MOST_PROPOSALS]:
        commit, files = _files(api, repository, ref.ref)
        if not _lacks(files):
            proposals.append((f"pull request {_number(ref.ref)}", commit))
    return tuple(proposals)


def _number(ref: str) -> int:
    last = ref.rpartition("/")[2]
    return int(last) if last.isdigit() else 0
