"""How fast on a GPU, at the shape of XLM-R large? Tokens per second, share of the measured bf16 peak, memory.

    python scripts/benchmark_gpu.py --json out.json             # on a GPU, 10 minutes at most
    python scripts/benchmark_gpu.py --device cpu --tiny         # checks the script itself in a minute

Random weights and random tokens, nothing is read. Lengths are those of sentences: log-normal, 8 to `--length` tokens.
Ours is the training loop of the stages in bf16; the other side `transformers.Trainer` (full-ft) or
`adapters.AdapterTrainer` (stack, fusion of 3) on the same examples, batch and number of steps, in random order and
padded by the library's collator, with `bf16=True`. Each side trains `--warm-up` steps that are not counted. Real tokens
count, padding does not. The peak is a product of two bf16 matrices of 8,192 x 8,192, measured here; the share counts
products only: 6 (full-ft) or 4 (frozen) operations per weight outside of the embeddings and token, and attention.

A part that fails or lacks a library says so, and the next one goes on; none is begun after `--limit` seconds.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from table_memory import POSITIONS, REDUCTION, SHAPES, VOCABULARY, Shape, assembled, config_of
from transformers import XLMRobertaModel

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import count_parameters
from adapterxfer.formats.base import Feature
from adapterxfer.formats.encoded import Encoded
from adapterxfer.formats.inference import predict_encoded
from adapterxfer.formats.registry import get_format
from adapterxfer.formats.tagging import WordTargets
from adapterxfer.training.building import new_heads
from adapterxfer.training.loop import train
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.composition import HeadPart

PARTS = {"full-ft": ("full-ft", 0), "stack": ("stack", 2), "fuse-3": ("fuse", 3)}
"""Part -> variant and number of adapters."""

TINY = Shape(64, 2, 2, 128)
LABELS = tuple(f"l{number}" for number in range(17))
PEAK_SIZE, PEAK_TIMES = 8192, 10


class Bench:
    """One shape on one device.

    Args:
        asked: arguments of the command line.
    """

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.device = torch.device(asked.device)
        self.shape = TINY if asked.tiny else SHAPES[asked.shape]
        self.words = 1000 if asked.tiny else VOCABULARY
        self.features = features(asked.examples, asked.length, self.words)
        self.inner = self.shape.layers * (4 * self.shape.hidden**2 + 2 * self.shape.hidden * self.shape.inner)
        self.peak = peak_flops(self.device, 256 if asked.tiny else PEAK_SIZE)

    def ours(self, part: str) -> dict[str, float]:
        """Our loop, and prediction of all examples."""
        variant, count = PARTS[part]
        loaded = self._loaded()
        fmt = get_format("tagging")
        task = TrainTask(name="task", format=fmt, labels=LABELS, features=self.features, pad_id=1)
        head = HeadPart("h00", "task", fmt.name, task.labels)
        heads = new_heads(loaded, [task], (head,), seed=1)
        model = assembled(loaded, variant, count, max(1, self.shape.hidden // REDUCTION), head, heads)
        spent: list[tuple[float, int, float]] = []
        for steps in (self.asked.warm_up, self.asked.warm_up, self.asked.warm_up + self.asked.steps):
            settings = TrainSettings(
                learning_rate=1e-5, batch_size=self.asked.batch, steps=steps, max_length=self.asked.length, dtype="bf16"
            )
            self._settle()
            began = time.perf_counter()
            result = train(
                model, [task], settings, seed=1, log=lambda _: None, device=self.asked.device,
                token_budget=self.asked.batch * self.asked.length,
            )  # fmt: skip
            self._wait()
            spent.append((time.perf_counter() - began, result.tokens, result.last_loss))
        # What a training takes before its first step is left out, as on the other side.
        (_, (short, few, _), (long, many, loss)) = spent
        seconds, tokens = long - short, many - few
        figures = {"tokens_per_s": tokens / seconds, **self._share(part, tokens / seconds), "loss": loss}
        figures["peak_gib"] = self._peak_memory()
        encoded, undecoded = Encoded([], self.features, 1), cast("Any", _Undecoded())
        model.eval()

        def predict() -> None:
            with torch.autocast(self.device.type, torch.bfloat16):
                predict_encoded(
                    model, model.head("task"), undecoded, encoded, LABELS, batch_tokens=self.asked.predict_tokens,
                    device=self.device,
                )  # fmt: skip

        return figures | {"predict_tokens_per_s": self._timed(predict)}

    def usual(self, part: str) -> dict[str, float]:
        """The trainer of the library on the same rows."""
        from transformers import (
            DataCollatorForTokenClassification,
            PrinterCallback,
            TrainingArguments,
            XLMRobertaForTokenClassification,
        )

        config = config_of(self.shape, words=self.words, positions=POSITIONS)
        config.num_labels = len(LABELS)
        with self.device:
            model: Any = XLMRobertaForTokenClassification(config)
        kind = self._add_adapters(model, PARTS[part][1]) if part != "full-ft" else _trainer()
        clock = _Clock(self._wait)
        collate = DataCollatorForTokenClassification(cast("Any", _Padding()), padding=True)

        def counted(rows: list[dict[str, Any]]) -> Any:
            batch = collate(rows)
            clock.tokens.append(int(batch["attention_mask"].sum()))
            return batch

        options: dict[str, Any] = {"use_cpu": True} if self.device.type == "cpu" else {}
        arguments = TrainingArguments(
            output_dir=str(self.asked.work), per_device_train_batch_size=self.asked.batch, bf16=True, report_to=[],
            per_device_eval_batch_size=self.asked.batch, max_steps=self.asked.warm_up + self.asked.steps,
            learning_rate=1e-5, max_grad_norm=1.0, save_strategy="no", disable_tqdm=True, log_level="error",
            logging_strategy="no", dataloader_num_workers=0, label_names=["labels"], **options,
        )  # fmt: skip
        trainer: Any = kind(
            model=model, args=arguments, train_dataset=rows_of(self.features), data_collator=counted,
            callbacks=[clock.callback(self.asked.warm_up)],
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        if self.device.type == "cuda":
            torch.backends.cuda.enable_cudnn_sdp(True)  # torch's default, which ours has switched off
        self._settle()
        trainer.train()
        speed = clock.tokens_per_second()
        figures = {"tokens_per_s": speed, **self._share(part, speed), "peak_gib": self._peak_memory()}
        return figures | {"predict_tokens_per_s": self._timed(lambda: trainer.predict(rows_of(self.features)))}

    @staticmethod
    def _add_adapters(model: Any, count: int) -> Any:
        import adapters
        from adapters import AdapterTrainer, SeqBnConfig
        from adapters.composition import Fuse, Stack

        adapters.init(model)
        names = [f"a{number}" for number in range(count)]
        for name in names:
            model.add_adapter(name, config=SeqBnConfig(reduction_factor=REDUCTION))
        if count > 2:
            model.add_adapter_fusion(names)
            model.train_adapter_fusion(Fuse(*names))
            model.set_active_adapters(Fuse(*names))
        else:
            model.train_adapter(names[-1])
            model.set_active_adapters(Stack(*names))
        return AdapterTrainer

    def _loaded(self) -> LoadedBackbone:
        config = config_of(self.shape, words=self.words, positions=POSITIONS)
        with self.device:
            model = XLMRobertaModel(config, add_pooling_layer=False).eval()
        return LoadedBackbone(
            model=model,
            tokenizer=None,  # type: ignore[arg-type]
            config=config,
            identity={"name": "shape", "kind": "folder"},
            fingerprint="",
            parameters=count_parameters(model),
        )

    def _share(self, part: str, tokens_per_second: float) -> dict[str, float]:
        """Operations per second of the matrix products, and their share of the peak."""
        forward = 2 * self.inner + 4 * self.shape.layers * self.shape.hidden * mean_length(self.features)
        flops = (3 if part == "full-ft" else 2) * forward * tokens_per_second
        return {"tflops": flops / 1e12, "share_of_peak": flops / self.peak}

    def _timed(self, work: Callable[[], object]) -> float:
        """Tokens per second of predicting all examples, the second time."""
        work()
        self._wait()
        began = time.perf_counter()
        work()
        self._wait()
        return sum(feature.length for feature in self.features) / (time.perf_counter() - began)

    def _settle(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        self._wait()

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def _peak_memory(self) -> float:
        return torch.cuda.max_memory_allocated() / 2**30 if self.device.type == "cuda" else 0.0


class _Undecoded:
    """The format of a tagger without decoding, which the other side does not do either."""

    name = "tagging"

    def __init__(self) -> None:
        self._of: Any = get_format("tagging")
        self.collate, self.results = self._of.collate, self._of.results

    @staticmethod
    def decode(results: list[Any], *_: object) -> list[Any]:
        return results


class _Padding:
    """What the collator of the library asks of a tokenizer: to pad."""

    padding_side = "right"
    pad_token_id = 1

    @staticmethod
    def pad(rows: Any, *_: object, **__: object) -> dict[str, torch.Tensor]:
        """Rows up to the longest."""
        longest = max(len(row["input_ids"]) for row in rows)
        fill = {"input_ids": 1, "attention_mask": 0}
        return {
            name: torch.tensor([list(row[name]) + [empty] * (longest - len(row[name])) for row in rows])
            for name, empty in fill.items()
        }


class _Clock:
    """Times the steps after the warm-up and counts their tokens."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self.tokens: list[int] = []
        self._wait, self._began, self._ended, self._first, self._last = wait, 0.0, 0.0, 0, 0

    def callback(self, warm_up: int) -> Any:
        """What the trainer calls after each step."""
        from transformers import TrainerCallback

        clock = self

        class Steps(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, *_: Any, **__: Any) -> None:  # noqa: ARG002 - signature
                if state.global_step == warm_up or state.global_step == state.max_steps:
                    clock._wait()
                if state.global_step == warm_up:
                    clock._began, clock._first = time.perf_counter(), warm_up
                clock._ended, clock._last = time.perf_counter(), state.global_step

        return Steps()

    def tokens_per_second(self) -> float:
        """Of the steps that count; a batch that was fetched in advance and not trained on is left out."""
        return sum(self.tokens[self._first : self._last]) / (self._ended - self._began)


def _trainer() -> Any:
    from transformers import Trainer

    return Trainer


def features(count: int, longest: int, words: int) -> list[Feature]:
    """Random sentences with a tag at each word of about 1.3 tokens."""
    rng = np.random.default_rng(0)
    lengths = np.clip(np.exp(rng.normal(np.log(24), 0.6, count)), 8, longest).astype(int)
    made = []
    for index, length in enumerate(lengths):
        ids = rng.integers(5, words, length - 2).tolist()
        first = [position for position in range(len(ids)) if position == 0 or rng.random() < 0.77]
        positions = [1 + position for position in first]
        tags = rng.integers(0, len(LABELS), len(first)).tolist()
        made.append(Feature([[0, *ids, 2]], WordTargets(list(range(len(first))), positions, tags), index))
    return made


def rows_of(some: Sequence[Feature]) -> list[dict[str, Any]]:
    """The same as rows for the library's collator."""
    rows = []
    for feature in some:
        labels = np.full(feature.length, -100)
        labels[feature.target.positions] = feature.target.tags
        rows.append({
            "input_ids": feature.sequences[0], "attention_mask": [1] * feature.length, "labels": labels.tolist(),
        })  # fmt: skip
    return rows


def mean_length(some: Sequence[Feature]) -> float:
    """Tokens that a token attends to, on average."""
    lengths = np.array([feature.length for feature in some], dtype=float)
    return float((lengths**2).sum() / lengths.sum())


def peak_flops(device: torch.device, size: int) -> float:
    """Operations per second of a bf16 matrix product on random numbers."""
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        left @ right
    if device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(PEAK_TIMES):
        left @ right
    if device.type == "cuda":
        torch.cuda.synchronize()
    return 2 * size**3 * PEAK_TIMES / (time.perf_counter() - began)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="xlm-r-large")
    parser.add_argument("--tiny", action="store_true", help="a tiny shape, to check the script")
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--sides", choices=("ours", "usual"), nargs="+", default=["ours", "usual"])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--warm-up", type=int, default=8)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--examples", type=int, default=4000)
    parser.add_argument("--predict-tokens", type=int, default=16_384, help="of a batch of ours in prediction")
    parser.add_argument("--limit", type=float, default=480.0, help="seconds after which no part is begun")
    parser.add_argument(
        "--work", type=Path, default=Path("benchmark-gpu"), help="the trainers' folder; nothing is kept"
    )
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(argv)
    began = time.perf_counter()
    bench = Bench(asked)
    name = torch.cuda.get_device_name() if bench.device.type == "cuda" else "cpu"
    print(json.dumps({"device": name, "torch": torch.__version__, "peak_tflops": bench.peak / 1e12}), flush=True)
    rows: list[dict[str, Any]] = []
    for part in asked.parts:
        for side in asked.sides:
            if time.perf_counter() - began > asked.limit:
                print(f"{part}, {side}: not begun, the time is over", flush=True)
                continue
            try:
                figures = getattr(bench, side)(part)
            except Exception as error:  # one part of several
                figures = {"error": f"{type(error).__name__}: {error}"[:500]}
                traceback.print_exc(limit=4)
            gc.collect()
            rows.append({"part": part, "side": side, **figures})
            print(json.dumps(rows[-1]), flush=True)
    for line in summary(rows):
        print(line)
    if asked.json:
        content = {"device": name, "torch": torch.__version__, "peak_tflops": bench.peak / 1e12, "rows": rows}
        asked.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


def summary(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Ratios of the two sides, part by part."""
    of = {(row["part"], row["side"]): row for row in rows if "error" not in row}
    lines = []
    for part in PARTS:
        if (part, "ours") in of and (part, "usual") in of:
            ours, usual = of[part, "ours"], of[part, "usual"]
            ratios = [f"{key} {ours[key] / usual[key]:.2f}x" for key in ("tokens_per_s", "predict_tokens_per_s")]
            lines.append(f"{part}: ours / usual: {', '.join(ratios)}; share of peak {ours['share_of_peak']:.1%}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
