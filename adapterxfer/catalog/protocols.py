"""Protocols a recipe may choose instead of a task's own: everything beside the model that moves a score.

A protocol is one text of parts joined by ``/``. It is part of the identity of predictions, and of the examples where it
decides their words, so scores of two protocols never meet in one comparison.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FUSED = "fused-words"
"""Part of a protocol: multiword tokens of treebanks are one word."""

AS_RELEASED = "questions-as-released"
"""Part of a protocol: XCOPA's questions are not repaired."""

CROSS_FITTED = "threshold-cross-fitted"
"""Part of a protocol: BUCC's threshold for one half of the sentences is tuned on the other half, not on the sample."""


DEV = "dev"
"""Label of the evaluation on development examples."""

_UNDER = "@"


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way to evaluate a task.

    Attributes:
        text: stored with every prediction.
        metric: name of the score.
        note: what differs, for people.
    """

    text: str
    metric: str
    note: str


PROTOCOLS: Mapping[str, Mapping[str, Protocol]] = {
    "udpos": {
        "xtreme": Protocol(
            f"udpos/seqeval-0.0.12/{FUSED}/first-piece",
            "chunk_f1",
            "XTREME's: multiword tokens are one word, all English training treebanks, chunk F1 with token accuracy "
            "beside it",
        )
    },
    "xcopa": {
        "as-released": Protocol(
            f"accuracy/{AS_RELEASED}",
            "accuracy",
            "the questions of each language as they were published, many of them wrong in Thai, Turkish and Swahili: "
            "published numbers used them",
        )
    },
    "bucc2018": {
        "cross-fitted": Protocol(
            f"bucc/margin-4/both-directions/{CROSS_FITTED}/mean-pool-special/middle-layer/uncentred",
            "mining_f1",
            "ours, for the copy on the Hub, which lacks the sample: pairs are mined as XTREME does, and the threshold "
            "for each half of the source sentences is the best one of the other half",
        )
    },
    "tatoeba": {
        "xtreme": Protocol(
            "tatoeba/from-english/mean-pool-special/middle-layer/uncentred",
            "retrieval_accuracy",
            "XTREME's: English sentences search the foreign ones, special tokens count in the mean; its layer is named "
            "with `layer` (14 of 24 for XLM-R large)",
        ),
        "xtreme-r": Protocol(
            "tatoeba/from-english/trained-pooling-else-mean-pool-special/top-layer/uncentred",
            "retrieval_accuracy",
            "XTREME-R's: after an intermediate task on SQuAD; the pooling of `squad-retrieval` is used where the model "
            "was trained on it, else the mean over the top layer",
        ),
    },
}
"""Task -> name in a recipe -> protocol."""


def metric_of(task: str, protocol: str, default: str | None) -> str | None:
    """The metric of a protocol of a task; ``default`` where the catalogue knows no other."""
    plain = _without_layer(protocol)
    for entry in PROTOCOLS.get(task, {}).values():
        if _without_layer(entry.text) == plain:
            return entry.metric
    return default


def with_layer(protocol: str, layer: int | str) -> str:
    """The protocol with another layer: a number (0 is the embeddings), ``middle`` or ``top``."""
    wanted = f"{layer}-layer" if isinstance(layer, str) else f"layer-{layer}"
    return "/".join(wanted if is_layer(part) else part for part in protocol.split("/"))


def layer_in(protocol: str) -> int | str:
    """The layer a protocol names; ``middle`` where it names none."""
    for part in protocol.split("/"):
        if is_layer(part):
            return int(part[6:]) if part.startswith("layer-") else part.removesuffix("-layer")
    return "middle"


def target_under(task: str, label: str) -> str:
    """What a target is called under another protocol, layer or split than the recipe's first."""
    return f"{task}{_UNDER}{label}"


def base_target(target: str) -> str:
    """The task behind the name of a target."""
    return target.partition(_UNDER)[0]


def is_other_evaluation(target: str) -> bool:
    """Whether a target is another evaluation of models that have a first one; means never take it in by itself."""
    return _UNDER in target


def is_development(target: str) -> bool:
    """Whether the examples of a target are development examples."""
    return target.endswith(f"{_UNDER}{DEV}")


def is_layer(part: str) -> bool:
    """Whether a part of a protocol names a layer."""
    return part in ("middle-layer", "top-layer") or (part.startswith("layer-") and part[6:].isdigit())


def _without_layer(protocol: str) -> str:
    return "/".join(part for part in protocol.split("/") if not is_layer(part))
