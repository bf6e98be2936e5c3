"""How fast are training and prediction against the usual scripts? Both sides in one process, in turn, on real files.

    python scripts/benchmark_training.py --data PATH --part steps        # hidden 256 and 768: steps and prediction
    python scripts/benchmark_training.py --data PATH --part grid         # the whole grid at hidden 64
    python scripts/benchmark_training.py --data PATH --part all --json out.json

The usual way: `transformers.Trainer` for full-ft, `adapters.AdapterTrainer` for stack and fuse, random batches padded
by the library's collators, fp32, static heads; the same features, number of steps, effective batch, learning rate and
schedule. Intermediate models are trained once and reused on both sides. Ours: the executors of the train and predict
stages, with their assertions and files. Left out for the other side alone: reading and encoding examples, decoding.

``step`` is a step of both loops as they are (ours sorts lengths inside windows); ``equal`` is forward and backward on
one and the same batch. Every number is CPU time of one thread (equal to wall time where a core is free; comparable
where cores are shared), and the median over repetitions. Activations: bytes that autograd keeps for the backward pass
of one step.
"""

from __future__ import annotations

import argparse
import csv
import gc
import gzip
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from peer_training import Peer

from adapterxfer.backbones.loading import LoadedBackbone, load_backbone
from adapterxfer.data.examples import PairExample, TaskData
from adapterxfer.data.gold import gold_text
from adapterxfer.data.storage import read_task, write_task
from adapterxfer.engines.worker import run_stage
from adapterxfer.formats.encoded import Encoded
from adapterxfer.formats.inference import predict_encoded
from adapterxfer.formats.registry import get_format
from adapterxfer.metrics import count_predictions, get_metric
from adapterxfer.plan import build_plan
from adapterxfer.predict.systems import encode_test
from adapterxfer.recipe import parse_recipe
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.predict import execute as predict_stage
from adapterxfer.stages.train import execute as train_stage
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store
from adapterxfer.training.building import build_single
from adapterxfer.training.loop import train
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import read_train_task
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.composition import AdapterPart, Composition, HeadPart
from adapterxfer.variants.fusion import Fusion
from adapterxfer.variants.model import TransferModel

LANGUAGES = {
    "udpos": ("en", "de", "es", "fi", "hi", "id", "ru", "tr"),
    "xnli-dev": ("en", "ar", "bg", "de", "el", "es", "hi", "ru"),
    "xquad-gold-sentence": ("en", "ar", "de", "es", "hi", "th", "tr", "zh"),
}
FORMATS = {"udpos": "tagging", "xnli-dev": "sequence_classification", "mnli-dev": "sequence_classification",
           "xquad-gold-sentence": "span_qa", "squad-gold-sentence": "span_qa"}  # fmt: skip
INTERMEDIATES = ("squad-gold-sentence", "mnli-dev")
TARGETS = ("udpos", "xnli-dev", "xquad-gold-sentence")
LABELS = ("entailment", "neutral", "contradiction")
BOTTLENECK = {64: 16, 256: 16, 768: 48}
MAX_LENGTH = 128

RECIPE = """
recipe: 1
name: benchmark
backbones: [h64, h256-untrained, h768-untrained]
intermediate_tasks: [none, squad-gold-sentence]
target_tasks: [udpos, xquad-gold-sentence]
variants: [full-ft]
seeds: [1]
pretrain:
  corpus: {{languages: [en, de], vocabulary: 4000, alphabet: 600, holdout: 0.01, sequence_length: 64}}
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
  udpos: {{train_examples: 1500, dev_examples: 100, test_examples: {test}, languages: [{udpos}]}}
  squad-gold-sentence: {{train_examples: 1500, dev_examples: 100}}
  xquad-gold-sentence: {{train_examples: 1500, dev_examples: 100, test_examples: {test}, languages: [{xquad}]}}
controls: false
"""


class Bench:
    """Backbones, tasks and both sides of every comparison."""

    def __init__(self, data: Path, work: Path, arguments: argparse.Namespace) -> None:
        self.work, self.arguments = work, arguments
        self.rows: list[dict[str, Any]] = []
        text = RECIPE.format(
            tokens=arguments.pretrain_tokens, test=arguments.test,
            udpos=", ".join(LANGUAGES["udpos"]), xquad=", ".join(LANGUAGES["xquad-gold-sentence"]),
        )  # fmt: skip
        plan = build_plan(parse_recipe(text, set_=[f"data_root={data}"]))
        plan.require_runnable()
        store = Store(work / "store")
        store.open()
        self.folders: dict[str, Path] = {}
        for stage in plan.stages.values():
            if stage.kind in ("prepare", "pretrain"):
                name = str(stage.labels.get("backbone") or stage.labels.get("task"))
                self.folders[name] = run_stage(stage, store=store, settings={"data_root": str(data)}).folder
        self.folders |= {name: work / name for name in ("mnli-dev", "xnli-dev")}
        write_nli(data, work, arguments.test)

    def backbone(self, name: str) -> LoadedBackbone:
        """One of the three sizes."""
        return load_backbone(self.identity(name), self.folders[name])

    @staticmethod
    def identity(name: str) -> dict[str, Any]:
        """As in a stage."""
        return {"name": name, "kind": "stage", "dtype": "float32", "attention": "sdpa"}

    def encoded(self, task: str, backbone: LoadedBackbone) -> tuple[Any, Any, Encoded]:
        """The test data of a task in all its languages, with its format."""
        stored = read_task(self.folders[task])
        fmt = get_format(stored.format, "")
        return stored, fmt, encode_test(stored, fmt, "test", LANGUAGES[task], backbone)

    def add(self, part: str, what: str, ours: Sequence[float], theirs: Sequence[float], **more: Any) -> None:
        """Keep and show one comparison."""
        a, b = statistics.median(ours), statistics.median(theirs)
        row = {"part": part, "what": what, "ours_s": round(a, 4), "usual_s": round(b, 4), "ratio": round(b / a, 2)}
        self.rows.append({**row, **more})
        extra = ", ".join(f"{name} {value}" for name, value in more.items())
        print(f"{part:8} {what:34} ours {a:9.4f} s   usual {b:9.4f} s   {b / a:5.2f}x   {extra}", flush=True)

    # Steps and prediction at fixed sizes

    def steps(self, name: str, hidden: int) -> None:
        """Training steps of every variant, and prediction with full-ft, stack and a fusion of three."""
        backbone = self.backbone(name)
        for count, variant in ((0, "full-ft"), (1, "adapter"), (2, "stack"), (2, "fuse"), (3, "fuse"), (9, "fuse")):
            task = read_train_task(
                self.folders["xnli-dev"], "xnli-dev", FORMATS["xnli-dev"], backbone, max_length=MAX_LENGTH, dev=False
            )
            steps = self.arguments.steps // self.arguments.repeats
            settings = TrainSettings(1e-3, self.arguments.batch, max_length=MAX_LENGTH, steps=steps)
            model = composed(backbone, task, count, variant, BOTTLENECK[hidden])
            peer = Peer.of(model, task)
            ours, theirs = [], []
            for repeat in range(self.arguments.repeats + 1):
                with timed(ours if repeat else []):
                    train(model, [task], settings, seed=repeat, log=silent)
                with timed(theirs if repeat else []):
                    peer.train(task, settings, seed=repeat)
            # The same batch for both, as long as the longest of its window.
            features = sorted(task.features[: self.arguments.batch], key=lambda feature: feature.length)
            sides = (partial(forward, model, task, features), partial(peer.forward, task, features))
            modules = (model, peer.model)
            kept = [round(activations(m, side) / 2**20, 1) for m, side in zip(modules, sides, strict=True)]
            label = f"h{hidden} {variant}" + (f" of {count}" if variant == "fuse" else "")
            mib = {"activations_mib": kept[0], "usual_mib": kept[1]}
            self.add("step", label, [t / steps for t in ours], [t / steps for t in theirs], **mib)
            fixed: list[list[float]] = [[], []]
            for repeat in range(self.arguments.repeats + 1):
                for side, times in zip(sides, fixed, strict=True):
                    with timed(times if repeat else []):
                        for _ in range(3):
                            side().backward()
            self.add("equal", f"{label}, same batch", [t / 3 for t in fixed[0]], [t / 3 for t in fixed[1]])
            if (count, variant) in ((0, "full-ft"), (2, "stack"), (3, "fuse")):
                self.predict(name, model, peer, label)

    def predict(self, name: str, model: TransferModel, peer: Peer, label: str) -> None:
        """Zero-shot prediction in all languages of XNLI."""
        stored, fmt, encoded = self.encoded("xnli-dev", self.backbone(name))
        ours, theirs = [], []
        model.eval()
        for _ in range(self.arguments.repeats):
            with timed(ours):
                predict_encoded(model, model.head("xnli-dev"), fmt, encoded, stored.labels)
            with timed(theirs):
                for language in LANGUAGES["xnli-dev"]:
                    rows = [f for f in encoded.features if encoded.examples[f.example].language == language]
                    peer.predict(fmt.name, rows)
        self.add("predict", label, ours, theirs, examples=len(encoded.examples))

    # The whole grid

    def grid(self) -> None:
        """Everything from intermediates to scores, once on each side per repetition."""
        times: dict[str, list[float]] = {"ours": [], "usual": [], "usual, group_by_length": []}
        predicting: dict[str, list[float]] = {name: [] for name in times}
        formats: dict[str, dict[str, list[float]]] = {name: {} for name in times}
        scores: dict[str, dict[str, list[float]]] = {name: {} for name in times}
        for repeat in range(self.arguments.grid_repeats):
            sides: list[tuple[str, Callable[[Any], None]]] = [
                ("ours", lambda side, r=repeat: self.our_grid(side, r)),
                ("usual", lambda side: self.usual_grid(side, group=False)),
            ]
            if repeat == 0:
                sides.append(("usual, group_by_length", lambda side: self.usual_grid(side, group=True)))
            for name, run in sides:
                side = Side()
                run(side)
                times[name].append(side.training + side.predicting)
                predicting[name].append(side.predicting)
                for key, value in side.by_format.items():
                    formats[name].setdefault(key, []).append(value)
                scores[name] = side.scores
        cells = len(scores["ours"])
        differences = {
            target: round(
                float(
                    np.mean([scores["ours"][c][0] - scores["usual"][c][0] for c in scores["ours"] if c[0] == target])
                ),
                2,
            )
            for target in TARGETS
        }
        for name in ("usual", "usual, group_by_length"):
            self.add("grid", f"against {name}", times["ours"], times[name], cells=cells)
            self.add("grid", f"prediction, {name}", predicting["ours"], predicting[name])
        for key in formats["ours"]:
            self.add("grid", f"prediction of {key}", formats["ours"][key], formats["usual"][key])
        print(f"mean score, ours minus usual, in points: {differences}")
        self.rows.append({"part": "grid", "what": "mean score difference, points", **differences})

    def our_grid(self, side: Side, repeat: int) -> None:
        """Through the executors of the stages."""
        place = self.work / f"ours{repeat}"
        made: dict[tuple[Any, ...], Path] = {}

        def run(kind: str, key: tuple[Any, ...], inputs: Mapping[str, Path], **identity: Any) -> None:
            folder = place / str(len(made))
            folder.mkdir(parents=True)
            who = {"backbone": self.identity("h64"), "settings": self.settings(key[-2]), "seed": key[-1], **identity}
            stage = Stage(kind, 1, who, dict.fromkeys(inputs, "0" * 64))
            with side.train():
                train_stage(StageContext(stage, {**inputs, "backbone": self.folders["h64"]}, folder, silent, {}))
            made[key] = folder

        adapter = {"method": "seq_bn", "bottleneck_size": BOTTLENECK[64]}
        for seed in self.arguments.seeds:
            for task in INTERMEDIATES:
                for mode in ("full", "adapter"):
                    run(
                        "train_intermediate", (task, mode, "intermediate", seed), {f"data.{task}": self.folders[task]},
                        mode=mode, adapter=adapter, tasks=[{"task": task, "format": FORMATS[task]}], sampling=None,
                    )  # fmt: skip
            for target in TARGETS:
                data = {"data": self.folders[target]}
                about: dict[str, Any] = {"task": target, "format": FORMATS[target], "adapter": adapter}
                run(
                    "train_target",
                    (target, "fresh", "target", seed),
                    data,
                    mode="adapter",
                    composition="fresh",
                    **about,
                )
                for task in INTERMEDIATES:
                    before = made[task, "full", "intermediate", seed]
                    adapted = made[task, "adapter", "intermediate", seed]
                    run(
                        "train_target", (target, task, "full-ft", "target", seed), {**data, "intermediate": before},
                        mode="full", composition="sequential", **about,
                    )  # fmt: skip
                    run(
                        "train_target", (target, task, "stack", "target", seed), {**data, "intermediate": adapted},
                        mode="adapter", composition="stack", **about,
                    )  # fmt: skip
                    alone = made[target, "fresh", "target", seed]
                    run(
                        "train_fusion", (target, task, "fuse", "fusion", seed),
                        {**data, f"intermediate.{task}": adapted, "target": alone}, fused=[task], **about,
                    )  # fmt: skip
        for key, folder in made.items():
            if len(key) != 5:
                continue
            target = key[0]
            identity = {
                "backbone": self.identity("h64"), "task": target, "format": FORMATS[target], "protocol": "",
                "system": {"kind": "trained"}, "split": "test", "languages": list(LANGUAGES[target]),
            }  # fmt: skip
            inputs = {"data": self.folders[target], "model": folder, "backbone": self.folders["h64"]}
            scratch = folder / "predictions"
            scratch.mkdir()
            context = StageContext(Stage("predict", 1, identity, {}), inputs, scratch, silent, {})
            with side.predict(FORMATS[target]):
                found = predict_stage(context)
            side.scores.setdefault(key[:3], []).append(float(np.mean(list(found["scores"].values()))))
        side.average()

    def usual_grid(self, side: Side, *, group: bool) -> None:
        """Through Trainer and AdapterTrainer."""
        backbone = self.backbone("h64")
        tasks = {
            name: read_train_task(self.folders[name], name, FORMATS[name], backbone, max_length=MAX_LENGTH, dev=False)
            for name in (*INTERMEDIATES, *TARGETS)
        }
        tests = {name: self.encoded(name, backbone) for name in TARGETS}
        made: dict[tuple[Any, ...], Peer] = {}

        def run(key: tuple[Any, ...], task: str, variant: str, before: Sequence[Peer] = ()) -> None:
            peer = Peer.grown(backbone, tasks[task], variant, BOTTLENECK[64], before, seed=key[-1])
            with side.train():
                peer.train(tasks[task], TrainSettings.of(self.settings(key[-2])), seed=key[-1], group=group)
            made[key] = peer

        for seed in self.arguments.seeds:
            for task in INTERMEDIATES:
                run((task, "full", "intermediate", seed), task, "full-ft")
                run((task, "adapter", "intermediate", seed), task, "adapter")
            for target in TARGETS:
                run((target, "fresh", "target", seed), target, "adapter")
                for task in INTERMEDIATES:
                    run((target, task, "full-ft", "target", seed), target, "full-ft",
                        [made[task, "full", "intermediate", seed]])  # fmt: skip
                    adapted = made[task, "adapter", "intermediate", seed]
                    run((target, task, "stack", "target", seed), target, "stack", [adapted])
                    run((target, task, "fuse", "fusion", seed), target, "fuse",
                        [adapted, made[target, "fresh", "target", seed]])  # fmt: skip
        for key, peer in made.items():
            if len(key) != 5:
                continue
            stored, fmt, encoded = tests[key[0]]
            logits: list[Any] = []
            with side.predict(fmt.name):
                for language in LANGUAGES[key[0]]:
                    rows = [f for f in encoded.features if encoded.examples[f.example].language == language]
                    logits += peer.predict(fmt.name, rows)
            side.scores.setdefault(key[:3], []).append(mean_score(stored, fmt, encoded, logits))
        side.average()

    def settings(self, phase: str) -> dict[str, Any]:
        """The same for both sides."""
        return {
            "learning_rate": 3e-3, "batch_size": self.arguments.batch, "steps": self.arguments.grid_steps,
            "warmup_fraction": 0.1, "schedule": "linear", "weight_decay": 0.0, "clip": 1.0, "dtype": "fp32",
            "max_length": MAX_LENGTH, "selection": "last",
        } | ({"steps": max(1, self.arguments.grid_steps // 2)} if phase == "fusion" else {})  # fmt: skip


class Side:
    """Times and scores of one side of the grid."""

    def __init__(self) -> None:
        self.training = self.predicting = 0.0
        self.by_format: dict[str, float] = {}
        self.scores: dict[tuple[Any, ...], list[float]] = {}

    @contextmanager
    def train(self) -> Iterator[None]:
        """Adds to the training time."""
        found: list[float] = []
        with timed(found):
            yield
        self.training += found[0]

    @contextmanager
    def predict(self, name: str) -> Iterator[None]:
        """Adds to the time of prediction, of this format too."""
        found: list[float] = []
        with timed(found):
            yield
        self.predicting += found[0]
        self.by_format[name] = self.by_format.get(name, 0.0) + found[0]

    def average(self) -> None:
        """Mean over seeds."""
        self.scores = {cell: [float(np.mean(values))] for cell, values in self.scores.items()}


@contextmanager
def timed(times: list[float]) -> Iterator[None]:
    """CPU seconds of this thread's process."""
    gc.collect()
    began = time.process_time()
    yield
    times.append(time.process_time() - began)


def silent(_: Mapping[str, Any]) -> None:
    """A log that nobody reads."""


def composed(backbone: LoadedBackbone, task: Any, count: int, variant: str, size: int) -> TransferModel:
    """A model with ``count`` adapters, whatever they were trained on: speed does not depend on their values."""
    if variant == "full-ft":
        return build_single(backbone, [task], mode="full", composition="fresh", adapter=None, intermediate=None, seed=1)
    ids = [*(f"i{i:02d}" for i in range(count - 1)), "t00"]
    generator = torch.Generator().manual_seed(1)
    built = {
        name: Adapter(backbone.layers, backbone.hidden_size, AdapterShape("seq_bn", size), generator=generator)
        for name in ids
    }
    parts = tuple(
        AdapterPart(name, "target" if name == "t00" else "intermediate", name, "seq_bn", size) for name in ids
    )
    head = task.format.make_head(backbone.hidden_size, task.labels, generator=generator)
    return TransferModel(
        backbone,
        Composition(variant, parts, (HeadPart("h00", task.name, task.format.name, task.labels),), "x"),  # type: ignore[arg-type]
        adapters=built,
        fusion=Fusion(backbone.layers, backbone.hidden_size, dropout=backbone.score_dropout, generator=generator)
        if variant == "fuse"
        else None,
        heads={"h00": head},
    )


def forward(model: TransferModel, task: Any, features: Sequence[Any]) -> torch.Tensor:
    """Summed loss of one batch."""
    model.train()
    batch = task.format.collate(features, pad_id=task.pad_id)
    total: torch.Tensor = task.format.loss(
        model.head(task.name)(model(batch.input_ids, batch.attention_mask), batch), batch
    ).total
    return total


def activations(model: torch.nn.Module, step: Callable[[], torch.Tensor]) -> int:
    """Bytes of different tensors, weights aside, that autograd keeps for the backward pass."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = step()
    del loss
    return sum(kept.values())


def mean_score(stored: Any, fmt: Any, encoded: Encoded, logits: Sequence[Any]) -> float:
    """Mean over languages of the task's metric; logits in the order of the languages."""
    order = [
        number
        for language in LANGUAGES[stored.task]
        for number, feature in enumerate(encoded.features)
        if encoded.examples[feature.example].language == language
    ]
    results: list[Any] = [None] * len(encoded.features)
    for number, values in zip(order, logits, strict=True):
        feature = encoded.features[number]
        batch = fmt.collate([feature], pad_id=encoded.pad_id)
        (results[number],) = fmt.results(Peer.outputs(fmt.name, values, batch), batch)
    predictions = fmt.decode(results, encoded.features, encoded.examples, stored.labels)
    metric = get_metric(None, format_name=stored.format, labels=stored.labels)
    languages = [example.language for example in encoded.examples]
    counts = count_predictions(metric, predictions, [gold_text(e) for e in encoded.examples], languages=languages)
    return float(np.mean([metric.score(counts[np.array(languages) == name].sum(axis=0)) for name in set(languages)]))


def write_nli(data: Path, work: Path, test: int) -> None:
    """MNLI's matched development file as an intermediate; XNLI's as a target, its English rows cut in two."""
    with gzip.open(data / "nli_en" / "mnli_dev.csv.gz", "rt", encoding="utf-8") as file:
        rows = [(row["premise"], row["hypothesis"], row["label"]) for row in csv.DictReader(file)]
    train_rows = [row for row in rows if row[2] in LABELS and row[0] and row[1]][:1500]
    write_task(
        work / "mnli-dev", TaskData("mnli-dev", FORMATS["mnli-dev"], LABELS, {("train", "en"): pairs(train_rows, "en")})
    )  # type: ignore[arg-type]
    splits: dict[tuple[str, str], list[Any]] = {}
    for language in LANGUAGES["xnli-dev"]:
        with gzip.open(data / "xnli" / f"dev-{language}.tsv.gz", "rt", encoding="utf-8") as file:
            rows = [tuple(line.rstrip("\n").split("\t")) for line in file]  # type: ignore[misc]
        good = [row for row in rows if len(row) == 3 and row[2] in LABELS and row[0] and row[1]]
        splits["test", language] = pairs(good[-test:], language)
        if language == "en":
            splits["train", "en"] = pairs(good[:1500], "en")
    write_task(work / "xnli-dev", TaskData("xnli-dev", FORMATS["xnli-dev"], LABELS, splits))  # type: ignore[arg-type]


def pairs(rows: Sequence[tuple[str, str, str]], language: str) -> list[Any]:
    """Examples of text pairs."""
    return [
        PairExample(f"{i}", f"{i}", language, first, second, label) for i, (first, second, label) in enumerate(rows)
    ]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the original files")
    parser.add_argument("--part", choices=("steps", "grid", "all"), default="all")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 768], choices=(256, 768))
    parser.add_argument("--steps", type=int, default=30, help="measured steps of a variant")
    parser.add_argument("--repeats", type=int, default=3, help="turns into which they are cut")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--test", type=int, default=200, help="test examples of a language")
    parser.add_argument("--grid-steps", type=int, default=60)
    parser.add_argument("--grid-repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--pretrain-tokens", type=int, default=500_000)
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.data, Path(folder), arguments)
        print(f"prepared in {time.perf_counter() - began:.0f} s; batch {arguments.batch}, longest {MAX_LENGTH} tokens")
        if arguments.part in ("steps", "all"):
            for size in arguments.sizes:
                bench.steps(f"h{size}-untrained", size)
        if arguments.part in ("grid", "all"):
            bench.grid()
    if arguments.json:
        facts = {key: str(value) for key, value in vars(arguments).items()}
        arguments.json.write_text(json.dumps({"settings": facts, "rows": bench.rows}, indent=1) + "\n")
    print(f"{time.perf_counter() - began:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
