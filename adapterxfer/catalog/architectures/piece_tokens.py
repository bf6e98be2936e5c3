"""The special tokens that published tokenizers add to their SentencePiece model, by architecture. Torch-free.

The classes of `transformers` that held these rules changed with its version 5: they no longer read the model's own
file. The converter behind them is the same in both, so the rules stand here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceTokens:
    """How one kind of SentencePiece model becomes a tokenizer.

    Attributes:
        converter: class of `transformers.convert_slow_tokenizer` that assembles it.
        tokens: role -> text.
        takes_space: texts before which a space belongs to the token.
        normalized: texts that are looked for in the normalised input.
        options: attributes of the published tokenizer that its converter asks for, and their defaults.
        sentinels: how many numbered sentinels follow the pieces, unless the folder says another number.
    """

    converter: str
    tokens: Mapping[str, str]
    takes_space: frozenset[str] = frozenset()
    normalized: frozenset[str] = frozenset()
    options: Mapping[str, bool] = field(default_factory=dict)
    sentinels: int = 0


_BRACKETS = {
    "bos_token": "[CLS]",
    "eos_token": "[SEP]",
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}

XLM_R = PieceTokens(
    converter="XLMRobertaConverter",
    tokens={
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "cls_token": "<s>",
        "mask_token": "<mask>",
    },
    takes_space=frozenset({"<mask>"}),
)
DEBERTA = PieceTokens(
    converter="DebertaV2Converter",
    tokens=_BRACKETS,
    normalized=frozenset({"[UNK]"}),
    options={"do_lower_case": False, "split_by_punct": False},
)
REMBERT = PieceTokens(
    converter="RemBertConverter",
    tokens=_BRACKETS,
    takes_space=frozenset({"[MASK]"}),
    normalized=frozenset({"[MASK]"}),
    options={"do_lower_case": False, "keep_accents": True},
)
T5 = PieceTokens(
    converter="T5Converter",
    tokens={"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"},
    sentinels=100,
)
