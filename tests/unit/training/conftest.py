"""A random backbone of two layers, its tokenizer, and small prepared tasks, all in one temporary folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapterxfer.backbones.loading import LoadedBackbone, forget_backbones, load_backbone
from adapterxfer.data.examples import Example, PairExample, SpanExample, TaggingExample, TaskData
from adapterxfer.data.storage import write_task
from adapterxfer.stages.context import StageContext
from adapterxfer.store.keys import Stage

sys.path.append(str(Path(__file__).parent))

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


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


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


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``backbone/``, ``other/`` (other weights), and tasks ``nli/``, ``pos/``, ``qa/``."""
    root = tmp_path_factory.mktemp("world")
    write_backbone(root / "backbone")
    write_backbone(root / "other", seed=2)
    rng = np.random.default_rng(0)
    makers = {
        "nli": ("sequence_classification", ("yes", "no"), pairs),
        "pos": ("tagging", ("X", "Y"), tagged),
        "qa": ("span_qa", (), spans),
    }
    for task, (format_name, labels, make) in makers.items():
        splits = {("train", "en"): make(rng, 50), ("dev", "en"): make(rng, 12)}
        write_task(root / task, TaskData(task, format_name, labels, splits))  # type: ignore[arg-type]
    return root


@pytest.fixture
def backbone(world: Path) -> LoadedBackbone:
    forget_backbones()
    return load_backbone(identity("backbone"), world / "backbone")


def identity(name: str) -> dict[str, Any]:
    return {"name": name, "kind": "folder", "dtype": "float32", "attention": "sdpa"}


Run = Callable[..., Path]

FORMATS = {"nli": "sequence_classification", "pos": "tagging", "qa": "span_qa"}


@pytest.fixture
def run(world: Path, tmp_path: Path) -> Run:
    """Runs one training stage; returns its folder."""
    from adapterxfer.stages.train import execute

    made: list[Path] = []

    def call(kind: str, inputs: Mapping[str, Path], **changes: Any) -> Path:
        base: dict[str, Any] = {"backbone": identity("backbone"), "adapter": ADAPTER, "settings": SETTINGS, "seed": 11}
        if kind == "train_intermediate":
            base |= {
                "mode": "adapter",
                "tasks": [{"task": "nli", "format": FORMATS["nli"]}],
                "sampling": None,
            }
        elif kind == "train_target":
            base |= {"mode": "adapter", "composition": "fresh", "task": "pos", "format": FORMATS["pos"]}
        elif kind == "train_fusion":
            base |= {"task": "pos", "format": FORMATS["pos"], "fused": ["nli"]}
        full = {**base, **changes}
        scratch = tmp_path / f"stage{len(made)}"
        scratch.mkdir()
        made.append(scratch)
        stage = Stage(kind=kind, version=1, identity=full, inputs=dict.fromkeys(inputs, "0" * 64))
        lines: list[Mapping[str, Any]] = []
        folders = {"backbone": world / "backbone", **inputs}
        result = execute(StageContext(stage=stage, inputs=folders, scratch=scratch, log=lines.append, settings={}))
        if "mlm" not in full:
            assert result["steps"] == full["settings"]["steps"]
        assert lines[-1]["step"] == lines[-1]["steps"]
        return scratch

    return call


@pytest.fixture
def merged(world: Path, tmp_path: Path) -> Run:
    """Runs one merge stage over model folders; returns its folder."""
    from adapterxfer.stages.merge import execute

    made: list[Path] = []

    def call(folders: list[Path], **changes: Any) -> Path:
        base = {
            "backbone": identity("backbone"),
            "kind": "average",
            "weights": [1 / len(folders)] * len(folders),
            "adapter": None,
            "seed": 11,
        }
        scratch = tmp_path / f"merged{len(made)}"
        scratch.mkdir()
        made.append(scratch)
        inputs = {f"model.{number:02d}": folder for number, folder in enumerate(folders)}
        stage = Stage(kind="merge", version=1, identity={**base, **changes}, inputs=dict.fromkeys(inputs, "0" * 64))
        execute(
            StageContext(
                stage=stage,
                inputs={"backbone": world / "backbone", **inputs},
                scratch=scratch,
                log=lambda line: None,
                settings={},
            )
        )
        return scratch

    return call


@pytest.fixture
def long_stage(world: Path) -> tuple[Stage, dict[str, Path]]:
    """A target training of 60 steps, and its inputs."""
    inputs = {"data": world / "pos", "backbone": world / "backbone"}
    full = {
        "backbone": identity("backbone"),
        "adapter": ADAPTER,
        "settings": {**SETTINGS, "steps": 60},
        "seed": 11,
        "mode": "adapter",
        "composition": "fresh",
        "task": "pos",
        "format": FORMATS["pos"],
    }
    return Stage(kind="train_target", version=1, identity=full, inputs=dict.fromkeys(inputs, "0" * 64)), inputs


@pytest.fixture
def before(run: Any, world: Path) -> Callable[[int], Path]:
    """The intermediate model of a seed."""
    made: dict[int, Path] = {}

    def of(seed: int) -> Path:
        if seed not in made:
            made[seed] = run(
                "train_intermediate",
                {"data.nli": world / "nli"},
                seed=seed,
                adapter={"method": "seq_bn", "bottleneck_size": 6},
            )
        return made[seed]

    return of


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses of every step are logged."""
    monkeypatch.setattr("adapterxfer.training.meter.LOG_EVERY", 1)
