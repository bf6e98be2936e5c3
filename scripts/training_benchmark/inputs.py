"""What both sides start from: prepared tasks of real files, and backbones of three sizes over one tokenizer."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.loading import load_backbone
from adapterxfer.data.examples import PairExample, TaskData
from adapterxfer.data.storage import StoredTask, read_task, write_task
from adapterxfer.engines.worker import run_stage
from adapterxfer.formats.base import Format
from adapterxfer.formats.encoded import Encoded
from adapterxfer.formats.registry import get_format
from adapterxfer.plan import build_plan
from adapterxfer.predict.systems import encode_test
from adapterxfer.recipe import parse_recipe
from adapterxfer.store.store import Store
from adapterxfer.training.tasks import TrainTask, read_train_task

LANGUAGES = {
    "udpos": ("en", "ar", "de", "es", "hi", "ru", "tr", "zh"),
    "xnli-dev": ("en", "ar", "de", "es", "hi", "th", "tr", "zh"),
    "xquad-gold-sentence": ("en", "ar", "de", "es", "hi", "th", "tr", "zh"),
}
FORMATS = {
    "udpos": "tagging",
    "xnli-dev": "sequence_classification",
    "mnli-dev": "sequence_classification",
    "xquad-gold-sentence": "span_qa",
    "squad-gold-sentence": "span_qa",
}
INTERMEDIATES = ("squad-gold-sentence", "mnli-dev")
TARGETS = ("udpos", "xnli-dev", "xquad-gold-sentence")
TRAIN_EXAMPLES = 1500
MAX_LENGTH = 128
"""Longest sequence in training, in tokens."""

BOTTLENECKS = {64: 16, 256: 16, 768: 48}
"""Width of the backbone -> width of its adapters."""

BACKBONES = {64: "h64", 256: "h256-untrained", 768: "h768-untrained"}
"""Only the smallest is pretrained, for a moment: the speed of a step does not depend on what the weights know."""

_LABELS = ("entailment", "neutral", "contradiction")
_LIST = "inputs.json"
_RECIPE = """
recipe: 1
name: benchmark
backbones: [h64, h256-untrained, h768-untrained]
intermediate_tasks: [none, squad-gold-sentence]
target_tasks: [udpos, xquad-gold-sentence]
variants: [full-ft]
seeds: [1]
pretrain:
  corpus: {{languages: [{all}], vocabulary: 8000, alphabet: 2500, holdout: 0.01, sequence_length: 64}}
  series: {{h64: {{hidden: 64, layers: 4, heads: 4}}, h256: {{hidden: 256, layers: 3, heads: 4}},
            h768: {{hidden: 768, layers: 2, heads: 12}}}}
  tokens: {{h64: {tokens}, h256: 1000, h768: 1000}}
  batch_sequences: 32
  learning_rate: 4e-3
  tlm_share: 0.0
  initialisation: relative-offset
  dtype: fp32
train: {{default: {{learning_rate: 1e-3, steps: 1}}}}
tasks:
  udpos: {{train_examples: {train}, dev_examples: 100, test_examples: {test}, languages: [{udpos}]}}
  squad-gold-sentence: {{train_examples: {train}, dev_examples: 100}}
  xquad-gold-sentence: {{train_examples: {train}, dev_examples: 100, test_examples: {test}, languages: [{xquad}]}}
controls: false
"""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Folders by the name of a backbone or a task."""

    folders: dict[str, Path]

    @classmethod
    def read(cls, work: Path) -> Inputs:
        """What `prepare` left in a folder."""
        found = json.loads((work / _LIST).read_text(encoding="utf-8"))
        return cls({name: Path(folder) for name, folder in found.items()})

    @staticmethod
    def identity(name: str) -> dict[str, Any]:
        """Of a backbone, as in a stage."""
        return {"name": name, "kind": "stage", "dtype": "float32", "attention": "sdpa"}

    def backbone(self, name: str) -> LoadedBackbone:
        """Frozen and shared."""
        return load_backbone(self.identity(name), self.folders[name])

    def task(self, name: str, backbone: LoadedBackbone) -> TrainTask:
        """Training features of a task."""
        folder = self.folders[name]
        return read_train_task(folder, name, FORMATS[name], backbone, max_length=MAX_LENGTH, dev=False)

    def test(self, name: str, backbone: LoadedBackbone) -> tuple[StoredTask, Format, Encoded]:
        """Test features of a target in all its languages."""
        stored = read_task(self.folders[name])
        fmt = get_format(stored.format, "")
        return stored, fmt, encode_test(stored, fmt, "test", LANGUAGES[name], backbone)


def prepare(data: Path, work: Path, *, test: int, tokens: int) -> Inputs:
    """Read the original files, train the tokenizer, make the backbones.

    Args:
        data: folder with the original files.
        work: everything is written below it.
        test: test examples of a language.
        tokens: of pretraining of the smallest backbone.
    """
    text = _RECIPE.format(
        tokens=tokens, test=test, train=TRAIN_EXAMPLES,
        all=", ".join(["en", *sorted({code for codes in LANGUAGES.values() for code in codes} - {"en"})]),
        udpos=", ".join(LANGUAGES["udpos"]), xquad=", ".join(LANGUAGES["xquad-gold-sentence"]),
    )  # fmt: skip
    plan = build_plan(parse_recipe(text, set_=[f"data_root={data}"]))
    plan.require_runnable()
    store = Store(work / "store")
    store.open()
    folders: dict[str, Path] = {}
    for stage in plan.stages.values():
        if stage.kind in ("prepare", "pretrain"):
            name = str(stage.labels.get("backbone") or stage.labels.get("task"))
            folders[name] = run_stage(stage, store=store, settings={"data_root": str(data)}).folder
    pairs = work / f"pairs-{test}"
    if not pairs.is_dir():  # left by an earlier part
        _write_nli(data, pairs, test)
    folders |= {name: pairs / name for name in ("mnli-dev", "xnli-dev")}
    (work / _LIST).write_text(json.dumps({name: str(folder) for name, folder in folders.items()}), encoding="utf-8")
    return Inputs(folders)


def _write_nli(data: Path, work: Path, test: int) -> None:
    """MNLI's matched development file as an intermediate; XNLI's as a target, its English rows cut in two."""
    with gzip.open(data / "nli_en" / "mnli_dev.csv.gz", "rt", encoding="utf-8") as file:
        rows = [(row["premise"], row["hypothesis"], row["label"]) for row in csv.DictReader(file)]
    mnli: dict[tuple[Any, str], list[Any]] = {("train", "en"): _pairs(_usable(rows)[:TRAIN_EXAMPLES], "en")}
    write_task(work / "mnli-dev", TaskData("mnli-dev", "sequence_classification", _LABELS, mnli))
    xnli: dict[tuple[Any, str], list[Any]] = {}
    for language in LANGUAGES["xnli-dev"]:
        with gzip.open(data / "xnli" / f"dev-{language}.tsv.gz", "rt", encoding="utf-8") as file:
            good = _usable([tuple(line.rstrip("\n").split("\t")) for line in file])
        xnli["test", language] = _pairs(good[-test:], language)
        if language == "en":
            xnli["train", "en"] = _pairs(good[:TRAIN_EXAMPLES], "en")
    write_task(work / "xnli-dev", TaskData("xnli-dev", "sequence_classification", _LABELS, xnli))


def _usable(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [row for row in rows if len(row) == 3 and row[2] in _LABELS and row[0] and row[1]]


def _pairs(rows: Sequence[tuple[str, ...]], language: str) -> list[Any]:
    return [PairExample(f"{i}", f"{i}", language, *row) for i, row in enumerate(rows)]
