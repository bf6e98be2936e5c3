"""Template, truncation and spans, on texts where naive code goes wrong."""

import pytest
from transformers import PreTrainedTokenizerFast

from adapterxfer.errors import BackboneError
from adapterxfer.formats.tokenization import encoder_for


def test_template_is_learnt_and_truncation_takes_from_the_longer_text(tokenizer):
    encoder = encoder_for(tokenizer)
    assert (encoder.single, encoder.pair, encoder.pad_id) == (([0], [2]), ([0], [2, 2], [2]), 1)
    assert encoder.build_single(list(range(10, 20)), 6) == [0, 10, 11, 12, 13, 2]
    long, short = list(range(10, 30)), [50, 51]
    assert encoder.build_pair(long, short, 10) == [0, 10, 11, 12, 13, 2, 2, 50, 51, 2]
    assert encoder.build_pair(short, long, 10) == [0, 50, 51, 2, 2, 10, 11, 12, 13, 2]
    assert encoder.build_pair(long, long, 11) == [0, 10, 11, 12, 2, 2, 10, 11, 12, 13, 2]
    with pytest.raises(BackboneError, match="max_length 7"):
        encoder.build_pair(long, short, 7)


def test_truncation_agrees_with_transformers(tokenizer):
    library = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    encoder = encoder_for(library)
    assert encoder_for(library) is encoder
    texts = [("tom saw anna", "the dog"), ("a", "big big big dog"), ("tom tom tom", "dog dog dog dog"), ("", "tom")]
    for length in (8, 9, 10, 12, 30):
        mine = [
            encoder.build_pair(a, b, length)
            for a, b in zip(encoder.texts([t[0] for t in texts]), encoder.texts([t[1] for t in texts]), strict=True)
        ]
        theirs = library([t[0] for t in texts], [t[1] for t in texts], truncation="longest_first", max_length=length)
        assert mine == theirs["input_ids"]


def test_spans_are_characters_of_the_raw_text_without_spaces_and_marks(tokenizer):
    text = "\U0001f600  Tom (\u5317\u4eac)"
    pieces = encoder_for(tokenizer).texts_with_spans([text, text])[1]
    covered = [text[start:end] for start, end in pieces.spans]
    assert [c for c in covered if c] == ["\U0001f600", "Tom", "(", "\u5317", "\u4eac", ")"]
    assert covered.count("") == len(covered) - 6 > 0


def test_words_without_tokens_are_kept(tokenizer):
    words = encoder_for(tokenizer).words([["tom", "\u200b", "", "xing"], ["("]])
    assert [len(w) for w in words[0]] == [1, 0, 0, 2]
    assert len(words[1][0]) == 2


def test_slow_tokenizers_are_refused():
    with pytest.raises(BackboneError, match="not a fast tokenizer"):
        encoder_for(object())
