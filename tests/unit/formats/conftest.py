"""A small word-piece vocabulary with the traits that matter: marks, split punctuation, the XLM-R template."""

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="session")
def tokenizer():
    """Pieces: single letters, a few words, and the bare mark before punctuation, digits and Chinese characters."""
    words = ["\u2581tom", "\u2581saw", "\u2581anna", "\u2581the", "\u2581big", "\u2581dog", "ing", "\u2581"]
    signs = list(LETTERS + "().,?0123456789\u5317\u4eac\u5927\U0001f600")
    starts = [f"\u2581{letter}" for letter in LETTERS]
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    vocabulary = {piece: index for index, piece in enumerate([*special, *words, *starts, *signs])}
    merges = []
    for word in words:
        for cut in range(1, len(word)):
            left, right = word[:cut], word[cut]
            merges.append((left, right))
            vocabulary.setdefault(word[: cut + 1], len(vocabulary))
    merges += [("\u2581", letter) for letter in LETTERS if ("\u2581", letter) not in merges]
    tokenizer = Tokenizer(models.BPE(vocabulary, list(dict.fromkeys(merges)), unk_token="<unk>"))
    tokenizer.add_special_tokens(special)
    # Zero-width spaces vanish: words made of them alone get no token, as with SentencePiece vocabularies.
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace("\u200b", "")])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(prepend_scheme="always"),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.Digits(individual_digits=True),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer
