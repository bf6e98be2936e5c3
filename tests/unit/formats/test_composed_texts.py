"""Composed and decomposed Unicode give the same tokens; answers are characters of the text as it was given."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from adapterxfer.data.examples import (
    ChoiceExample,
    PairExample,
    RetrievalExample,
    SpanExample,
    TaggingExample,
)
from adapterxfer.formats.base import Encoding
from adapterxfer.formats.inputs import describe_inputs
from adapterxfer.formats.registry import get_format
from adapterxfer.formats.tokenization import encoder_for

YORUBA = "Ọjọ́ tí ó bá wù ẹ́ ni kí o wá; òwúrọ̀ ń bọ̀ wá"
DECOMPOSED = unicodedata.normalize("NFD", YORUBA)
BACKBONE = os.environ.get("ADAPTERXFER_REAL_BACKBONE", "")


@pytest.fixture(scope="module")
def byte_tokenizer() -> Tokenizer:
    """One piece for every byte: no character is unknown, and most letters have several pieces."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate([*special, *alphabet])}, []))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def test_both_forms_have_the_same_tokens(byte_tokenizer):
    assert DECOMPOSED != YORUBA
    encoder = encoder_for(byte_tokenizer)
    assert encoder.tokenizer.encode(DECOMPOSED).ids != encoder.tokenizer.encode(YORUBA).ids
    assert encoder.texts([DECOMPOSED]) == encoder.texts([YORUBA])
    assert encoder.words([DECOMPOSED.split()]) == encoder.words([YORUBA.split()])
    assert encoder.texts_with_spans([DECOMPOSED])[0].ids == encoder.texts_with_spans([YORUBA])[0].ids


def examples_in(text: str) -> dict[str, object]:
    """One example of every format around a text."""
    words = tuple(text.split())
    return {
        "sequence_classification": PairExample("1", "1", "yo", text, text, "a"),
        "tagging": TaggingExample("1", "1", "yo", words, ("a",) * len(words)),
        "span_qa": SpanExample(
            example_id="1", cluster_id="1", language="yo", question=text, context=text, answers=(words[0],),
            answer_starts=(0,),
        ),
        "multiple_choice": ChoiceExample(
            example_id="1", cluster_id="1", language="yo", context=text, question="", choices=(text, "x"), label=0
        ),
        "retrieval": RetrievalExample("1", "1", "yo", text, text),
    }  # fmt: skip


@pytest.mark.parametrize("name", examples_in("a"))
def test_every_format_reads_the_composed_form(byte_tokenizer, name):
    encoder = encoder_for(byte_tokenizer)
    sequences, composed = [], []
    for text in (YORUBA, DECOMPOSED):
        example = examples_in(text)[name]
        features = list(get_format(name).features([example], Encoding(encoder, 512, ("a", "b"), True)))
        sequences.append([feature.sequences for feature in features])
        counted = describe_inputs([example], features, encoder, 512)["languages"]["yo"]
        composed.append(counted.pop("composed"))
        sequences.append([{**counted, "characters": 0}])  # those of the text as it was given
    assert sequences[:2] == sequences[2:]
    assert composed == [0, 1]


BASES = "aeonSD\u01a1\u1ecd\u1100\u1112\uac00\u0915\u0921\u0928\u0958\u0995\u0bc6\u0628\u5317"
MARKS = ("", "", *"\u0300\u0301\u0303\u0309\u031b\u0323\u1161\u11a8\u093c\u0bbe", "\u0651\u064e")
LETTERS = st.builds(
    lambda base, marks: base + "".join(marks), st.sampled_from(BASES), st.lists(st.sampled_from(MARKS), max_size=3)
)
FORMS = st.sampled_from(["as is", "NFC", "NFD"])
WORDS = st.builds(
    lambda letters, form: "".join(letters) if form == "as is" else unicodedata.normalize(form, "".join(letters)),
    st.lists(LETTERS, min_size=1, max_size=4),
    FORMS,
)


@given(st.lists(WORDS, min_size=1, max_size=6), st.data())
def test_an_answer_is_the_text_that_was_marked(byte_tokenizer, words, data):
    """Gold offsets count characters of the original; the tokens they fall on give back these very characters."""
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    context, answer = " ".join(words), " ".join(words[first : last + 1])
    start = len("".join(f"{word} " for word in words[:first]))
    example = SpanExample(
        example_id="1", cluster_id="1", language="xx", question="a", context=context, answers=(answer,),
        answer_starts=(start,),
    )  # fmt: skip
    fmt = get_format("span_qa", "max-answer-300")
    (feature,) = fmt.encode([example], byte_tokenizer, max_length=512, labels=(), train=True)
    batch = fmt.collate([feature], pad_id=1)
    logits = torch.zeros((*batch.input_ids.shape, 2))
    logits[0, feature.target.start, 0] = logits[0, feature.target.end, 1] = 9.0
    assert fmt.decode(fmt.results(logits, batch), [feature], [example], ()) == [answer]


@pytest.mark.skipif(not BACKBONE, reason="ADAPTERXFER_REAL_BACKBONE names no folder with XLM-R's tokenizer")
def test_the_published_tokenizer_keeps_both_marks_of_a_letter():
    tokenizer = Tokenizer.from_file(str(Path(BACKBONE) / "tokenizer.json"))
    encoder = encoder_for(tokenizer)
    plain = tokenizer.encode(YORUBA, add_special_tokens=False).ids
    assert tokenizer.encode(DECOMPOSED, add_special_tokens=False).ids != plain  # the second mark is dropped
    assert encoder.texts([DECOMPOSED, YORUBA]) == [plain, plain]
    assert encoder.words([DECOMPOSED.split()]) == encoder.words([YORUBA.split()])
    assert not encoder.spaced
    spans = encoder.texts_with_spans([DECOMPOSED])[0].spans
    assert {i for begin, end in spans for i in range(begin, end)} == {
        i for i, character in enumerate(DECOMPOSED) if not character.isspace()
    }
