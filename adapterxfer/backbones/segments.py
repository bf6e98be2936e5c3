"""Segment ids of pairs of texts, from the token ids alone: 0 up to the end of the first text, 1 in the second.

Encoders that were pretrained on pairs (BERT, ELECTRA) have two rows of segment embeddings. Which ids a pair gets is
said by the tokenizer's template: one of XLM-R gives 0 everywhere, also beside a BERT (multilingual E5 and MiniLM).
What separates the texts is a special token, so the ids follow from it and no batch has to carry them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapterxfer.errors import BackboneError

if TYPE_CHECKING:
    from torch import Tensor

_MARK = "_adapterxfer_segments"


def mark_segments(model: Any, tokenizer: Any) -> None:
    """Let `segments_of` give the segment ids that the tokenizer gives to pairs, where the encoder has them.

    Args:
        model: an encoder; copies of it keep what is set here.
        tokenizer: of its backbone.

    Raises:
        BackboneError: the tokenizer's template cannot be computed from token ids.
    """
    if int(getattr(model.config, "type_vocab_size", 0) or 0) < 2:
        return
    probe = tokenizer.backend_tokenizer.encode("a", "b")
    if not any(probe.type_ids):
        return
    ends = [at for at, sequence in enumerate(probe.sequence_ids) if sequence == 0]
    begins = [at for at, sequence in enumerate(probe.sequence_ids) if sequence == 1]
    between = begins[0] - ends[-1] - 1 if ends and begins else 0
    if not between:
        return  # no template of special tokens: the default ids of the tokenizers library say nothing
    separator = probe.ids[ends[-1] + 1]
    if _types(probe.ids, separator, between) != list(probe.type_ids):
        raise BackboneError(
            "the tokenizer gives segment ids to pairs that do not follow from the tokens between them",
            fix="use the tokenizer that the backbone was published with",
        )
    setattr(model, _MARK, (separator, between))


def segments_of(model: Any, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor | None:
    """Segment ids of the shape of ``input_ids``, 0 at padding; None where all of them are 0."""
    mark: tuple[int, int] | None = getattr(model, _MARK, None)
    if mark is None:
        return None
    separator, between = mark
    seen = input_ids.eq(separator).cumsum(dim=1).clamp(max=1)
    types = seen.new_zeros(seen.shape)
    types[:, between:] = seen[:, :-between]
    return types if attention_mask is None else types * attention_mask


def _types(ids: list[int], separator: int, between: int) -> list[int]:
    first = ids.index(separator) + between
    return [int(at >= first) for at in range(len(ids))]
