"""The usual way to train and predict: Trainer for full-ft, AdapterTrainer for adapters, on static heads, in fp32."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import adapters
import torch
from adapters import AdapterTrainer, SeqBnConfig
from adapters.composition import Fuse, Stack
from transformers import PrinterCallback, Trainer, TrainingArguments

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.formats.base import Feature
from adapterxfer.training.building import new_fusion, new_heads
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.starts import new_adapter
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.adapter import AdapterShape
from adapterxfer.variants.composition import HeadPart
from adapterxfer.variants.library import adapter_to_library, fusion_to_library
from adapterxfer.variants.model import TransferModel
from training_benchmark.masked_loss import Padded, masked
from training_benchmark.peer_rows import collator, copy_head, static_model, test_rows, train_rows

logging.getLogger("adapters").setLevel(logging.ERROR)


@dataclass
class Peer:
    """One model of the libraries.

    Attributes:
        model: with a static head.
        task: what it answers.
        variant: full-ft, adapter, stack or fuse.
        names: its adapters, bottom first.
        tokenizer: pads.
    """

    model: Any
    task: TrainTask
    variant: str
    names: list[str]
    tokenizer: Any

    @classmethod
    def like(cls, own: TransferModel, task: TrainTask) -> Peer:
        """The same parts as one of our models, with the same weights."""
        names = [part.id for part in own.composition.adapters]
        model = static_model(own.loaded, task, own.backbone.state_dict())
        copy_head(own.head(task.name), model, task.format.name)
        made = cls(model, task, own.composition.variant, names, own.loaded.tokenizer)
        if names:
            adapters.init(model)
            for part in own.composition.adapters:
                made._add(part.id, part.bottleneck_size)
                made._load(adapter_to_library(own.adapters[part.id], part.id))  # type: ignore[arg-type]
        made._activate()
        if own.fusion is not None:
            made._load(fusion_to_library(own.fusion, names))
        return made

    @classmethod
    def grown(
        cls, backbone: LoadedBackbone, task: TrainTask, variant: str, size: int, before: Sequence[Peer], *, seed: int
    ) -> Peer:
        """A model of the grid: what earlier trainings left, and new parts that start from the same values as ours."""
        full = variant == "full-ft"
        weights: Any = before[0].model.base_model.state_dict() if full and before else backbone.model.state_dict()
        model = static_model(backbone, task, weights)
        part = HeadPart("h00", task.name, task.format.name, task.labels)
        copy_head(new_heads(backbone, [task], [part], seed=seed)["h00"], model, task.format.name)
        made = cls(model, task, variant, [], backbone.tokenizer)
        if not full:
            adapters.init(model)
            for number, peer in enumerate(before):
                made._add(f"from{number}", size)
                theirs, old = peer.model.base_model.state_dict(), f".adapters.{peer.names[-1]}."
                made._load({n.replace(old, f".adapters.from{number}."): t for n, t in theirs.items() if old in n})
            if variant != "fuse":
                made._add("target", size)
                made._load(adapter_to_library(new_adapter(backbone, AdapterShape("seq_bn", size), seed=seed), "target"))
        made._activate()
        if variant == "fuse":
            made._load(fusion_to_library(new_fusion(backbone, seed=seed), made.names))
        return made

    def train(
        self,
        settings: TrainSettings,
        *,
        seed: int,
        group: bool = False,
        rows: Sequence[Any] | None = None,
        own_loss: bool = False,
    ) -> None:
        """As a script would: random order, padded to the longest of a batch.

        Args:
            settings: steps, batch, rate and clipping; the schedule is the library's of the same name.
            seed: of order and dropout.
            group: with the library's ``group_by_length``.
            rows: the features as the collators want them; made here where None.
            own_loss: questions have our loss; their rows have gone through `masked_loss.add_allowed`.
        """
        if rows is None:
            rows = train_rows(self.task.format.name, self.task.features)
        with tempfile.TemporaryDirectory() as folder:
            kind = masked(trainer_kind(self.variant)) if own_loss and self.task.format.name == "span_qa" else None
            trainer = self.trainer(folder, settings, seed=seed, group=group, rows=rows, kind=kind)
            if kind is not None:
                trainer.data_collator = Padded(trainer.data_collator)
                trainer.args.remove_unused_columns = False  # what no forward pass asks for would be gone
            trainer.train()

    def predict(self, by_language: Sequence[Sequence[Feature]], *, batch: int) -> list[list[Any]]:
        """Logits of each feature, padding included; one Trainer, one call a language."""
        found: list[list[Any]] = []
        with tempfile.TemporaryDirectory() as folder:
            trainer = self.trainer(folder, None, seed=1, group=False, rows=None, eval_batch=batch)
            for features in by_language:
                values = trainer.predict(test_rows(features)).predictions
                found.append(list(zip(*values, strict=True)) if isinstance(values, tuple) else list(values))
        return found

    def forward(self, features: Sequence[Feature]) -> torch.Tensor:
        """Loss of one batch in training mode."""
        self.model.train()
        batch = collator(self.task.format.name, self.tokenizer)(train_rows(self.task.format.name, features))
        loss: torch.Tensor = self.model(**batch).loss
        return loss

    def trainer(
        self,
        folder: str,
        settings: TrainSettings | None,
        *,
        seed: int,
        group: bool,
        rows: Sequence[Any] | None,
        eval_batch: int = 8,
        kind: Any = None,
    ) -> Any:
        """The library's loop; ``kind`` in place of the class that fits the variant."""
        kind = kind or trainer_kind(self.variant)
        format_name = self.task.format.name
        training: dict[str, Any] = {"group_by_length": group}
        if settings is not None:
            training |= {
                "per_device_train_batch_size": settings.batch_size,
                "max_steps": settings.steps,
                "learning_rate": settings.learning_rate,
                "warmup_ratio": settings.warmup_fraction,
                "weight_decay": settings.weight_decay,
                "max_grad_norm": settings.clip,
                "lr_scheduler_type": settings.schedule,
            }
        # Named, because AdapterTrainer looks for them in flexible heads, which these models have not.
        labels = ["start_positions", "end_positions"] if format_name == "span_qa" else ["labels"]
        arguments = TrainingArguments(
            output_dir=folder, per_device_eval_batch_size=eval_batch, save_strategy="no", report_to=[], use_cpu=True,
            disable_tqdm=True, seed=seed, logging_steps=25, dataloader_pin_memory=False,
            log_level="error", label_names=labels, **training,
        )  # fmt: skip
        trainer = kind(
            model=self.model, args=arguments, train_dataset=rows, data_collator=collator(format_name, self.tokenizer)
        )
        trainer.remove_callback(PrinterCallback)
        return trainer

    def _add(self, name: str, size: int) -> None:
        if name not in self.names:
            self.names.append(name)
        self.model.add_adapter(name, config=SeqBnConfig(reduction_factor=self.model.config.hidden_size / size))

    def _load(self, state: dict[str, torch.Tensor]) -> None:
        left = self.model.base_model.load_state_dict(state, strict=False)
        assert not left.unexpected_keys, left.unexpected_keys

    def _activate(self) -> None:
        if self.variant == "fuse":
            self.model.add_adapter_fusion(self.names)
            self.model.train_adapter_fusion(Fuse(*self.names))
            self.model.set_active_adapters(Fuse(*self.names))
        elif self.names:
            self.model.train_adapter(self.names[-1])
            self.model.set_active_adapters(Stack(*self.names) if len(self.names) > 1 else self.names[0])


def trainer_kind(variant: str) -> Any:
    """The class a script would take."""
    return Trainer if variant == "full-ft" else AdapterTrainer
