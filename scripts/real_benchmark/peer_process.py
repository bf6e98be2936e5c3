"""The same training and prediction as a script of `transformers.Trainer` or `adapters.AdapterTrainer` does them."""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from real_benchmark.inputs import INTERMEDIATES, SECOND_TARGET
from real_benchmark.one_process import Measured, folder_mib

ADAPTERS = {"adapter": ("target",), "upper-half": ("target",), "stack": ("a", "target"),
            "fuse-2": ("a", "target"), "fuse-3": ("a", "b", "target")}  # fmt: skip
"""Part -> its adapters, bottom first; those before the last are frozen in a stack, all of them under a fusion."""


def main() -> int:
    """Run what the JSON file named on the command line asks for."""
    asked: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    warnings.simplefilter("ignore")
    measured = Measured()
    peer = Peer(asked, measured)
    if asked["part"] == "study":
        peer.study()
    else:
        peer.run(asked["part"], "train", predict=asked["predict"])
    measured.report()
    return 0


class Peer:
    """What the script does.

    Args:
        asked: ``work``, ``backbone``, ``part``, ``steps``, ``batch``, ``dtype``, ``predict``; of a study ``seeds`` and
            ``threads``.
        measured: takes the numbers.
    """

    def __init__(self, asked: dict[str, Any], measured: Measured) -> None:
        import torch

        torch.set_num_threads(int(asked.get("threads", 1)))
        from transformers import AutoTokenizer

        self.asked, self.measured = asked, measured
        examples = json.loads((Path(asked["work"]) / "examples.json").read_text(encoding="utf-8"))
        self.labels: list[str] = examples["labels"]
        self.tokenizer = AutoTokenizer.from_pretrained(asked["backbone"])
        study = asked["part"] == "study"
        self.rows = {
            name: encode(self.tokenizer, some, self.labels, examples["max_length"] if name.startswith("train") else 512)
            for name, some in examples["rows"].items()
            if name == "train" or study or (asked["predict"] and not name.startswith("train"))
        }

    def study(self) -> None:
        """Every intermediate once for each seed, then both targets after each of them; see `our_study`."""
        for _ in self.asked["seeds"]:
            for name in INTERMEDIATES:
                for part in ("adapter", "full-ft"):
                    self.run(part, f"train {name}", predict=False)
            for train in ("train", f"train {SECOND_TARGET}"):
                self.run("adapter", train, predict=False)
                for _ in INTERMEDIATES:
                    for part in ("full-ft", "stack", "fuse-2"):
                        self.run(part, train, predict=True)

    def run(self, part: str, train: str, *, predict: bool) -> None:
        """One training from the backbone's weights, which saves its model, and its prediction in all languages."""
        import torch
        from transformers import AutoModelForTokenClassification, DataCollatorForTokenClassification

        model = AutoModelForTokenClassification.from_pretrained(
            self.asked["backbone"], num_labels=len(self.labels), torch_dtype=torch.float32, classifier_dropout=0.0
        )
        if part in ADAPTERS:
            add_adapters(model, part)
        collator = DataCollatorForTokenClassification(self.tokenizer)
        with tempfile.TemporaryDirectory(dir=self.asked["work"]) as folder:
            trainer = trainer_of(part, model, self.rows[train], collator, folder, self.asked)
            with self.measured.cpu("training"):
                output = trainer.train()
            self.measured.fact(loss=output.training_loss)
            if part in ADAPTERS:
                model.save_all_adapters(f"{folder}/kept")
            else:
                model.save_pretrained(f"{folder}/kept")
            self.measured.fact(stored_mib=folder_mib(Path(folder) / "kept"))
            if predict:
                with self.measured.cpu("prediction"):
                    scores = {
                        language: accuracy(trainer.predict(some))
                        for language, some in self.rows.items()
                        if not language.startswith("train")
                    }
                self.measured.fact(scores=scores)


def encode(tokenizer: Any, rows: list[dict[str, Any]], labels: list[str], max_length: int) -> list[dict[str, Any]]:
    """Token ids, with the tag of a word at its first token and -100 everywhere else."""
    number = {label: index for index, label in enumerate(labels)}
    encoded = tokenizer(
        [row["words"] for row in rows], is_split_into_words=True, truncation=True, max_length=max_length
    )
    results = []
    for index, row in enumerate(rows):
        words = encoded.word_ids(index)
        tags = [
            -100 if word is None or (at and words[at - 1] == word) else number[row["tags"][word]]
            for at, word in enumerate(words)
        ]
        results.append({
            "input_ids": encoded["input_ids"][index], "attention_mask": encoded["attention_mask"][index],
            "labels": tags,
        })  # fmt: skip
    return results


def add_adapters(model: Any, part: str) -> None:
    """Fresh adapters, active and frozen as in the part; how they start does not change the speed."""
    import adapters
    from adapters import SeqBnConfig
    from adapters.composition import Fuse, Stack

    names = ADAPTERS[part]
    adapters.init(model)
    for name in names:
        lower = range(model.config.num_hidden_layers // 2) if part == "upper-half" else ()
        model.add_adapter(name, config=SeqBnConfig(reduction_factor=16, leave_out=list(lower)))
    if part.startswith("fuse"):
        model.add_adapter_fusion(list(names))
        model.train_adapter_fusion(Fuse(*names))
        model.set_active_adapters(Fuse(*names))
    else:
        model.train_adapter(names[-1])
        model.set_active_adapters(Stack(*names) if len(names) > 1 else names[0])


def trainer_of(part: str, model: Any, rows: Any, collator: Any, folder: str, asked: dict[str, Any]) -> Any:
    """The loop of the library: random order, batches padded to their longest row, linear schedule, clipping at 1."""
    from transformers import PrinterCallback, Trainer, TrainingArguments

    arguments = TrainingArguments(
        output_dir=folder, per_device_train_batch_size=asked["batch"], per_device_eval_batch_size=asked["batch"],
        max_steps=asked["steps"], learning_rate=2e-5 if part == "full-ft" else 1e-3,
        warmup_steps=-(-asked["steps"] // 10),
        lr_scheduler_type="linear", max_grad_norm=1.0, save_strategy="no", report_to=[], use_cpu=True,
        disable_tqdm=True, seed=1, logging_steps=25, dataloader_pin_memory=False, log_level="error",
        label_names=["labels"], bf16=asked["dtype"] == "bf16",
    )  # fmt: skip
    kind: Any = Trainer
    if part in ADAPTERS:
        from adapters import AdapterTrainer

        kind = AdapterTrainer
    trainer = kind(model=model, args=arguments, train_dataset=rows, data_collator=collator)
    trainer.remove_callback(PrinterCallback)
    return trainer


def accuracy(output: Any) -> float:
    """Share of words with the right tag, in points."""
    real = output.label_ids != -100
    return float((output.predictions.argmax(-1) == output.label_ids)[real].mean() * 100)


if __name__ == "__main__":
    sys.exit(main())
