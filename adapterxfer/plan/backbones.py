"""Where the backbones of a recipe come from, as identity: package data, a stage, a local folder, or the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from adapterxfer.backbones.config_values import config_problems
from adapterxfer.backbones.describing import TOKENIZER, Description, describe_folder
from adapterxfer.backbones.snapshots import check_snapshot, hub_snapshot
from adapterxfer.backbones.special_tokens import tokenizer_cautions, tokenizer_problems
from adapterxfer.catalog import UNTRAINED, backbones
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.data.files import HashCache
from adapterxfer.data.word_starts import file_lacks_word_starts
from adapterxfer.errors import BackboneError
from adapterxfer.plan.cost import embedding_parameters, non_embedding_parameters
from adapterxfer.recipe.model_options import BackboneSource
from adapterxfer.recipe.recipe import Recipe


class Size(NamedTuple):
    """Parameters of one backbone; 0 where unknown."""

    total: int
    non_embedding: int


class Backbones:
    """Sizes and identities of all backbones of one recipe; folders are read once.

    A folder that is missing does not stop the planning: ``missing`` then holds the errors, and keys are provisional.
    ``unfit`` holds what else a run would refuse: folders that are whole and cannot be worked with.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._described: dict[str, Description | None] = {}
        self.missing: list[BackboneError] = []
        self.unfit: list[BackboneError] = []
        self.cautions: list[str] = []

    def source(self, name: str) -> BackboneSource | None:
        """Where the recipe takes a backbone from; None if the recipe pretrains it or the package ships it."""
        return self._recipe.backbone_sources.get(name)

    def available(self, name: str) -> bool:
        """Whether this version can load it, given what the recipe says."""
        spec = backbones().get(name)
        packaged = spec is not None and spec.kind != "hub" and spec.available
        return self._recipe.is_own(name) or self.source(name) is not None or packaged

    def size(self, name: str) -> Size:
        """All parameters and those outside the embeddings."""
        setup = self._recipe.pretrain
        if setup is not None and self._recipe.is_own(name):
            shape, corpus = setup.series[name.removesuffix(UNTRAINED)], setup.corpus
            inner = non_embedding_parameters(shape.hidden, shape.layers)
            return Size(
                inner + embedding_parameters(shape.hidden, corpus.vocabulary, corpus.sequence_length + 2), inner
            )
        if (described := self.described(name)) is not None:
            return Size(described.parameters, described.non_embedding_parameters)
        spec = backbones().get(name)
        return Size(0, 0) if spec is None else Size(spec.parameters or 0, spec.non_embedding_parameters or 0)

    def described(self, name: str) -> Description | None:
        """Facts read from the files of a backbone, in its folder or the cache of the Hub; None without files."""
        source = self.source(name)
        if source is None:
            return None
        if name not in self._described:
            self._described[name] = None
            try:
                folder = self.folder(name)
                if folder is not None:
                    hashes = HashCache()
                    self._described[name] = describe_folder(folder, hashes.sha256)
                    self.unfit += [*config_problems(folder), *tokenizer_problems(folder, hashes.fact)]
                    self.cautions += tokenizer_cautions(folder, hashes.fact)
                    hashes.save()
            except BackboneError as error:
                self.missing.append(error)
        return self._described[name]

    def folder(self, name: str) -> Path | None:
        """Where the files of a backbone of ``backbone_sources`` are; None where the Hub has not given them yet."""
        source = self.source(name)
        if source is None:
            return None
        if source.folder is not None:
            return Path(source.folder).expanduser()
        return hub_snapshot(self.repository(name), source.revision or "", fetch=False)

    def lacks_word_starts(self, name: str) -> bool:
        """Whether the tokenizer of a backbone marks beginnings of words only behind a space.

        The same on every machine, and before a download as after it: of repositories of the Hub the catalogue knows
        the kind of tokenizer, and others are supposed to lack the mark, as a run would then add it.
        """
        source, spec = self.source(name), backbones().get(name)
        if source is not None and source.folder is not None:
            path = Path(source.folder).expanduser() / TOKENIZER
            if not path.is_file():
                return False  # those that are made from a SentencePiece model mark every word
            hashes = HashCache()
            lacking = file_lacks_word_starts(path, hashes)
            hashes.save()
            return lacking
        if self._recipe.is_own(name) or (spec is not None and spec.kind != "hub"):
            return False
        repository = self.repository(name)
        known = next((other.model_type for other in backbones().values() if other.hub == repository), "")
        return known not in ARCHITECTURES or not ARCHITECTURES[known].marks_words

    def repository(self, name: str) -> str:
        """Repository of a backbone of the Hub."""
        source, spec = self.source(name), backbones().get(name)
        return (source and source.hub) or (spec and spec.hub) or ""

    def identity(self, name: str) -> dict[str, Any]:
        """What fixes the weights of a backbone the recipe does not pretrain: fingerprint, file hashes or commit."""
        source, spec = self.source(name), backbones().get(name)
        if source is not None:
            loaded: dict[str, str] = {"dtype": source.dtype, "attention": source.attention}
            if source.pooling is not None and source.pooling != self._usual_pooling(name):
                loaded["pooling"] = source.pooling
            if source.quantize is not None:
                loaded["quantize"] = source.quantize
            if source.folder is not None:
                described = self.described(name)
                return {"name": name, "kind": "folder", "files": dict(described.files) if described else None, **loaded}
            pinned = {"repo": self.repository(name), "revision": source.revision}
            return {"name": name, "kind": "hub", **pinned, **loaded}
        assert spec is not None
        if spec.kind == "embedded":
            return backbone_identity({"name": name, "kind": "embedded", "fingerprint": spec.fingerprint})
        if spec.kind == "untrained":
            facts = {"kind": "untrained", "of": spec.of, "fingerprint": spec.fingerprint, "seed": spec.seed}
            return backbone_identity({"name": name, **facts})
        return backbone_identity({"name": name, "kind": "hub", "repo": spec.hub, "revision": None})

    def _usual_pooling(self, name: str) -> str:
        """What stands for a text in this kind of backbone unless something is chosen."""
        architecture = ARCHITECTURES.get(self._recipe.architecture(name))
        return "" if architecture is None else architecture.pooling


def backbone_identity(facts: dict[str, Any]) -> dict[str, Any]:
    """Add what every backbone of package data and of stages fixes: number format and attention implementation."""
    return {**facts, "dtype": "float32", "attention": "sdpa"}


def backbone_folders(recipe: Recipe, *, fetch: bool = True) -> dict[str, str]:
    """Name -> folder of all backbones that the recipe takes from elsewhere; handed to the stages, no identity.

    Args:
        fetch: download what the Hub has not given yet.

    Raises:
        BackboneError: a repository cannot be fetched, or a file of it is damaged.
    """
    table = Backbones(recipe)
    folders = {}
    for name in recipe.backbones:
        source = table.source(name)
        if source is None:
            continue
        if source.folder is None and fetch:
            folder = hub_snapshot(table.repository(name), source.revision or "", fetch=True)
            assert folder is not None
            hashes = HashCache()
            check_snapshot(folder, hashes.sha256)
            hashes.save()
        else:
            folder = table.folder(name)
        if folder is not None:
            folders[name] = str(folder.absolute())
    return folders
