"""Word starts on real treebanks, with pipelines as published tokenizers have them; skipped without original files.

The vocabularies are trained on the plain text of the folder: what is published has others, but the same normalizers,
pre-tokenizers and conversions. ADAPTERXFER_REAL_BACKBONE names a folder with XLM-R's own tokenizer.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import GemmaTokenizer
from transformers.convert_slow_tokenizer import GemmaSentencePieceExtractor, convert_slow_tokenizer

from adapterxfer.backbones.tokenizer import load_tokenizer
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.data.conllu import read_conllu
from adapterxfer.data.examples import TaggingExample
from adapterxfer.data.files import OPENERS, list_files
from adapterxfer.data.word_starts import NEEDED_SHARE
from adapterxfer.formats.base import Encoding
from adapterxfer.formats.inputs import describe_inputs
from adapterxfer.formats.registry import get_format
from adapterxfer.formats.tokenization import encoder_for

ROOT = os.environ.get("ADAPTERXFER_REALDATA", "")
BACKBONE = os.environ.get("ADAPTERXFER_REAL_BACKBONE", "")
LANGUAGES = ("en", "hi", "ja", "te", "tr", "vi", "yo", "zh")
SENTENCES = 100
PIECES = {
    "deberta-v2": {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}
    | {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"},
    "mt5": {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1},
}

pytestmark = pytest.mark.skipif(not ROOT, reason="ADAPTERXFER_REALDATA names no folder")


def lines() -> Iterator[str]:
    """Some plain text of every language of the folder."""
    for path in list_files(Path(ROOT)):
        if path.startswith("text/") and ".txt" in path:
            with OPENERS.get(Path(path).suffix, open)(Path(ROOT) / path, "rt", encoding="utf-8") as file:
                yield from itertools.islice((line.strip() for line in file), 300)


def pieces(folder: Path, **options: Any) -> Path:
    """A SentencePiece model."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines(), model_prefix=str(folder / "m"), vocab_size=6000, character_coverage=0.999,
        minloglevel=2, num_threads=1, **options,
    )  # fmt: skip
    return folder / "m.model"


def converted(model_type: str) -> Callable[[Path], Any]:
    def make(folder: Path) -> Any:
        architecture = ARCHITECTURES[model_type]
        path = pieces(folder, **PIECES.get(model_type, {})).rename(folder / str(architecture.sentencepiece))
        tokenizer = load_tokenizer(path, max_length=512, architecture=architecture)
        if model_type == "mt5":  # its template puts nothing before a text, which no format reads yet
            tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
                single="</s> $A </s>", pair="</s> $A </s> $B </s>", special_tokens=[("</s>", 1)]
            )
        return tokenizer

    return make


def gemma(folder: Path) -> Tokenizer:
    """Gemma 2's, as `transformers` converts it."""
    path = pieces(
        folder, model_type="bpe", byte_fallback=True, add_dummy_prefix=False, remove_extra_whitespaces=False,
        normalization_rule_name="identity", pad_id=0, eos_id=1, bos_id=2, unk_id=3,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        # The converter of transformers 5 reads an attribute of this name that nothing sets any more.
        model = sentencepiece.SentencePieceProcessor(model_file=str(path))
        patch.setattr(GemmaSentencePieceExtractor, "sp", model, raising=False)
        tokenizer = convert_slow_tokenizer(GemmaTokenizer(vocab_file=str(path)))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", pair="<bos> $A <eos> $B <eos>", special_tokens=[("<bos>", 2), ("<eos>", 1)]
    )
    return tokenizer


def modernbert(folder: Path) -> Tokenizer:
    """ModernBERT's: NFC and bytes without a prefix space."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=6000,
        special_tokens=["[CLS]", "[PAD]", "[SEP]", "[UNK]"],
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(lines(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 2)]
    )
    return tokenizer


PIPELINES: dict[str, Callable[[Path], Any]] = {
    "xlm-roberta": converted("xlm-roberta"),
    "mt5": converted("mt5"),
    "mdeberta": converted("deberta-v2"),
    "gemma 2": gemma,
    "modernbert": modernbert,
}


@pytest.fixture(scope="module")
def sentences() -> list[TaggingExample]:
    files = list_files(Path(ROOT))
    read: list[TaggingExample] = []
    for code in LANGUAGES:
        path = next(p for p in files if p.rsplit("/", 1)[-1].startswith(f"{code}_") and "-ud-test.conllu" in p)
        examples = read_conllu(Path(ROOT) / path, code, Counter())
        read += [example for example in examples if isinstance(example, TaggingExample)][:SENTENCES]
    return read


def shares(tokenizer: Any, sentences: list[TaggingExample]) -> dict[str, float]:
    encoder = encoder_for(tokenizer)
    labels = sorted({tag for example in sentences for tag in example.tags})
    features = list(get_format("tagging").features(sentences, Encoding(encoder, 512, labels, False)))
    counted = describe_inputs(sentences, features, encoder, 512)
    assert counted["marks_words"]
    return {code: counts["marked"] / counts["words"] for code, counts in counted["languages"].items()}


@pytest.mark.parametrize("name", PIPELINES)
def test_words_of_treebanks_carry_their_mark(name: str, sentences: list[TaggingExample], tmp_path: Path) -> None:
    tokenizer = PIPELINES[name](tmp_path)
    assert encoder_for(tokenizer).spaced is (name in ("gemma 2", "modernbert"))
    found = shares(tokenizer, sentences)
    assert set(found) == set(LANGUAGES)
    assert min(found.values()) >= NEEDED_SHARE, found


@pytest.mark.skipif(not BACKBONE, reason="ADAPTERXFER_REAL_BACKBONE names no folder")
def test_words_of_treebanks_with_the_published_tokenizer(sentences: list[TaggingExample]) -> None:
    tokenizer = Tokenizer.from_file(str(Path(BACKBONE) / "tokenizer.json"))
    encoder = encoder_for(tokenizer)
    assert not encoder.spaced
    assert set(shares(tokenizer, sentences).values()) == {1.0}
    for example in sentences[::20]:  # as it was before
        encoding = tokenizer.encode(list(example.words), is_pretokenized=True, add_special_tokens=False)
        assert encoding.ids == [token for word in encoder.words([example.words])[0] for token in word]
