"""The tokenizer of a bundle is written in one form, which transformers 4 and 5 open."""

from __future__ import annotations

from pathlib import Path

import pytest
import transformers
from transformers import AutoTokenizer

from adapterxfer.backbones.loading import WORLD_FOLDER
from adapterxfer.backbones.tokenizer import load_tokenizer
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.hub.layout import TOKENIZER
from adapterxfer.hub.tokenizer_files import write_tokenizer

WORLD = WORLD_FOLDER / "tokenizer" / "tokenizer.json"


def test_the_files_open_and_give_the_same_ids(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(WORLD, max_length=77, architecture=ARCHITECTURES["xlm-roberta"])
    write_tokenizer(tmp_path, tokenizer)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(TOKENIZER)
    opened = AutoTokenizer.from_pretrained(tmp_path)
    text = tokenizer.decode(list(range(200, 230)))
    assert opened(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert (opened.model_max_length, opened.mask_token, opened.pad_token_id) == (77, "<mask>", tokenizer.pad_token_id)


@pytest.mark.skipif(int(transformers.__version__.split(".")[0]) >= 5, reason="transformers 5 writes other files")
def test_they_are_those_of_transformers_4(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(WORLD, max_length=77, architecture=ARCHITECTURES["xlm-roberta"])
    tokenizer.save_pretrained(tmp_path / "theirs")
    (tmp_path / "ours").mkdir()
    write_tokenizer(tmp_path / "ours", tokenizer)
    for name in TOKENIZER:
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes(), name
