"""Train a multilingual byte-pair tokenizer with XLM-R's special tokens, sequence templates and word-start mark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
"""In the order of `SpecialTokens`."""

TEMPERATURE = 0.5
"""A language contributes characters in proportion to its size to this power, so small ones get pieces too."""

CHARACTERS = 10_000_000
"""Text that training reads; more changes little and takes longer."""

# Punctuation, digits and signs stand alone but keep a word-start mark before them: were the mark split off, the first
# piece of every number and of every opening quote would say nothing. The mark itself is an "other symbol" (So), hence
# signs are named by their other classes.
_ALONE = "\u2581?[\\p{P}\\p{N}\\p{Sc}\\p{Sm}\\p{Sk}]"


def train_tokenizer(texts: Mapping[str, Sequence[str]], *, vocabulary: int, alphabet: int, seed: int) -> Tokenizer:
    """Learn merges from lines of several languages.

    Args:
        texts: language -> lines.
        vocabulary: token ids, special tokens included; fewer when the text has no more merges.
        alphabet: characters kept; rarer ones become ``<unk>``.
        seed: chooses the lines.
    """
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex("\\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always"),
            pre_tokenizers.Split(Regex(_ALONE), behavior="isolated"),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        limit_alphabet=alphabet,
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sample(texts, np.random.default_rng(seed)), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    tokenizer.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme="always")
    return tokenizer


def _sample(texts: Mapping[str, Sequence[str]], rng: np.random.Generator) -> Iterator[str]:
    sizes = {language: sum(map(len, lines)) for language, lines in texts.items()}
    scale = sum(size**TEMPERATURE for size in sizes.values())
    for language, lines in texts.items():
        budget = CHARACTERS * sizes[language] ** TEMPERATURE / scale
        for row in rng.permutation(len(lines)):
            if budget <= 0:
                break
            budget -= len(lines[row])
            yield lines[row]
