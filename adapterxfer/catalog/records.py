"""The shape of a catalogue entry; no behaviour beside derived names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["intermediate", "target"]
SourceKind = Literal["world", "files", "hub", "local"]
Resource = Literal["high", "mid", "low", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language.

    Attributes:
        code: ISO 639-1 code, or the world's own code.
        joshi_class: taxonomy of Joshi et al. 2020, 0 to 5; None in the world.
        cc100_gib: text in CC-100 in GiB (the corpus of XLM-R); 0.0 is "not in it"; None in the world, and for varieties
            that may be inside of another language's text there.
        resource: ``low`` for Joshi class 0 to 2, ``mid`` for 3, ``high`` from 4, ``unknown`` where no class is known;
            the world declares its own tiers.
        synthetic: a language of the world.
    """

    code: str
    name: str
    family: str
    genus: str
    script: str
    joshi_class: int | None
    cc100_gib: float | None
    resource: Resource
    synthetic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task of the study, in one role.

    Attributes:
        format: one of the five formats.
        metric: name of the score, as in docs/design/contracts.md.
        languages: languages of the test set; ``("en",)`` for intermediate tasks.
        source: where its examples come from.
        hub: repository on the Hugging Face Hub, where there is one.
        licence: as stated by the source; ``unstated`` where it says nothing.
        protocol: everything beside the model that moves a score.
        trained: whether a target has English training data; retrieval targets have none.
        kin: kind of annotation, which decides controls: ``nli``, ``pos``, ``ner``, ``qa`` ...
        train_examples, dev_examples, test_examples: default sizes (test: per language); None is "all there are".
        verified: whether the facts were read at the source.
        before: tasks whose English data are trained on first, with the same model and head.
        stand_in: the world task behind the name, where the world stands in for real data.
        labels: in official order; empty where the format has none, the data decide, or the task is of the world.
        citation: who made it; empty where nothing states it.
        more: further languages of the test set, which a recipe has to name (or ``all``): ``languages`` are those of a
            recipe that names none.
    """

    name: str
    role: Role
    format: str
    metric: str
    languages: tuple[str, ...]
    source: SourceKind
    hub: str | None = None
    licence: str = "unstated"
    protocol: str = ""
    trained: bool = True
    kin: str = ""
    train_examples: int | None = None
    dev_examples: int | None = None
    test_examples: int | None = None
    verified: bool = True
    note: str = ""
    before: tuple[str, ...] = ()
    stand_in: str = ""
    labels: tuple[str, ...] = ()
    citation: str = ""
    more: tuple[str, ...] = ()

    @property
    def synthetic(self) -> bool:
        """Whether the task belongs to the embedded world."""
        return self.source == "world"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """One pretrained encoder.

    Attributes:
        kind: ``hub``, ``embedded`` (package data of the world) or ``untrained`` (same shape, random weights).
        series: backbones that differ in size only, or are sold as one family.
        model_type: its architecture, as in ``config.json``; see `adapterxfer.catalog.architectures`.
        hub: repository on the Hugging Face Hub.
        hidden, layers, vocabulary: shape, for cost estimates; None where unknown.
        longest: longest input in tokens, special tokens included; None where unknown.
        parameters, non_embedding_parameters: counts; None where unknown.
        verified: whether counts and shape were read at the source or counted from weights.
        fingerprint: of the weights (embedded) or of the configuration (untrained).
        of: the trained twin of an untrained backbone.
        seed: seed of the pretraining, or of the random initialisation.
    """

    name: str
    kind: Literal["hub", "embedded", "untrained"]
    series: str
    model_type: str
    hub: str | None = None
    hidden: int | None = None
    layers: int | None = None
    vocabulary: int | None = None
    longest: int | None = None
    parameters: int | None = None
    non_embedding_parameters: int | None = None
    available: bool = False
    verified: bool = False
    fingerprint: str = ""
    of: str = ""
    seed: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class ControlSpec:
    """A baseline that stands beside the scores.

    Attributes:
        formats: the formats it exists for.
        kin: restricts it to tasks of this annotation; empty for all tasks of the formats.
        needs: ``none``, ``backbone`` (its tokenizer or embeddings) or ``training``.
    """

    name: str
    formats: tuple[str, ...]
    needs: Literal["none", "backbone"]
    description: str
    kin: str = ""
    default: bool = True
