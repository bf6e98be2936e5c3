"""Plain text to a corpus: tokenizer, blocks, recovered pairs, held-out lines."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from adapterxfer.data.pairs import BAND, Pair, align, align_language, numbers_agree, read_parts
from adapterxfer.data.tokenizer_training import SPECIAL_TOKENS, train_tokenizer
from adapterxfer.errors import DataError
from adapterxfer.pretraining.corpus import SpecialTokens
from adapterxfer.pretraining.text import LONGEST_PAIR, CorpusSettings, blocks, build_text_corpus, read_lines

SETTINGS = CorpusSettings(vocabulary=300, alphabet=60, holdout=0.1, sequence_length=16, pairs=True, seed=1)


def sentences(language: str, count: int = 200) -> list[str]:
    rng = np.random.default_rng(5)  # the same numbers and lengths in every language
    words = [f"{language}{stem}" for stem in ("haus", "baum", "wasser", "stein", "garten")]
    return [" ".join(words[k] for k in rng.integers(5, size=rng.integers(4, 12))) + f" {i}." for i in range(count)]


@pytest.fixture(scope="module")
def texts() -> dict[str, list[str]]:
    german = sentences("x")
    return {"en": ["Only English here."] * 30 + sentences("e"), "de": german[:50] + german[53:]}


PARTS = {"en": {"NTREX-128": range(30, 230)}, "de": {"NTREX-128": range(197)}}


def test_no_word_begins_with_a_lone_mark(texts):
    tokenizer = train_tokenizer(texts, vocabulary=400, alphabet=80, seed=0)
    digits = tokenizer.encode("42 times 3 ehaus 17.", add_special_tokens=False).tokens
    assert {"\u25814", "\u25813", "\u25811"} <= set(digits)
    whole = train_tokenizer({"en": ['(ehaus) "ebaum" -5% $7'] * 50}, vocabulary=200, alphabet=80, seed=0)
    for text in ("(ehaus)", '"ebaum"', "-5%", "$7"):
        assert "\u2581" not in whole.encode(text, add_special_tokens=False).tokens, text
    assert tokenizer.encode("42", add_special_tokens=False).tokens == ["\u25814", "2"]
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == [0, 1, 2, 3, 4]
    pair = tokenizer.encode("ehaus", "xbaum").ids
    assert pair[0] == 0
    assert pair.count(2) == 3
    assert tokenizer.decode(tokenizer.encode("ehaus ebaum 7.").ids) == "ehaus ebaum 7."


def test_the_tokenizer_is_the_same_twice(texts):
    first, second = (train_tokenizer(texts, vocabulary=300, alphabet=60, seed=4).to_str() for _ in range(2))
    assert first == second


def test_blocks_keep_every_token_in_order():
    lines = [np.array([10, 11, 12], dtype=np.int32), np.zeros(0, dtype=np.int32), np.array([13] * 20, dtype=np.int32)]
    found = blocks(lines, SETTINGS, SpecialTokens())
    assert [len(block) for block in found] == [16]
    assert found[0].tolist() == [0, 10, 11, 12, 2, *[13] * 10, 2]
    assert [len(block) for block in blocks(lines[:1], SETTINGS, SpecialTokens())] == [5]
    assert blocks(lines[1:2], SETTINGS, SpecialTokens()) == []


def test_alignment_bridges_dropped_lines_and_gives_up_when_far_apart():
    left = sentences("e", 120)
    right = sentences("x", 120)
    del right[100], right[40:43]
    pairs = align(left, right)
    truth = [
        (a, a) if a < 40 else (a, a - 3) if a < 100 else (a, a - 4) for a in range(120) if a not in (40, 41, 42, 100)
    ]
    assert len(set(pairs) & set(truth)) >= 0.97 * len(truth)
    assert all(a < b and c < d for (a, c), (b, d) in pairwise(pairs))
    assert align(left, left[: 119 - BAND]) == []
    assert align([], left) == []


def test_a_set_that_disagrees_about_numbers_is_left_out(texts):
    good = align_language(texts["en"], texts["de"], PARTS["en"], PARTS["de"])
    assert good.sets == ("NTREX-128",)
    assert good.agreement > 0.95
    shuffled = [texts["de"][i] for i in np.random.default_rng(0).permutation(197)]
    bad = align_language(texts["en"], shuffled, PARTS["en"], PARTS["de"])
    assert bad.left_out == ("NTREX-128",)
    assert bad.pairs == ()


def test_numbers_are_compared_in_any_digits():
    assert (
        numbers_agree(["1,000 men in 1999"], ["\u0967\u0966\u0966\u0966 \u0967\u096f\u096f\u096f"], [Pair(0, 0)]) == 1.0
    )
    assert numbers_agree(["1"], ["2"], [Pair(0, 0)]) == 0.0
    assert numbers_agree(["a"], ["b"], [Pair(0, 0)]) == 1.0


def test_parts_come_from_the_sources_file(tmp_path: Path):
    path = tmp_path / "SOURCES.tsv"
    path.write_text("lang\tlines\tsources\nen\t9\tbooks: 3; NTREX-128/a.txt: 4; sib-200 eng: 2\nde\t2\tnews: 2\n")
    assert read_parts(path) == {"en": {"NTREX-128": range(3, 7), "sib-200": range(7, 9)}}
    path.write_text("lang\tlines\tsources\nen\t9\tbooks\n")
    with pytest.raises(DataError, match="name: lines"):
        read_parts(path)


def test_names_of_special_tokens_in_text_are_no_tokens(tmp_path: Path):
    path = tmp_path / "en.txt"
    path.write_text("a <unk> b\n\n <s>c \n")
    assert read_lines(path) == ["a   b", "", "c"]


def test_a_corpus_keeps_held_out_lines_out_of_blocks_and_pairs(texts):
    built = build_text_corpus(texts, SETTINGS, parts=PARTS)
    corpus = built.corpus
    assert corpus.languages == ("en", "de")
    mono, parallel = corpus.streams
    assert (mono.weight, parallel.weight) == (1.0, 0.0)
    assert set(mono.sequences.languages) == {0, 1}
    assert set(parallel.sequences.languages) == {-1}
    assert parallel.sequences.lengths.max() <= LONGEST_PAIR

    def lines(part: object) -> set[str]:
        rows = [part.tokens[a:b] for a, b in pairwise(part.offsets)]  # type: ignore[attr-defined]
        text = "\n".join(built.tokenizer.decode(row.tolist(), skip_special_tokens=False) for row in rows)
        return set(text.replace("<s>", "\n").replace("</s>", "\n").replace("\n ", "\n").split("\n"))

    numbered = {line.strip() for line in [*texts["en"][30:], *texts["de"]]}
    heldout = {line.strip() for line in lines(corpus.heldout)} & numbered
    trained = (
        {line.strip() for line in lines(mono.sequences)} | {line.strip() for line in lines(parallel.sequences)}
    ) & numbered
    assert len(heldout) > 5
    assert len(trained) > 100
    assert not heldout & trained
    notes = built.notes["pairs"]["de"]
    assert notes["kept"] == len(parallel.sequences)
    assert 120 < notes["kept"] < notes["aligned"] <= 197
    assert built.notes["languages"]["de"]["unknown"] < 0.05


def test_pairs_are_an_option_and_small_text_is_refused(texts):
    built = build_text_corpus(texts, SETTINGS)
    assert [stream.name for stream in built.corpus.streams] == ["mono"]
    with pytest.raises(DataError, match="too few"):
        build_text_corpus({"en": texts["en"], "de": ["kurz"]}, SETTINGS)
