"""Masked language modelling as an objective beside tasks: texts with hidden tokens, a head, a loss; no predictions.

The head is the one the backbone was pretrained with, where its folder still holds it: a dense layer, its norm, an
output bias, and the backbone's own word embeddings as output matrix; before it, the inverse of what an invertible
adapter makes of the embeddings. It trains like every head. The embeddings train
where the backbone trains; beside adapters they stay as they are, so the loss reaches the adapter through a frozen
output matrix. The head serves the training only and is left out of what is stored.

Which tokens are hidden follows RoBERTa: a share of all ordinary tokens, anew each time a text is seen; of these 80 %
are replaced by the mask, 10 % by a random token, 10 % stay.

Source: Liu et al. 2019, section 2 (dynamic masking); Devlin et al. 2019, section 3.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.data.examples import Example
from adapterxfer.errors import StageError
from adapterxfer.formats.base import Batch, Encoding, Feature, Format, Initial
from adapterxfer.formats.reads import Reads, reads_of

NAME = "mlm"
"""Name of the objective among the tasks of a training."""

START = ("dense.weight", "dense.bias", "layer_norm.weight", "layer_norm.bias", "bias")
"""Tensors of the pretrained head, as XLM-R names them."""


@dataclass(frozen=True, slots=True)
class Hiding:
    """How tokens are hidden.

    Attributes:
        share: of the ordinary tokens of a text; at least one is always hidden.
        mask_id: id of the mask.
        ordinary: ids that may be hidden and may replace others, sorted.
        seed: of all choices.
    """

    share: float
    mask_id: int
    ordinary: NDArray[np.int64]
    seed: int


class MaskedTexts(Sequence[Feature]):
    """Features made when they are asked for: the same index always hides the same tokens, another one others.

    Args:
        rows: token ids of each text, special tokens included.
        draws: row of each feature; a row that occurs twice is hidden differently each time.
        hiding: what is hidden.
    """

    def __init__(self, rows: Sequence[list[int]], draws: NDArray[np.int64], hiding: Hiding) -> None:
        self._rows, self._draws, self._hiding = rows, draws, hiding

    def drawn(self, rows: NDArray[np.int64], *, seed: int) -> MaskedTexts:
        """The same texts in this order, hidden by this seed."""
        return MaskedTexts(self._rows, rows, replace(self._hiding, seed=seed))

    def __len__(self) -> int:
        return len(self._draws)

    @overload
    def __getitem__(self, index: int) -> Feature: ...

    @overload
    def __getitem__(self, index: slice) -> list[Feature]: ...

    def __getitem__(self, index: int | slice) -> Feature | list[Feature]:
        if isinstance(index, slice):
            return [self._feature(at) for at in range(*index.indices(len(self)))]
        return self._feature(int(index))

    def _feature(self, index: int) -> Feature:
        row, hiding = int(self._draws[index]), self._hiding
        tokens = np.array(self._rows[row], dtype=np.int64)
        digest = hashlib.sha256(f"{hiding.seed}/{index}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        ordinary = np.isin(tokens, hiding.ordinary, assume_unique=False)
        draw, fate = rng.random((2, len(tokens)))
        hidden = (draw < hiding.share) & ordinary
        if not hidden.any():
            hidden[np.where(ordinary, draw, 2.0).argmin()] = True
        replaced = rng.choice(hiding.ordinary, size=len(tokens))
        inputs = np.where(hidden & (fate < 0.8), hiding.mask_id, tokens)
        inputs = np.where(hidden & (fate >= 0.9), replaced, inputs)
        positions = np.flatnonzero(hidden)
        return Feature([inputs.tolist()], (positions.tolist(), tokens[positions].tolist()), row)


@dataclass(frozen=True, slots=True, eq=False)
class MaskedLm(Format):
    """Head and loss of masked language modelling.

    Attributes:
        vocabulary: rows of the output matrix.
        start: tensors of the pretrained head by the names of `START`; None for a fresh one.
        norm_eps: of the head's norm.
    """

    vocabulary: int
    start: Mapping[str, Tensor] | None = None
    norm_eps: float = 1e-5
    name: ClassVar[str] = "masked_lm"

    def features(self, examples: Sequence[Any], encoding: Encoding) -> list[Feature]:
        """Always refused: texts are no examples of a task; see `MaskedTexts`.

        Raises:
            StageError: always.
        """
        del examples, encoding
        raise self._refusal()

    def fields(self, features: Sequence[Feature], shape: tuple[int, int]) -> tuple[dict[str, Tensor], Reads]:
        """Fields ``row``, ``column`` and ``target`` of the hidden tokens, each of shape ``(hidden tokens,)``."""
        columns = [feature.target[0] for feature in features]
        fields = {
            "row": torch.tensor([row for row, positions in enumerate(columns) for _ in positions]),
            "column": torch.tensor([position for positions in columns for position in positions]),
            "target": torch.tensor([token for feature in features for token in feature.target[1]]),
        }
        read = np.zeros(shape, dtype=bool)
        read[fields["row"].numpy(), fields["column"].numpy()] = True
        return fields, reads_of(read)

    def head(self, hidden_size: int, labels: int, initial: Initial) -> LanguageModelHead:  # noqa: ARG002 - no labels
        """A `LanguageModelHead`, to be tied to its backbone before use."""
        head = LanguageModelHead(hidden_size, self.vocabulary, initial, eps=self.norm_eps)
        if self.start is not None:
            head.load_state_dict({name: self.start[name].float() for name in START})
        return head

    def results(self, outputs: Tensor, batch: Batch) -> list[Any]:
        """Always refused.

        Raises:
            StageError: always.
        """
        del outputs, batch
        raise self._refusal()

    def decode(
        self, results: Sequence[Any], features: Sequence[Feature], examples: Sequence[Example], labels: Sequence[str]
    ) -> list[str]:
        """Always refused.

        Raises:
            StageError: always.
        """
        del results, features, examples, labels
        raise self._refusal()

    def _refusal(self) -> StageError:
        return StageError("masked language modelling predicts no task", fix="predict one of the trained tasks")


class LanguageModelHead(nn.Module):
    """Dense, GELU, norm, then the word embeddings of the backbone as output matrix, at hidden tokens only.

    Args:
        hidden_size: width of the backbone.
        vocabulary: rows of its word embeddings.
        initial: source of the dense layer's start weights.
        eps: of the norm.
    """

    def __init__(self, hidden_size: int, vocabulary: int, initial: Initial, *, eps: float) -> None:
        super().__init__()
        self.dense = initial.linear(hidden_size, hidden_size)
        self.layer_norm = nn.LayerNorm(hidden_size, eps=eps)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        # In a tuple, so that the table is no part of this module: it trains and is stored with the backbone, or not.
        self._tied: tuple[Any, ...] = ()

    def tie(self, backbone: Any, invert: Callable[[Tensor], Tensor] | None = None) -> None:
        """Take the word embeddings of this backbone as output matrix.

        Args:
            invert: takes back what adapters make of the embeddings, so that input and output stay tied (MAD-X).
        """
        self._tied = (backbone.get_input_embeddings(), invert)

    def forward(self, hidden_states: Tensor, batch: Batch) -> Tensor:
        """Logits of shape ``(hidden tokens, vocabulary)``."""
        picked = hidden_states[batch.fields["row"], batch.fields["column"]]
        inner = self.layer_norm(functional.gelu(self.dense(picked)))
        embeddings, invert = self._tied
        return functional.linear(inner if invert is None else invert(inner), _in_float32(embeddings.weight), self.bias)


def _in_float32(matrix: Tensor) -> Tensor:
    """Embeddings of a backbone in a low number format, to be multiplied with what the head computes."""
    return matrix if matrix.dtype == torch.float32 else matrix.float()
