"""Words given one by one carry the mark that the tokenizer gives to a word behind a space, whatever its pipeline is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from adapterxfer.data.examples import TaggingExample
from adapterxfer.data.files import HashCache
from adapterxfer.data.word_starts import file_lacks_word_starts, lacks_word_starts, marks_words
from adapterxfer.formats.base import Encoding
from adapterxfer.formats.inputs import describe_inputs
from adapterxfer.formats.registry import get_format
from adapterxfer.formats.tokenization import Encoder, encoder_for

LINES = [
    "The bakery in the old market opens before seven in the morning .",
    "Công ty của chúng tôi mở cửa trước bảy giờ sáng .",
    "Пекарня на старом рынке открывается до семи утра .",
    "पुराने बाज़ार की बेकरी सुबह सात बजे से पहले खुलती है ।",
    "Ilé ìtajà náà ń ṣí kí ó tó di aago méje òwúrọ̀ .",
] * 20
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
WORDS = ("The", "công ty", "на", "बाज़ार", "òwúrọ̀", "(", ".")


def _finished(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def xlm_roberta() -> Tokenizer:
    """Unigram pieces with a mark before every word, as SentencePiece gives."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(LINES, trainer)
    return _finished(tokenizer)


def t5_first() -> Tokenizer:
    """The newer form of T5's: the mark before the first word only, the others have the space."""
    tokenizer = xlm_roberta()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    return tokenizer


def gemma() -> Tokenizer:
    """Gemma 2's: spaces become marks, and nothing is put before the text."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(LINES, trainer)
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Replace("\u2581", " ")
    return _finished(tokenizer)


def byte_level(*, prefix: bool) -> Tokenizer:
    """ModernBERT's has no prefix space, RoBERTa's fast one may have."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=SPECIAL,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(LINES, trainer)
    return _finished(tokenizer)


def word_piece() -> Tokenizer:
    """BERT's: middles of words carry a mark, beginnings none."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(LINES, trainer)
    return _finished(tokenizer)


PIPELINES: dict[str, tuple[Callable[[], Tokenizer], bool, bool]] = {
    # what makes it, whether words lack their mark, whether there is a mark
    "xlm-roberta": (xlm_roberta, False, True),
    "t5, mark before the first word": (t5_first, False, True),
    "gemma 2": (gemma, True, True),
    "byte-level without prefix space": (lambda: byte_level(prefix=False), True, True),
    "byte-level with prefix space": (lambda: byte_level(prefix=True), False, True),
    "word piece": (word_piece, False, False),
}


@pytest.fixture(scope="module", params=PIPELINES)
def pipeline(request: pytest.FixtureRequest) -> tuple[Tokenizer, bool, bool]:
    make, lacking, marking = PIPELINES[request.param]
    return make(), lacking, marking


def pieces(encoder: Encoder, ids: list[int]) -> list[str]:
    return [encoder.tokenizer.id_to_token(i) for i in ids]


def test_what_a_tokenizer_gives_is_found_out(pipeline):
    tokenizer, lacking, marking = pipeline
    assert lacks_word_starts(tokenizer) is lacking
    assert marks_words(tokenizer) is marking
    encoder = encoder_for(tokenizer)
    assert (encoder.spaced, encoder.marks_words) == (lacking, marking)


def test_a_vocabulary_with_marks_whose_pipeline_lost_them_is_one_that_marks_words():
    tokenizer = xlm_roberta()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    assert marks_words(tokenizer)
    assert not lacks_word_starts(tokenizer), "no form of a word has the mark, so none can be given"
    encoder = encoder_for(tokenizer)
    assert encoder.marks_words
    (sentence,) = encoder.words([WORDS])
    assert not any(encoder.begins_word(ids[0]) for ids in sentence if ids)


def test_words_are_those_behind_a_space_the_first_one_too(pipeline):
    tokenizer, _, marking = pipeline
    encoder = encoder_for(tokenizer)
    (sentence,) = encoder.words([WORDS])
    for word, ids in zip(WORDS, sentence, strict=True):
        behind = tokenizer.encode(f" {word}", add_special_tokens=False).ids
        assert ids == behind, word
        assert ids
        assert encoder.begins_word(ids[0]) is marking, (word, pieces(encoder, ids))
    assert encoder.words([[], ["The"]]) == [[], [sentence[0]]]


def test_words_of_tokenizers_with_marks_are_tokenized_as_before(pipeline):
    tokenizer, lacking, _ = pipeline
    encoding = tokenizer.encode(list(WORDS), is_pretokenized=True, add_special_tokens=False)
    before = [[i for i, w in zip(encoding.ids, encoding.word_ids, strict=True) if w == n] for n in range(len(WORDS))]
    assert (encoder_for(tokenizer).words([WORDS])[0] == before) is not lacking


def test_inner_spaces_stay_spaces(pipeline):
    tokenizer, _, _ = pipeline
    encoder = encoder_for(tokenizer)
    (words,) = encoder.words([["công ty", "công", "ty"]])
    assert words[0] == words[1] + words[2]


def test_a_word_that_the_tokenizer_drops_has_no_token():
    tokenizer = gemma()
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace("\u200b", ""), tokenizer.normalizer])
    encoder = encoder_for(tokenizer)
    assert encoder.spaced
    assert [bool(ids) for ids in encoder.words([["The", "\u200b", "", "."]])[0]] == [True, False, False, True]


def test_a_small_vocabulary_without_other_scripts_lacks_no_marks(tokenizer):
    assert not lacks_word_starts(tokenizer)
    assert marks_words(tokenizer)


def test_a_file_is_asked_once(tmp_path, monkeypatch):
    path = tmp_path / "tokenizer.json"
    gemma().save(str(path))
    hashes = HashCache(tmp_path / "hashes.json")
    assert file_lacks_word_starts(path, hashes)
    monkeypatch.setattr(Tokenizer, "from_file", None)
    assert file_lacks_word_starts(path, hashes)
    (tmp_path / "other.json").write_text("{}")
    assert not file_lacks_word_starts(tmp_path / "other.json", hashes)


def test_counts_of_tagged_sentences(pipeline):
    """Words, pieces and marks are counted as the tagger reads them, over the windows of a long sentence."""
    tokenizer, _, marking = pipeline
    encoder = encoder_for(tokenizer)
    examples = [
        TaggingExample("1", "1", "vi", WORDS, ("X",) * len(WORDS)),
        TaggingExample("2", "2", "en", ("The",), ("X",)),
    ]
    features = list(get_format("tagging").features(examples, Encoding(encoder, 12, ("X", "Y"), False)))
    counted = describe_inputs(examples, features, encoder, 12)
    vietnamese, english = counted["languages"]["vi"], counted["languages"]["en"]
    lengths = [len(ids) for ids in encoder.words([WORDS])[0]]
    assert vietnamese["pieces"] == sum(min(length, 10) for length in lengths)
    assert (vietnamese["texts"], vietnamese["words"], vietnamese["cut"]) == (1, len(WORDS), int(sum(lengths) > 10))
    assert (english["words"], english["cut"], english["composed"]) == (1, 0, 0)
    assert counted["marks_words"] is marking
    if marking:
        assert (vietnamese["marked"], english["marked"]) == (len(WORDS), 1)
