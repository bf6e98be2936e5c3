"""The usual way to train and predict, for `benchmark_training.py`: Trainer and AdapterTrainer on static heads."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import adapters
import torch
from adapters import AdapterTrainer, SeqBnConfig
from adapters.composition import Fuse, Stack
from transformers import (
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    XLMRobertaForQuestionAnswering,
    XLMRobertaForSequenceClassification,
    XLMRobertaForTokenClassification,
)

from adapterxfer.backbones.loading import LoadedBackbone
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.library import adapter_to_library
from adapterxfer.variants.model import TransferModel

MODELS = {
    "sequence_classification": XLMRobertaForSequenceClassification,
    "tagging": XLMRobertaForTokenClassification,
    "span_qa": XLMRobertaForQuestionAnswering,
}
EVAL_BATCH = 32
"""Rows of one batch in prediction; Trainer's default of 8 is slower."""


@dataclass
class Peer:
    """One model of the libraries.

    Attributes:
        model: with a static head.
        variant: full-ft, adapter, stack or fuse.
        names: its adapters, bottom first.
        tokenizer: pads.
    """

    model: Any
    variant: str
    names: list[str]
    tokenizer: Any

    @classmethod
    def of(cls, own: TransferModel, task: TrainTask) -> Peer:
        """The same parts as one of our models, with the same adapter weights."""
        variant = own.composition.variant
        names = [part.id for part in own.composition.adapters]
        model = _with_head(own.loaded, task)
        if names:
            adapters.init(model)
            for part in own.composition.adapters:
                config = SeqBnConfig(reduction_factor=own.loaded.hidden_size / part.bottleneck_size)
                model.add_adapter(part.id, config=config)
                state = adapter_to_library(own.adapters[part.id], part.id)  # type: ignore[arg-type]
                model.base_model.load_state_dict(state, strict=False)
        made = cls(model, variant, names, own.loaded.tokenizer)
        made._activate()
        return made

    @classmethod
    def grown(
        cls, backbone: LoadedBackbone, task: TrainTask, variant: str, size: int, before: Sequence[Peer], *, seed: int
    ) -> Peer:
        """A model of the grid: fresh, or with what earlier trainings left."""
        torch.manual_seed(seed)
        model = _with_head(backbone, task)
        names: list[str] = []
        if variant == "full-ft":
            for peer in before:
                model.base_model.load_state_dict(peer.model.base_model.state_dict())
        else:
            adapters.init(model)
            config = SeqBnConfig(reduction_factor=backbone.hidden_size / size)
            for number, peer in enumerate(before):
                names.append(f"from{number}")
                model.add_adapter(names[-1], config=config)
                theirs = peer.model.base_model.state_dict()
                old = f"adapters.{peer.names[-1]}."
                state = {n.replace(old, f"adapters.{names[-1]}."): t for n, t in theirs.items() if old in n}
                model.base_model.load_state_dict(state, strict=False)
            if variant != "fuse":
                names.append("target")
                model.add_adapter("target", config=config)
        made = cls(model, variant, names, backbone.tokenizer)
        made._activate()
        return made

    def _activate(self) -> None:
        if self.variant == "fuse":
            self.model.add_adapter_fusion(self.names)
            self.model.train_adapter_fusion(Fuse(*self.names))
            self.model.set_active_adapters(Fuse(*self.names))
        elif self.variant != "full-ft":
            self.model.train_adapter(self.names[-1])
            active = Stack(*self.names) if len(self.names) > 1 else self.names[0]
            self.model.set_active_adapters(active)

    def train(self, task: TrainTask, settings: TrainSettings, *, seed: int, group: bool = False) -> None:
        """As a script would: random order, padded to the longest of a batch."""
        with tempfile.TemporaryDirectory() as folder:
            self._trainer(folder, task.format.name, settings, seed, group, rows_of(task)).train()

    def predict(self, format_name: str, features: Sequence[Any]) -> list[Any]:
        """Logits of each feature, padding included."""
        rows = [{"input_ids": f.sequences[0], "attention_mask": [1] * len(f.sequences[0])} for f in features]
        with tempfile.TemporaryDirectory() as folder:
            found = self._trainer(folder, format_name, None, 1, False, None).predict(rows).predictions
        return list(zip(*found, strict=True)) if isinstance(found, tuple) else list(found)

    @staticmethod
    def outputs(format_name: str, values: Any, batch: Any) -> torch.Tensor:
        """Logits of one feature in the shape of our formats, without padding."""
        width = batch.input_ids.shape[1]
        if format_name == "span_qa":
            start, end = (torch.as_tensor(part)[:width] for part in values)
            return torch.stack([start, end], dim=-1)[None]
        if format_name == "tagging":
            return torch.as_tensor(values)[batch.fields["positions"]]
        return torch.as_tensor(values)[None]

    def forward(self, task: TrainTask, features: Sequence[Any]) -> torch.Tensor:
        """Loss of one batch in training mode."""
        self.model.train()
        chosen = TrainTask(task.name, task.format, task.labels, features, task.pad_id)
        batch = _collator(task.format.name, self.tokenizer)(rows_of(chosen))
        loss: torch.Tensor = self.model(**batch).loss
        return loss

    def _trainer(
        self, folder: str, format_name: str, settings: TrainSettings | None, seed: int, group: bool, rows: Any
    ) -> Any:
        kind = Trainer if self.variant == "full-ft" else AdapterTrainer
        training: dict[str, Any] = {}
        if settings is not None:
            training = {
                "per_device_train_batch_size": settings.batch_size,
                "max_steps": settings.steps,
                "learning_rate": settings.learning_rate,
                "warmup_ratio": settings.warmup_fraction,
                "weight_decay": settings.weight_decay,
                "max_grad_norm": settings.clip,
            }
        # Named, because AdapterTrainer looks for them in flexible heads, which these models have not.
        labels = ["start_positions", "end_positions"] if format_name == "span_qa" else ["labels"]
        arguments = TrainingArguments(
            output_dir=folder, per_device_eval_batch_size=EVAL_BATCH, save_strategy="no", report_to=[], use_cpu=True,
            disable_tqdm=True, seed=seed, group_by_length=group, logging_steps=25, dataloader_pin_memory=False,
            log_level="error", label_names=labels, **training,
        )  # fmt: skip
        trainer = kind(
            model=self.model, args=arguments, train_dataset=rows, data_collator=_collator(format_name, self.tokenizer)
        )
        trainer.remove_callback(PrinterCallback)
        return trainer


def _collator(format_name: str, tokenizer: Any) -> Any:
    kind = DataCollatorForTokenClassification if format_name == "tagging" else DataCollatorWithPadding
    return kind(tokenizer)


def _with_head(backbone: LoadedBackbone, task: TrainTask) -> Any:
    config = copy.deepcopy(backbone.config)
    config.num_labels = max(2, len(task.labels))
    model = MODELS[task.format.name](config)
    model.base_model.load_state_dict(backbone.model.state_dict(), strict=False)
    return model


def rows_of(task: TrainTask) -> list[dict[str, Any]]:
    """Features as the collators of the library want them."""
    rows = []
    for feature in task.features:
        ids = feature.sequences[0]
        row: dict[str, Any] = {"input_ids": ids, "attention_mask": [1] * len(ids)}
        if task.format.name == "tagging":
            labels = [-100] * len(ids)
            for position, tag in zip(feature.target.positions, feature.target.tags, strict=True):
                labels[position] = tag
            row["labels"] = labels
        elif task.format.name == "span_qa":
            row |= {"start_positions": feature.target.start, "end_positions": feature.target.end}
        else:
            row["labels"] = feature.target
        rows.append(row)
    return rows
