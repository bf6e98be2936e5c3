"""Backbones published with a SentencePiece model and no `tokenizer.json`: the fast tokenizer made from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import sentencepiece
import transformers

from adapterxfer.backbones.describing import tokenizer_name
from adapterxfer.backbones.special_tokens import tokenizer_cautions
from adapterxfer.backbones.tokenizer import load_tokenizer
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.errors import BackboneError

TEXT = [
    "Der schnelle Fuchs springt in den Wald und sieht einen Hund.",
    "She reads books about trains, trees and long winters.",
    "Kuinka monta kissaa asuu talossa?",
    "Ina son karatu sosai a gida.",
    "Su ninos juegan en la calle cada tarde.",
]
GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "sentencepiece_ids.json").read_text(encoding="utf-8"))
SLOW = {
    "xlm-roberta": "XLMRobertaTokenizer",
    "xlm-roberta-xl": "XLMRobertaTokenizer",
    "deberta-v2": "DebertaV2Tokenizer",
    "rembert": "RemBertTokenizer",
    "mt5": "T5Tokenizer",
}
# Ids and names of the special pieces as the published models have them; XLM-R's are the trainer's own.
PIECES = {
    "deberta-v2": {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}
    | {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"},
    "rembert": {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}
    | {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"},
    "mt5": {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One trained SentencePiece model for each architecture, named as it publishes it."""
    root = tmp_path_factory.mktemp("pieces")
    for model_type in SLOW:
        folder = root / model_type
        folder.mkdir()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXT * 20),
            model_prefix=str(folder / "m"),
            vocab_size=60,
            minloglevel=2,
            num_threads=1,  # the golden ids are those of one model
            **PIECES.get(model_type, {}),
        )
        (folder / "m.model").rename(folder / str(ARCHITECTURES[model_type].sentencepiece))
        (folder / "m.vocab").unlink()
    return root


@pytest.mark.skipif(
    int(transformers.__version__.split(".")[0]) >= 5, reason="the classes of transformers 5 do not read these files"
)
@pytest.mark.parametrize("model_type", SLOW)
def test_tokens_are_those_of_the_published_tokenizer(models: Path, model_type: str) -> None:
    architecture = ARCHITECTURES[model_type]
    path = models / model_type / tokenizer_name(models / model_type, architecture)
    made = load_tokenizer(path, max_length=64, architecture=architecture)
    slow = getattr(transformers, SLOW[model_type])(str(path))
    for text in [*TEXT, "trees and Fuchs 12 kissaa", "xq", ""]:
        assert made(text)["input_ids"] == slow(text)["input_ids"], text
        assert made(text, TEXT[0])["input_ids"] == slow(text, TEXT[0])["input_ids"], text
    assert (made.pad_token_id, made.unk_token_id) == (slow.pad_token_id, slow.unk_token_id)
    assert (made.cls_token, made.sep_token, made.mask_token) == (slow.cls_token, slow.sep_token, slow.mask_token)
    assert made.model_max_length == 64


@pytest.mark.parametrize("model_type", SLOW)
def test_ids_are_the_same_under_every_version_of_the_libraries(models: Path, model_type: str) -> None:
    """Ids that transformers 4.57.6 gave, with odd spaces, compatibility forms, special tokens."""
    architecture = ARCHITECTURES[model_type]
    path = models / model_type / str(architecture.sentencepiece)
    made = load_tokenizer(path, max_length=64, architecture=architecture)
    texts = GOLDEN["texts"]
    assert [made(text)["input_ids"] for text in texts] == GOLDEN["ids"][model_type]
    assert made(texts[0], texts[-1])["input_ids"] == GOLDEN["pair"][model_type]


@pytest.mark.parametrize("model_type", SLOW)
def test_offsets_point_into_the_text(models: Path, model_type: str) -> None:
    architecture = ARCHITECTURES[model_type]
    path = models / model_type / tokenizer_name(models / model_type, architecture)
    made = load_tokenizer(path, max_length=64, architecture=architecture)
    text = TEXT[1]
    encoded = made(text, return_offsets_mapping=True, add_special_tokens=False)
    pieces = "".join(text[start:end] for start, end in encoded["offset_mapping"])
    assert pieces.replace(" ", "") == text.replace(" ", "")


def test_the_fast_file_wins_and_special_tokens_come_from_the_sidecar(models: Path, tmp_path: Path) -> None:
    architecture = ARCHITECTURES["deberta-v2"]
    folder = tmp_path / "b"
    shutil.copytree(models / "deberta-v2", folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "vocab_type": "spm"}))
    lower = load_tokenizer(folder / "spm.model", max_length=64, architecture=architecture)
    assert lower("TREES")["input_ids"] == lower("trees")["input_ids"]
    lower.backend_tokenizer.save(str(folder / "tokenizer.json"))
    assert tokenizer_name(folder, architecture) == "tokenizer.json"


def test_without_either_file_both_names_are_said(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"no tokenizer\.json and no spm\.model"):
        tokenizer_name(tmp_path, ARCHITECTURES["deberta-v2"])
    with pytest.raises(BackboneError, match=r"no tokenizer\.json$|no tokenizer\.json\b(?! and)"):
        tokenizer_name(tmp_path, ARCHITECTURES["modernbert"])


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "spm.model"
    path.write_bytes(b"\x00\xff not a model")
    with pytest.raises(BackboneError, match=r"spm\.model: not a SentencePiece model"):
        load_tokenizer(path, max_length=64, architecture=ARCHITECTURES["deberta-v2"])


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT * 20),
        model_prefix=str(tmp_path / "m"),
        vocab_size=60,
        minloglevel=2,
        model_type="bpe",
    )
    (tmp_path / "m.model").rename(tmp_path / "sentencepiece.bpe.model")
    with pytest.raises(BackboneError, match="not those of a unigram model"):
        load_tokenizer(tmp_path / "sentencepiece.bpe.model", max_length=64, architecture=ARCHITECTURES["xlm-roberta"])


def test_a_tokenizer_without_the_map_of_its_model_is_named(models: Path, tmp_path: Path) -> None:
    """As transformers 5 writes that of mDeBERTa: NFC where the model has a map of compatibility forms."""
    architecture = ARCHITECTURES["deberta-v2"]
    tokenizer = load_tokenizer(models / "deberta-v2" / "spm.model", max_length=64, architecture=architecture)
    path = tmp_path / "tokenizer.json"
    tokenizer.backend_tokenizer.save(str(path))
    (tmp_path / "config.json").write_text('{"model_type": "deberta-v2"}')
    assert tokenizer_cautions(tmp_path) == []
    content = json.loads(path.read_text(encoding="utf-8"))
    content["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Strip"}]}
    path.write_text(json.dumps(content))
    (caution,) = tokenizer_cautions(tmp_path)
    assert "spm.model" in caution
    (tmp_path / "config.json").write_text('{"model_type": "xlm-roberta"}')
    assert tokenizer_cautions(tmp_path) == []
