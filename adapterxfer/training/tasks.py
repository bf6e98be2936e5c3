"""What the loop needs of a task: its features, its format, and perhaps English dev data to select by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.data.storage import StoredTask, read_task
from adapterxfer.errors import StageError
from adapterxfer.formats.base import Feature, Format
from adapterxfer.formats.encoded import Encoded, encode_split
from adapterxfer.formats.registry import get_format
from adapterxfer.training.mixture import Mixture

SOURCE_LANGUAGE = "en"
"""Everything is trained in this language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainTask:
    """A task ready to be trained on.

    Attributes:
        name: name in the catalogue.
        format: encodes, makes the head, computes loss and predictions.
        labels: in the order of the head's outputs.
        features: training features.
        pad_id: padding id of the tokenizer.
        metric: name of the dev metric; None for the default of the format.
        dev: English dev data; None where selection does not need them.
        dev_by_language: whether the dev score is the mean over languages, each scored by itself.
        head: the task whose head this one shares; empty for a head of its own.
        size: training examples it counts as where tasks are sampled by size; None for its features.
        share: fixed share of the steps, beside the other tasks; None where the sampling decides.
        mixture: languages inside the task; None for English alone.
    """

    name: str
    format: Format
    labels: tuple[str, ...]
    features: Sequence[Feature]
    pad_id: int
    metric: str | None = None
    dev: Encoded | None = None
    dev_by_language: bool = False
    head: str = ""
    size: int | None = None
    share: float | None = None
    mixture: Mixture | None = None

    @property
    def count(self) -> int:
        """Examples it counts as."""
        return len(self.features) if self.size is None else self.size


def read_train_task(
    folder: Path, task: str, format_name: str, backbone: LoadedBackbone, *, max_length: int, dev: bool
) -> TrainTask:
    """Read and encode a prepared task.

    Args:
        folder: committed prepare stage.
        task: the task that must be in it.
        format_name: the format it must have.
        backbone: its tokenizer encodes; its limit bounds ``max_length``.
        max_length: longest sequence in tokens.
        dev: read the English dev split too.

    Raises:
        StageError: the folder holds another task, the format has nothing to train, or a split is missing.
    """
    stored = read_task(folder)
    if (stored.task, stored.format) != (task, format_name):
        raise StageError(
            f"{folder}: holds task '{stored.task}' ({stored.format}); expected '{task}' ({format_name})",
            fix="plan the recipe again",
        )
    # Only of retrieval does the protocol decide what is trained; elsewhere it is a matter of prediction.
    protocol = str(stored.extra.get("protocol", "")) if format_name == "retrieval" else ""
    fmt = get_format(format_name, protocol)
    if not fmt.trainable:
        raise StageError(
            f"task '{task}': format '{format_name}' has no loss",
            fix="train on another task; this one is only predicted",
        )
    needed = ("train", "dev") if dev else ("train",)
    for split in needed:
        if SOURCE_LANGUAGE not in stored.languages(split):
            raise StageError(
                f"{folder}: task '{task}' has no English '{split}' split",
                fix="prepare the task with it" + (", or set selection: last" if split == "dev" else ""),
            )
    longest = min(max_length, backbone.max_length)
    encoded = _encode(fmt, stored, "train", backbone, longest, train=True)
    if not encoded.features:
        raise StageError(
            f"{folder}: no training feature of task '{task}' fits {longest} tokens", fix="raise max_length"
        )
    metric = stored.extra.get("metric")
    return TrainTask(
        name=task,
        format=fmt,
        labels=tuple(stored.labels),
        features=encoded.features,
        pad_id=encoded.pad_id,
        metric=str(metric) if metric else None,
        dev=_encode(fmt, stored, "dev", backbone, longest, train=False) if dev else None,
    )


def with_target_dev(
    task: TrainTask, folder: Path, backbone: LoadedBackbone, *, max_length: int, by_language: bool = False
) -> TrainTask:
    """The task with development data in the target languages in place of English: an oracle, no zero-shot selection.

    Args:
        folder: committed prepare stage with a ``dev`` split of the same task in these languages.
        by_language: score each language by itself and take the mean.

    Raises:
        StageError: the folder holds another task or labels.
    """
    stored = read_task(folder)
    if (stored.task, stored.format, tuple(stored.labels)) != (task.name, task.format.name, task.labels):
        raise StageError(
            f"{folder}: holds task '{stored.task}' ({stored.format}); expected '{task.name}' ({task.format.name})",
            fix="plan the recipe again",
        )
    languages, longest = stored.languages("dev"), min(max_length, backbone.max_length)
    dev = encode_split(task.format, stored, "dev", languages, backbone.tokenizer, max_length=longest, train=False)
    return replace(task, dev=dev, dev_by_language=by_language)


def _encode(
    fmt: Format, stored: StoredTask, split: str, backbone: LoadedBackbone, longest: int, *, train: bool
) -> Encoded:
    languages = (SOURCE_LANGUAGE,)
    return encode_split(fmt, stored, split, languages, backbone.tokenizer, max_length=longest, train=train)
