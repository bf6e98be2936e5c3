"""Pretrain one backbone of a series, or save its start values as the untrained twin (``tokens: 0``)."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer

from adapterxfer.catalog.lengths import OWN_SERIES
from adapterxfer.pretraining.batches import Masking
from adapterxfer.pretraining.corpus import Corpus
from adapterxfer.pretraining.initialisation import Initialisation
from adapterxfer.pretraining.mlm import PretrainingSettings, pretrain
from adapterxfer.pretraining.saving import save_backbone
from adapterxfer.stages.checkpointing import checkpoints_of
from adapterxfer.stages.context import StageContext
from adapterxfer.training.device import device_for, use_one_thread


def settings_of(identity: Any) -> PretrainingSettings:
    """The settings that a stage identity spells out."""
    shape = identity["shape"]
    share = float(identity["tlm_share"])
    return PretrainingSettings(
        hidden=shape["hidden"],
        layers=shape["layers"],
        heads=shape["heads"],
        tokens=identity["tokens"],
        batch_sequences=identity["batch_sequences"],
        learning_rate=float(identity["learning_rate"]),
        warmup_fraction=float(identity["warmup_fraction"]),
        weight_decay=float(identity["weight_decay"]),
        masking=Masking(share=float(identity["mask"])),
        initialisation=Initialisation(kind=identity["initialisation"]),
        shares={"mono": 1.0 - share, "parallel": share},
        dtype=identity["dtype"],
        position_limit=OWN_SERIES,
        seed=identity["seed"],
    )


def execute(context: StageContext) -> dict[str, Any]:
    """Run a `pretrain` stage.

    Artefacts: ``config.json``, ``model.safetensors``, ``tokenizer.json``, ``tokenizer_config.json`` and
    ``pretraining.json``.

    Returns:
        The held-out losses, parameter counts and speed for ``stage.json``.

    Raises:
        DataError: the corpus is damaged, or has no translation pairs although a share of them is asked for.
        BackboneError: the training diverged.
        StageStopped: somebody asked to stop; the state is saved.
    """
    use_one_thread()
    folder = context.inputs["corpus"]
    device = str(device_for(str(context.settings.get("device") or "cpu")))
    done = pretrain(
        Corpus.load(folder),
        settings_of(context.stage.identity),
        context.log,
        device=device,
        checkpoints=checkpoints_of(context),
    )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    save_backbone(context.scratch, done.model, tokenizer, done.record)
    keys = ("steps", "tokens", "parameters", "heldout")
    result = {key: done.record[key] for key in keys}
    # Resumed or not, the record is the same but for the times: where it went on is told by stage.json alone.
    speed = done.record["provenance"]["tokens_per_second"]
    return {**result, "tokens_per_second": speed, **({"resumed_at": done.resumed_at} if done.resumed_at else {})}
