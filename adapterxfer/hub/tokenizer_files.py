"""A tokenizer as files that both `transformers` 4 and 5 open.

What the library itself would write depends on its version: 5 leaves the map of special tokens out and names a class
that 4 does not know. Bundles are the same whichever is installed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.backbones.special_tokens import SPECIAL_TOKENS
from adapterxfer.hub.layout import TOKENIZER

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def write_tokenizer(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write ``tokenizer.json``, ``tokenizer_config.json`` and ``special_tokens_map.json`` into a folder."""
    fast, facts, special = (folder / name for name in TOKENIZER)
    tokenizer.backend_tokenizer.save(str(fast))
    named = {role: getattr(tokenizer, role) for role in SPECIAL_TOKENS}
    tokens = {role: str(text) for role, text in named.items() if text is not None}
    _write(special, tokens)
    decoder = tokenizer.backend_tokenizer.get_added_tokens_decoder()
    content = {
        "added_tokens_decoder": {str(number): _added(token) for number, token in decoder.items()},
        "clean_up_tokenization_spaces": False,
        "extra_special_tokens": {},
        "model_max_length": tokenizer.model_max_length,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    _write(facts, content | tokens)


def _added(token: Any) -> dict[str, Any]:
    flags = ("lstrip", "normalized", "rstrip", "single_word", "special")
    return {"content": token.content, **{flag: getattr(token, flag) for flag in flags}}


def _write(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")
