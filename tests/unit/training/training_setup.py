"""A random backbone of two layers with its tokenizer, and examples of small tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from adapterxfer.data.examples import Example, PairExample, SpanExample, TaggingExample

WORDS = ("red green blue old new cat dog cow eats sees house road river not is the a so but and").split()  # noqa: SIM905
ADAPTER = {"method": "seq_bn", "reduction_factor": 2}
SETTINGS = {
    "learning_rate": 4e-3,
    "batch_size": 8,
    "steps": 6,
    "warmup_fraction": 0.1,
    "schedule": "linear",
    "weight_decay": 0.0,
    "clip": 1.0,
    "dtype": "fp32",
    "max_length": 32,
    "selection": "last",
}

FORMATS = {"nli": "sequence_classification", "pos": "tagging", "qa": "span_qa"}


def write_backbone(folder: Path, *, seed: int = 1, hidden: int = 24, layers: int = 2, unused: int = 0) -> Path:
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    from adapterxfer.pretraining.corpus import SpecialTokens
    from adapterxfer.pretraining.initialisation import Initialisation, build_config, build_model

    folder.mkdir(parents=True)
    others = [f"unused{number}" for number in range(unused)]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *others[::2], *WORDS, *others[1::2]]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = build_config(
        hidden=hidden,
        layers=layers,
        heads=2,
        vocabulary=len(vocabulary),
        longest=40,
        special=SpecialTokens(bos=0, pad=1, eos=2, unk=3, mask=4),
    )
    model = build_model(config, Initialisation(std=0.15), seed=seed)
    state = {n: t.half().contiguous() for n, t in model.state_dict().items() if not n.startswith("lm_head.decoder")}
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(
        json.dumps({**config.to_diff_dict(), "architectures": ["XLMRobertaForMaskedLM"]})
    )
    record = {"settings": {"initialisation": {"kind": "plain", "std": 0.15}}}
    (folder / "pretraining.json").write_text(json.dumps(record))
    return folder


def sentence(rng: np.random.Generator, low: int = 3, high: int = 9) -> list[str]:
    return [WORDS[i] for i in rng.integers(0, len(WORDS), size=rng.integers(low, high))]


def pairs(rng: np.random.Generator, count: int) -> list[Example]:
    labels = ("yes", "no")
    made: list[Example] = []
    for i in range(count):
        words = sentence(rng)
        label = labels[int("red" in words or "cat" in words)]
        made.append(PairExample(f"p{i}", f"c{i}", "en", " ".join(words), " ".join(sentence(rng)), label))
    return made


def tagged(rng: np.random.Generator, count: int) -> list[Example]:
    made: list[Example] = []
    for i in range(count):
        words = sentence(rng)
        tags = ["X" if word in ("red", "old", "the") else "Y" for word in words]
        made.append(TaggingExample(f"t{i}", f"c{i}", "en", tuple(words), tuple(tags)))
    return made


def spans(rng: np.random.Generator, count: int) -> list[Example]:
    made: list[Example] = []
    for i in range(count):
        words = sentence(rng, 5, 10)
        chosen = int(rng.integers(0, len(words)))
        start = len(" ".join(words[:chosen])) + (chosen > 0)
        context = " ".join(words)
        made.append(
            SpanExample(
                example_id=f"s{i}",
                cluster_id=f"c{i}",
                language="en",
                question="the " + words[chosen],
                context=context,
                answers=(words[chosen],),
                answer_starts=(start,),
            )
        )
    return made


def identity(name: str) -> dict[str, Any]:
    return {"name": name, "kind": "folder", "dtype": "float32", "attention": "sdpa"}
