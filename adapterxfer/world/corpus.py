"""The pretraining text of the world, its tokenizer, and both as a corpus of token sequences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from tokenizers.decoders import Metaspace

from adapterxfer.pretraining.corpus import NO_LANGUAGE, Corpus, Sequences, SpecialTokens, Stream
from adapterxfer.world.concepts import MARKERS
from adapterxfer.world.documents import Document, document, mixed_texts, sentence, texts
from adapterxfer.world.draws import Draws, generator
from adapterxfer.world.languages import LANGUAGES, RESOURCES, ZERO_SHOT
from adapterxfer.world.lexicon import lexicons

VOCABULARY = 3000
LONGEST = 64
"""Tokens after which a line is cut."""
TOKENIZER_DOCUMENTS = 1500
"""The most that the tokenizer reads of one language, so that languages with much text do not take all word pieces."""
HELDOUT_DOCUMENTS = 120
SPECIAL = SpecialTokens()
SPECIAL_TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
STREAM_SHARES = {"mono": 0.55, "parallel": 0.2, "mixed": 0.25}
"""Shares of the lines: plain documents, translated sentences, and code-switched documents."""
TEMPERATURE = 0.7
"""Inside a stream a language is drawn with probability proportional to its size to this power."""

Line = tuple[str, str | None]
"""One input: a text, or a pair of texts."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of one stream and language; ``language`` is None for lines in two languages."""

    stream: str
    language: str | None
    lines: list[Line]


def _as_line(sentences: list[str], rng: Draws) -> Line:
    """A document as one text or, half of the time, as a pair cut after the first sentence or anywhere."""
    if len(sentences) > 1 and rng.chance(0.5):
        cut = 1 if rng.chance(0.5) else 1 + rng.below(len(sentences) - 1)
        return " ".join(sentences[:cut]), " ".join(sentences[cut:])
    return " ".join(sentences), None


def _documents(purpose: str, language: str, count: int) -> Iterator[tuple[Document, Draws]]:
    rng = Draws(generator("corpus", purpose, language))
    for _ in range(count):
        yield document(rng), rng


def monolingual(language: str) -> list[Line]:
    """All monolingual documents of a language, as lines."""
    count = LANGUAGES[language].documents
    return [_as_line(texts(story, language), rng) for story, rng in _documents("mono", language, count)]


def heldout(language: str) -> list[Line]:
    """Documents that no stream contains, as lines."""
    return [_as_line(texts(story, language), rng) for story, rng in _documents("heldout", language, HELDOUT_DOCUMENTS)]


def parallel(language: str) -> list[Line]:
    """Sentences with their English translation, in either order."""
    rng = Draws(generator("corpus", "parallel", language))
    lines: list[Line] = []
    for _ in range(RESOURCES[LANGUAGES[language].tier].parallel):
        story = (sentence(rng),)
        pair = texts(story, language)[0], texts(story, "en")[0]
        lines.append(pair if rng.chance(0.5) else pair[::-1])
    return lines


def mixed(language: str) -> list[Line]:
    """Documents in a mixture of a language and English."""
    count = RESOURCES[LANGUAGES[language].tier].mixed
    return [_as_line(mixed_texts(story, language, rng), rng) for story, rng in _documents("mixed", language, count)]


def all_lines() -> list[Lines]:
    """The whole training text."""
    blocks = [Lines("mono", language, monolingual(language)) for language in LANGUAGES]
    blocks += [Lines("parallel", language, parallel(language)) for language in ZERO_SHOT]
    blocks += [Lines("mixed", language, mixed(language)) for language in ZERO_SHOT]
    return [block for block in blocks if block.lines]


def train_tokenizer(lines: list[Lines]) -> Tokenizer:
    """Byte-pair encoding over words, with the special tokens and the pair template of XLM-R."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=SPECIAL_TOKENS, show_progress=False)
    sample = [block.lines[:TOKENIZER_DOCUMENTS] for block in lines if block.stream == "mono"]
    tokenizer.train_from_iterator((" ".join(filter(None, line)) for block in sample for line in block), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", SPECIAL.bos), ("</s>", SPECIAL.eos)],
    )
    return tokenizer


def build_corpus(tokenizer: Tokenizer, lines: list[Lines]) -> Corpus:
    """Encode everything; weights inside a stream follow `TEMPERATURE`."""
    tokenizer.enable_truncation(LONGEST)
    codes = tuple(LANGUAGES)
    streams = []
    for name, share in STREAM_SHARES.items():
        parts = [block for block in lines if block.stream == name]
        rows: list[list[int]] = []
        marks: list[int] = []
        weights: list[np.ndarray] = []
        for block in parts:
            rows += _encode(tokenizer, block.lines)
            mark = codes.index(block.language) if name == "mono" and block.language else NO_LANGUAGE
            marks += [mark] * len(block.lines)
            weights.append(np.full(len(block.lines), float(len(block.lines)) ** (TEMPERATURE - 1.0)))
        streams.append(Stream(name, share, Sequences.build(rows, marks), np.concatenate(weights)))
    held = [(row, codes.index(code)) for code in codes for row in _encode(tokenizer, heldout(code))]
    heldout_part = Sequences.build([row for row, _ in held], [mark for _, mark in held])
    tokenizer.no_truncation()
    return Corpus(codes, tokenizer.get_vocab_size(), SPECIAL, tuple(streams), heldout_part)


def _encode(tokenizer: Tokenizer, lines: list[Line]) -> list[list[int]]:
    inputs = [line if line[1] is not None else line[0] for line in lines]
    return [encoding.ids for encoding in tokenizer.encode_batch(inputs)]


def marker_ids(tokenizer: Tokenizer) -> dict[str, dict[str, int]]:
    """Language -> label -> token id of its discourse marker."""
    vocabulary = tokenizer.get_vocab()
    return {
        language: {label: vocabulary["▁" + words.form(marker)] for label, marker in MARKERS.items()}
        for language, words in lexicons().items()
    }
