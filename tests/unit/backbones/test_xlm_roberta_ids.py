"""Ids of XLM-R's own tokenizer, in many scripts, under every version of the libraries.

ADAPTERXFER_XLMR names a folder with its ``tokenizer.json``, e.g. one of xlm-roberta-base or of multilingual-e5.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from adapterxfer.backbones.tokenizer import load_tokenizer
from adapterxfer.catalog.architectures import ARCHITECTURES

FOLDER = os.environ.get("ADAPTERXFER_XLMR", "")
GOLDEN = Path(__file__).parents[2] / "golden" / "xlm_roberta_ids.json"


@pytest.mark.skipif(not FOLDER, reason="ADAPTERXFER_XLMR names no folder")
def test_ids_are_the_same_under_every_version_of_the_libraries() -> None:
    architecture = ARCHITECTURES["xlm-roberta"]
    tokenizer = load_tokenizer(Path(FOLDER) / "tokenizer.json", max_length=512, architecture=architecture)
    assert len(tokenizer) == 250002
    for text, ids in json.loads(GOLDEN.read_text(encoding="utf-8")):
        assert tokenizer(text)["input_ids"] == ids, text
