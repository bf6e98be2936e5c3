"""The shape of a task's one entry: facts, data, development data of the oracle, protocols, place in the benchmarks.

An entry that lacks a part cannot be constructed: the error names everything that is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from adapterxfer.catalog.data_sets import DataSet, DataSplit, each, require
from adapterxfer.catalog.records import Role, SourceKind, Task

Format = Literal["sequence_classification", "tagging", "span_qa", "multiple_choice", "retrieval"]
FORMATS: tuple[Format, ...] = get_args(Format)
POOL_OF_ALL = "all"
"""Language of a pool that all languages search."""

DEFAULT_PROTOCOLS = {
    "accuracy": "accuracy",
    "token_accuracy": "pos/token-accuracy/first-piece",
    "span_f1": "spans/lenient-bio",
    "qa_f1": "qa/squad-normaliser",
    "qa2_f1": "qa/squad-v2/null-threshold-0",
    "mlqa_f1": "qa/mlqa-normaliser",
    "retrieval_accuracy": "retrieval/to-english/mean-pool/middle-layer/centred",
}
"""Metric -> the protocol of tasks that name no other."""


def codes(text: str) -> tuple[str, ...]:
    """Codes of languages written with blanks between."""
    return tuple(text.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskParts:
    """What a task is made of.

    Attributes:
        name: unique; the task's own, or of its own for another way to read it (see `TaskSpec.read_as`).
        format: one of the five formats.
        labels: in official order; empty where the format has none or the training data decide (supertags).
        train, dev: English parts, joined; a development set that is not there is cut from the training data in whole
            clusters.
        needs_dev: missing development files are an error instead.
        test: data set whose test split is read in each language; None for intermediate tasks.
        pools: further splits of that data set: pools of candidates, and a sample to tune a threshold on.
        pool_of_all: whether one pool serves all languages.
        joint: whether equal questions of all languages share their right candidates.
        from_end: training examples are kept from the other end of their ranking, so that a task with the same data at
            the first end shares none while both are small enough.
        layouts: whether files in other layouts can be described: not where examples are reduced as they are read.
        files_only: why files are needed although the Hub has a copy; empty where it serves.
        spare_pools: part of a protocol -> pools that it does without.
        spare_hint: how to do without the pools that no repository holds.
    """

    name: str
    format: Format
    labels: tuple[str, ...] = ()
    train: tuple[DataSplit, ...] = ()
    dev: tuple[DataSplit, ...] = ()
    needs_dev: bool = False
    test: DataSet | None = None
    pools: tuple[str, ...] = ()
    pool_of_all: bool = False
    joint: bool = False
    from_end: bool = False
    layouts: bool = True
    files_only: str = ""
    spare_pools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spare_hint: str = ""

    def __post_init__(self) -> None:
        missing = [] if self.format in FORMATS else [f"format (one of {', '.join(FORMATS)})"]
        if not self.train and self.test is None:
            missing.append("train, test or both")
        if self.format == "sequence_classification" and not self.labels:
            missing.append("labels")
        if self.test is None and (self.pools or self.pool_of_all or self.joint):
            missing.append("test, whose pools are searched")
        read = [(data, split) for data, split, _ in (*self.train, *self.dev)]
        read += [(self.test, split) for split in ("test", *self.pools)] if self.test is not None else []
        missing += [
            f"files of {data.name} {split}"
            for data, split in read
            if split not in data.files and not (data.rows_only and data.on_hub(split))
        ]
        require(f"parts of '{self.name}'", list(dict.fromkeys(missing)))

    def pool_languages(self, languages: Sequence[str]) -> Sequence[str]:
        """Languages of the pools."""
        return (POOL_OF_ALL,) if self.pool_of_all else languages

    def data_sets(self) -> tuple[DataSet, ...]:
        """All data sets, each once, those of training first."""
        tested = (self.test.part("test"),) if self.test is not None else ()
        return tuple(each((*self.train, *self.dev, *tested)))

    @property
    def main(self) -> DataSet | None:
        """The data set that stands for the task: the tested one, or the only one trained on."""
        if self.test is not None:
            return self.test
        return self.train[0].data if len(self.train) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDev:
    """Labelled development data of a target in the languages it is tested in: the ``dev`` split of its data set.

    Zero-shot transfer has no such data. They serve one diagnostic, the oracle, and nothing else.

    Attributes:
        why_not: why there are none; empty where there are.
        without: languages of the task that have none all the same.
        by_release: whether the release decides which languages have one: then files that are not there are languages
            without, not missing files.
        files_only: whether the repository of the catalogue lacks them, so that they have to be files.
    """

    why_not: str = ""
    without: tuple[str, ...] = ()
    by_release: bool = False
    files_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProtocol:
    """One way to evaluate a task that a recipe may choose instead of the task's own.

    Attributes:
        text: stored with every prediction.
        metric: name of the score.
        note: what differs, for people.
    """

    text: str
    metric: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InBenchmark:
    """A task's place in XTREME and XTREME-R: how its submitted files look and are scored.

    Attributes:
        column: its place in the tables of the benchmarks, from 1.
        suffix: ending of its files, ``test-LANGUAGE.suffix``.
        reader: how label and prediction files look.
        metric: name of the score; the one of the benchmark's own script.
        protocol: what exactly is computed.
        parallel: whether line or id means the same example in every language, so languages are resampled together.
        cluster: what is resampled.
        xtreme: its languages in XTREME; empty where XTREME lacks the task.
        revised: its languages in XTREME-R; empty where XTREME-R lacks the task.
        xtreme_groups, revised_groups: groups of tasks whose mean takes it in, in either benchmark.
        values: allowed labels; empty where any text is.
        by_id: clusters are joined over languages by the ids of their questions: paragraphs differ, questions do not.
        token_accuracy: accuracy of tags is shown beside the score.
        indices: predictions are places in the pool; only an evaluation with this part in its protocol searched so.
    """

    column: int
    suffix: str
    reader: Literal["labels", "tags", "answers", "ranked", "choices", "pairs"]
    metric: str
    protocol: str
    parallel: bool
    cluster: Literal["line", "premise", "context", "query"]
    xtreme: tuple[str, ...] = ()
    revised: tuple[str, ...] = ()
    xtreme_groups: tuple[str, ...] = ()
    revised_groups: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    by_id: bool = False
    token_accuracy: bool = False
    indices: str = ""

    def __post_init__(self) -> None:
        missing = [name for name in ("column", "suffix", "metric", "protocol") if not getattr(self, name)]
        require("place in the benchmarks", missing + ([] if self.xtreme or self.revised else ["languages"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One real task: everything that is known of it.

    Attributes:
        role: ``intermediate`` or ``target``.
        kin: kind of annotation, which decides controls: ``nli``, ``pos``, ``ner``, ``qa`` ...
        metric: name of the score, as in docs/design/contracts.md.
        parts: the data sets it is made of.
        licence: as stated by the source; ``unstated`` where it says nothing.
        citation: who made it; that of its data set where it is made of one.
        languages: of the test set; ``("en",)`` for intermediate tasks.
        more: further languages of the test set, which a recipe has to name.
        protocol: everything beside the model that moves a score; empty for the usual one of the metric.
        target_dev: of targets: where the oracle's development data are, or why there are none.
        texts: collections of texts it draws on; tasks that share one overlap, so that a gain is no transfer.
        source: ``hub`` (files win where they are all there), ``local`` (no repository), ``files`` (never the Hub where
            a folder is given).
        hub: repository to name where ``parts`` has none to read.
        verified: whether the facts were read at the source.
        trained: whether a target has English training data; retrieval targets have none.
        before: tasks whose English data are trained on first, with the same model and head.
        train_examples: how many there are, where that is known.
        note: what people must know of it.
        known_as: what other tools call it, for hints in messages.
        read_as: part of a protocol -> other parts that are read under it.
        protocols: name in a recipe -> protocol that may be chosen instead of ``protocol``.
        benchmark: its place in XTREME and XTREME-R.
        both: a target that may also be an intermediate task; only tasks that a recipe declares.
        declared: by a recipe; no task of the catalogue.

    Raises:
        CatalogueError: a part is missing; names all that are.
    """

    role: Role
    kin: str
    metric: str
    parts: TaskParts
    licence: str
    citation: str = ""
    languages: tuple[str, ...] = ("en",)
    more: tuple[str, ...] = ()
    protocol: str = ""
    target_dev: TargetDev | None = None
    texts: tuple[str, ...] = ()
    source: SourceKind = "hub"
    hub: str = ""
    verified: bool = True
    trained: bool = True
    before: tuple[str, ...] = ()
    train_examples: int | None = None
    note: str = ""
    known_as: tuple[str, ...] = ()
    read_as: Mapping[str, TaskParts] = field(default_factory=dict)
    protocols: Mapping[str, TaskProtocol] = field(default_factory=dict)
    benchmark: InBenchmark | None = None
    both: bool = False
    declared: bool = False

    def __post_init__(self) -> None:
        missing = [name for name in ("kin", "metric", "licence", "languages") if not getattr(self, name)]
        if not (self.citation or (self.parts.main is not None and self.parts.main.citation)):
            missing.append("citation")
        if not (self.protocol or self.metric in DEFAULT_PROTOCOLS):
            missing.append("protocol")
        if self.trained and not self.parts.train:
            missing.append("parts.train, or trained=False")
        if self.source == "hub" and not self.repository:
            missing.append("a repository of its data set, or source='local'")
        missing += self._missing_of_target() if self.role == "target" else []
        require(f"task '{self.name}'", missing)

    def _missing_of_target(self) -> list[str]:
        test = self.parts.test
        if test is None:
            return ["parts.test"]
        missing = []
        if test.codes and (unknown := [code for code in (*self.languages, *self.more) if code not in test.codes]):
            missing.append(f"codes of {test.name} for {', '.join(unknown)}")
        if self.target_dev is None:
            missing.append("target_dev (where the oracle's development data are, or why_not)")
        elif not self.target_dev.why_not:
            if not test.development():
                missing.append(f"development files of {test.name}, or target_dev.why_not")
            if not (test.on_hub("dev") or self.target_dev.files_only):
                missing.append(f"split dev of {test.repository or 'a repository'}, or target_dev.files_only")
            if stray := set(self.target_dev.without) - set(self.languages):
                missing.append(f"languages {', '.join(sorted(stray))} that target_dev names")
        return missing

    @property
    def name(self) -> str:
        """The name in recipes."""
        return self.parts.name

    @property
    def repository(self) -> str:
        """Repository on the Hub that is named for the task; empty where there is none."""
        return self.hub or (self.parts.main.repository if self.parts.main is not None else "")

    @property
    def pinned(self) -> str | None:
        """The commit of that repository; None where its branch is read, whatever it holds."""
        main = self.parts.main
        return main.hub.pinned if main is not None and main.hub is not None else None

    @property
    def on_hub(self) -> bool:
        """Whether the Hub serves all of the task as it is read by default."""
        tested = () if self.parts.test is None else tuple((self.parts.test, s) for s in ("test", *self.parts.pools))
        trained = tuple((data, split) for data, split, _ in self.parts.train)
        return all(data.on_hub(split) for data, split in (*trained, *tested))

    def parts_under(self, protocol: str) -> TaskParts:
        """What the task is made of under a protocol."""
        chosen = set(protocol.split("/"))
        return next((parts for mark, parts in self.read_as.items() if mark in chosen), self.parts)

    def entry(self) -> Task:
        """The task's row in the catalogue, as plans use it."""
        return Task(
            name=self.name,
            role=self.role,
            format=self.parts.format,
            metric=self.metric,
            languages=self.languages,
            source=self.source,
            hub=self.repository or None,
            licence=self.licence,
            protocol=self.protocol or DEFAULT_PROTOCOLS[self.metric],
            trained=self.trained,
            kin=self.kin,
            train_examples=self.train_examples,
            verified=self.verified,
            note=self.note,
            before=self.before,
            labels=self.parts.labels,
            citation=self.citation or (self.parts.main.citation if self.parts.main is not None else ""),
            more=self.more,
        )
