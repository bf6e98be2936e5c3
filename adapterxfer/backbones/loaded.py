"""A backbone in memory: the encoder with its tokenizer, and which rows of its word matrix are here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from adapterxfer.backbones.config_values import function_digest
from adapterxfer.backbones.measure import ParameterCount, state_fingerprint
from adapterxfer.backbones.rows import TokenIds, WordSource
from adapterxfer.catalog.architectures import Architecture, architecture_of

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

DEFAULT_DEVIATION = 0.02
"""Of new heads, where a configuration names no deviation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedBackbone:
    """A bare encoder with its tokenizer.

    Attributes:
        model: an encoder of `transformers` without pooling layer, in evaluation mode, frozen.
        tokenizer: fast, with character offsets.
        config: of the model.
        identity: what was asked for, as in the stage.
        fingerprint: `state_fingerprint` of the weights as loaded.
        parameters: total and without embedding tables.
        source: where rows of the word matrix are read; None where the matrix is always whole.
        ids: token ids whose rows are here; None for all.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    config: PretrainedConfig
    identity: Mapping[str, Any]
    fingerprint: str
    parameters: ParameterCount
    source: WordSource | None = None
    ids: TokenIds | None = None

    @property
    def name(self) -> str:
        """Name in the recipe."""
        return str(self.identity["name"])

    @property
    def function(self) -> str:
        """Hash of the configuration values that move the function, which equal weights alone do not fix."""
        return function_digest(self.config, self.architecture)

    @property
    def hidden_size(self) -> int:
        """Width of the hidden states."""
        return int(self.config.hidden_size)

    @property
    def layers(self) -> int:
        """Number of transformer layers."""
        return int(self.config.num_hidden_layers)

    @property
    def vocabulary(self) -> int:
        """Rows of the whole word matrix."""
        return int(self.config.vocab_size)

    @property
    def carried(self) -> str:
        """Fingerprint of the weights that are here: `fingerprint`, but for rows of words that are not."""
        if self.source is None or self.ids is None:
            return self.fingerprint
        return state_fingerprint(self.model.state_dict())

    @property
    def max_length(self) -> int:
        """Longest input in tokens, special tokens included."""
        return self.architecture.max_length(self.config)

    @property
    def architecture(self) -> Architecture:
        """Where this kind of encoder keeps its parts."""
        return architecture_of(self.config.model_type)

    @property
    def pooling(self) -> str:
        """What stands for a whole text: ``first``, ``last`` or ``mean``."""
        return str(self.identity.get("pooling", self.architecture.pooling))

    @property
    def score_dropout(self) -> float:
        """Dropout on attention scores, which a fusion takes over."""
        return float(getattr(self.config, self.architecture.score_dropout))

    @property
    def start_deviation(self) -> float:
        """Standard deviation of the backbone's own start values, used for new heads."""
        name = self.architecture.start_deviation
        return float(getattr(self.config, name)) if name else DEFAULT_DEVIATION

    @property
    def linears(self) -> list[dict[str, nn.Linear]]:
        """Linear maps of each layer by role."""
        layers: Any = self.model.get_submodule(self.architecture.layers)
        return [{r: layer.get_submodule(path) for r, path in self.architecture.linears.items()} for layer in layers]


def with_words(loaded: LoadedBackbone, ids: TokenIds | None) -> LoadedBackbone:
    """The same backbone, its other weights shared, with the rows of some token ids and of the padding.

    Args:
        ids: ascending; None for the whole word matrix.

    Returns:
        The backbone itself where its word matrix is always whole.

    Raises:
        BackboneError: its file changed since it was first read.
    """
    source = loaded.source
    if source is None:
        return loaded
    import torch
    from torch import nn

    from adapterxfer.backbones.lookup import RowsOfWords, with_lookup

    lookup: nn.Embedding
    if ids is None:
        lookup = nn.Embedding(source.vocabulary, source.width, padding_idx=source.padding_id, _weight=source.read(None))
    else:
        if len(ids) and loaded.config.pad_token_id is not None:
            ids = np.union1d(ids, [int(loaded.config.pad_token_id)])
        lookup = RowsOfWords(
            source.read(ids), torch.from_numpy(ids), vocabulary=source.vocabulary, padding_id=source.padding_id
        )
    return replace(loaded, model=with_lookup(loaded.model, lookup.requires_grad_(False).eval()), ids=ids)


def with_own_weights(loaded: LoadedBackbone) -> LoadedBackbone:
    """The same backbone with a copy of the weights that may be trained."""
    import copy

    return replace(loaded, model=copy.deepcopy(loaded.model))
