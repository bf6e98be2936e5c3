"""Which rows of the word matrix a training needs: those of its texts, unless something moves or reads all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.rows import TokenIds, ids_in
from adapterxfer.formats.base import Feature
from adapterxfer.formats.masked_lm import MaskedLm
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask

VECTOR = 16
"""Numbers of the widest vector register. Rows that divide by it are computed alike wherever in a matrix they lie; of
others the last numbers of a matrix go through code of their own, whose rounding may be another one."""


def why_all_words(tasks: Sequence[TrainTask], settings: Sequence[TrainSettings], *, trains: bool, width: int) -> str:
    """Why a training has to carry the whole word matrix; empty where the rows of its texts are enough.

    Args:
        tasks: all that is trained on.
        settings: of all parts of the training.
        trains: whether the word matrix trains.
        width: of a row.
    """
    if any(isinstance(task.format, MaskedLm) for task in tasks):
        return "it is the output matrix of masked language modelling, which reads every row"
    if not trains:
        return ""
    if any(some.weight_decay for some in settings):
        return "weight decay moves every row"
    if width % VECTOR:
        return f"rows of {width} numbers are not computed alike wherever they lie"
    return ""


def words_of(
    backbone: LoadedBackbone,
    tasks: Sequence[TrainTask],
    settings: Sequence[TrainSettings],
    *,
    trains: bool,
    before: TokenIds | None,
) -> TokenIds | None:
    """Token ids whose rows a training carries, ascending; None for all.

    Args:
        tasks: training and development features count; the same task may come several times.
        before: rows that an earlier training changed, which are carried on; None for all.
    """
    if backbone.source is None or before is None:
        return None
    if why_all_words(tasks, settings, trains=trains, width=backbone.source.width):
        return None
    used = ids_in(_sequences(tasks), backbone.source.vocabulary)
    used[before] = True
    return np.flatnonzero(used)


def _sequences(tasks: Sequence[TrainTask]) -> Iterator[list[int]]:
    for task in tasks:
        features: Sequence[Feature]
        for features in (task.features, () if task.dev is None else task.dev.features):
            for feature in features:
                yield from feature.sequences
