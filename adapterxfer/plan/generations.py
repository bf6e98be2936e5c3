"""Versions of stages: which of them a change of the framework touches, so that all others keep their keys and results.

A *generation* is the state of the framework between two such changes. A plan is built at one of them; today's is the
default and the only one that is run. Plans of earlier ones have the keys that stages had then: what the store holds
under these is still read, with the changes named beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from adapterxfer.data.sources import COMPOSED
from adapterxfer.errors import AdapterxferError, StageError
from adapterxfer.plan.rows import Row
from adapterxfer.store.keys import Stage
from adapterxfer.store.kinds import CANDIDATE, CHOICE, MERGED

Identity = Mapping[str, Any]

SEGMENTS = "segments"
"""In the identity of stages that read pairs of texts on backbones that were given no segment ids before."""

WORD_STARTS = "word_starts"
"""In the identity of stages whose words come from a tokenizer that marks their beginning only behind a space."""

FIRST: Mapping[str, int] = {
    "prepare": 1,
    "pretrain": 1,
    "train_language": 1,
    "train_intermediate": 1,
    "reuse_intermediate": 1,
    "train_target": 1,
    "train_together": 1,
    "train_fusion": 1,
    CANDIDATE: 1,
    CHOICE: 1,
    MERGED: 1,
    "predict": 1,
    "report": 3,
}
"""Kind -> version in the first generation. That of reports rises here: a report is written again from predictions."""


_COMPUTING = FIRST.keys() - {"prepare", "pretrain", CHOICE, "report"}
"""Kinds that train, compare or ask a model."""


def _nothing(_kind: str, _identity: Identity) -> bool:
    """Touches no stage by its version; the default of changes that a fact of the source marks."""
    return False


def _trains_the_backbone(_kind: str, identity: Identity) -> bool:
    """Full fine-tuning; no other identity has this mode."""
    return identity.get("mode") == "full"


def _trains(kind: str, identity: Identity) -> bool:
    """Whatever updates weights."""
    return _computes(kind, identity) and (kind == CANDIDATE or kind.startswith("train_"))


def _computes(kind: str, identity: Identity) -> bool:
    """Whatever runs a backbone."""
    return (
        kind in _COMPUTING and bool(identity.get("backbone")) and identity.get("system", _NONE).get("kind") != "control"
    )


_NONE: Identity = {}


@dataclass(frozen=True, slots=True)
class Change:
    """Something that gives other bytes for the same identity.

    Attributes:
        generation: the first one that has it.
        name: in a few words, for one line.
        text: a sentence for whoever reads older results: what changed, and what that can move.
        touches: whether it changes what a stage of this kind and identity computes by itself. Stages that read the
            result follow, since the keys of inputs are part of their keys.
        fact: in place of ``touches``: a key of a stage's identity or of its ``source`` that says so of this backbone or
            of these files. Plans of earlier generations leave it out.
    """

    generation: int
    name: str
    text: str
    touches: Callable[[str, Identity], bool] = _nothing
    fact: str = ""

    def concerns(self, kind: str, identity: Identity) -> bool:
        """Whether a stage, as today's plan has it, computes something else since this change."""
        if self.fact:
            return self.fact in identity or self.fact in (identity.get("source") or ())
        return self.touches(kind, identity)


CHANGES: tuple[Change, ...] = (
    Change(
        2,
        "answers, tags and hidden words of files",
        "Cells of described tables with an answer were cut at blanks, tags were not renamed by a layout's labels, and "
        "words that a treebank hides for its licence counted as words: scores and trainings on such files can move by "
        "many points.",
        fact="reading",
    ),
    Change(
        3,
        "the same test items in every language",
        "Where `test_examples` asks for fewer items of a parallel test set whose ids differ between its languages, "
        "each language had items of its own: scores can move as with any other draw of items, and intervals over "
        "languages were those of unrelated items.",
        fact="same_items",
    ),
    Change(
        4,
        "texts in composed Unicode",
        "Texts were tokenized as they are, and tokenizers lose marks of letters that are not composed (Unicode NFC), "
        "such as tones of Yoruba: scores on such texts were too low. Data of the Hub, which a plan cannot look into, "
        "count as changed whether they hold such texts or not.",
        fact=COMPOSED,
    ),
    Change(
        4,
        "marks of the beginnings of words",
        "Words were given to taggers without the mark of a word's beginning where the tokenizer (of mmBERT, ModernBERT "
        "and other byte-level vocabularies) gives it only behind a space: tagging scores of these backbones were too "
        "low, by many points.",
        fact=WORD_STARTS,
    ),
    Change(
        4,
        "segment ids of pairs",
        "RemBERT was given pairs of texts without the segment ids that its tokenizer gives to the second one: scores "
        "on pairs, questions and choices were those of inputs that it was not pretrained on.",
        fact=SEGMENTS,
    ),
    Change(
        4,
        "order of sums in full fine-tuning",
        "The norm of all gradients, by which they are clipped, was summed over the whole word matrix and in the order "
        "in which the library registers parameters; it is the same number rounded in another order, so fully "
        "fine-tuned models differ in the last digits, which single predictions can show.",
        touches=_trains_the_backbone,
    ),
    Change(
        5,
        "products by another library",
        "On processors with AVX-512 matrix products are made by another library, and trainings of backbones wider than "
        "256 on a processor add up their gradients over smaller parts of a batch: the same sums in another order, so "
        "trained models differ in the last digits, which single predictions can show.",
        touches=_computes,
    ),
    Change(
        6,
        "random numbers of dropout",
        "Trainings on a processor draw what dropout leaves out from other random numbers, so their scores move as they "
        "do from seed to seed; backbones without dropout, such as the world's, are trained as before.",
        touches=_trains,
    ),
    Change(
        6,
        "more products by another library",
        "On processors with AVX-512 the products of adapters and fusions, and GELU in predictions, are made by the "
        "library that makes those of the layers: the same sums in another order, so models and scores differ in the "
        "last digits, which single predictions can show.",
        touches=_computes,
    ),
)
"""In the order in which they came."""

NEWEST = max(change.generation for change in CHANGES)
"""Today's generation."""


_BY_VERSION = tuple(change for change in CHANGES if not change.fact)


def version_of(kind: str, identity: Identity, generation: int = NEWEST) -> int:
    """The version of a stage: one more for each generation that touches it."""
    if not _BY_VERSION:  # a plan asks for every stage
        return FIRST[kind]
    touching = {change.generation for change in _BY_VERSION if change.touches(kind, identity)}
    return FIRST[kind] + sum(number <= generation for number in touching)


def identity_at(identity: dict[str, Any], generation: int) -> dict[str, Any]:
    """The identity of a stage without the facts that no plan knew yet, of its own and of its source."""
    if generation == NEWEST:
        return identity
    later = {change.fact for change in CHANGES if change.fact and change.generation > generation}
    source = identity.get("source")
    if source and not later.isdisjoint(source):
        identity = {**identity, "source": {name: value for name, value in source.items() if name not in later}}
    return identity if later.isdisjoint(identity) else {k: v for k, v in identity.items() if k not in later}


def changes_since(generation: int, stages: Iterable[Stage | Row]) -> tuple[Change, ...]:
    """What came after a generation and concerns any of these stages, or rows of them, of today's plan."""
    later = [change for change in CHANGES if change.generation > generation]
    known = list(stages) if later else []
    return tuple(change for change in later if any(change.concerns(stage.kind, stage.identity) for stage in known))


def require_generation(generation: int) -> None:
    """Refuse a number that no generation has.

    Raises:
        AdapterxferError: it has none.
    """
    if not 1 <= generation <= NEWEST:
        raise AdapterxferError(
            f"generation {generation} is not known", fix=f"give a number from 1 to {NEWEST}, which is today's"
        )


def require_newest(stage: Stage) -> None:
    """Refuse to compute a stage of another generation: this code would store something else under its key.

    Raises:
        StageError: its version is not today's.
    """
    if stage.kind in FIRST and stage.version != (today := version_of(stage.kind, stage.identity)):
        raise StageError(
            f"stage {stage.kind}/{stage.folder_name}: version {stage.version}; this version of adapterxfer makes "
            f"version {today}",
            fix="plan the recipe again with this version",
        )


def caution_text(generation: int, changes: Iterable[Change]) -> str:
    """What to say beside results of an earlier generation."""
    return (
        f"These results were computed by an earlier version (generation {generation}, today's is {NEWEST}). Since "
        "then: "
        + " ".join(change.text for change in changes)
        + " Do not compare these numbers with newer ones; `adapterxfer run` computes them anew."
    )
