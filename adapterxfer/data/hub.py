"""Tasks from the Hugging Face Hub: plain files only, labels by the names the repository states, never by position.

Repositories that still have a loading script are read from their converted branch, by folder: that branch has no
configurations, and loading it without a folder would join all languages without a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapterxfer.catalog import AS_RELEASED, FLORES, FUSED, SOURCES, TaskSource
from adapterxfer.data.bitext import ISO3
from adapterxfer.data.choices import REPAIR_FROM, copa_question
from adapterxfer.data.classification import NO_GOLD, Clusters
from adapterxfer.data.compositions import COMPOSITIONS, TYDIQA, UDPOS, Parts
from adapterxfer.data.examples import (
    ChoiceExample,
    Example,
    FormatName,
    PairExample,
    RetrievalExample,
    SpanExample,
    TaggingExample,
    TaskData,
)
from adapterxfer.data.held_out import CARVED_DEV, carve, keep
from adapterxfer.data.pools import question_sentence
from adapterxfer.data.rows import refuse_hidden
from adapterxfer.data.squad import locate_answer
from adapterxfer.data.tagged import DATE
from adapterxfer.errors import DataError

Row = Mapping[str, Any]


def read_hub(
    task: str,
    languages: Sequence[str],
    *,
    train_examples: int | None,
    dev_examples: int | None,
    test_examples: int | None,
    seed: int,
    protocol: str = "",
) -> TaskData:
    """Load a task; arguments as in `adapterxfer.data.original.read_original`.

    Raises:
        DataError: a part has no repository, cannot be loaded, or is not what the catalogue says.
    """
    if task == "udpos" and FUSED in protocol.split("/"):
        raise DataError(
            "udpos: the words of the Hub's copy are not known to be XTREME's",
            fix="put the treebanks (XX_*-ud-*.conllu) into a folder and give --set data_root=PATH",
        )
    composition = UDPOS if task == "udpos" else COMPOSITIONS[task]
    if composition.pools:
        raise DataError(
            f"{task}: no repository on the Hub holds its whole candidate pool with gold and tuning sample",
            fix="put its original files into a folder and give --set data_root=PATH; names: adapterxfer data check",
        )
    notes: Counter[str] = Counter()
    splits: dict[tuple[str, str], list[Example]] = {}
    if composition.train:
        train = _joined(composition.train, composition.format, notes)
        if composition.dev:
            dev = keep(_joined(composition.dev, composition.format, notes), dev_examples, seed)
        else:
            train, dev = carve(train, CARVED_DEV if dev_examples is None else dev_examples, seed)
            notes["development examples cut from the training data"] = len(dev)
        splits = {("train", "en"): keep(train, train_examples, seed), ("dev", "en"): dev}
    for language in languages if composition.test else ():
        released = AS_RELEASED in protocol.split("/")
        found = read_repository(composition.test, "test", language, composition.format, notes, repair=not released)
        splits[("test", language)] = keep(found, test_examples, seed)
    kept = {name: count for name, count in sorted(notes.items()) if count}
    return TaskData(task, composition.format, composition.labels, splits, kept)


def _joined(parts: Parts, form: FormatName, notes: Counter[str]) -> list[Example]:
    joined: list[Example] = []
    for dataset, role, language in parts:
        prefix = f"{dataset}/" if len(parts) > 1 else ""
        joined += [
            replace(e, language="en", example_id=prefix + e.example_id, cluster_id=prefix + e.cluster_id)
            for e in read_repository(dataset, role, language, form, notes)
        ]
    return joined


def read_repository(
    dataset: str, role: str, language: str, form: FormatName, notes: Counter[str], *, repair: bool = True
) -> list[Example]:
    """Examples of one data set, role and language; ``repair`` takes XCOPA's questions from Estonian.

    Raises:
        DataError: there is no repository, it cannot be loaded, or its columns or labels are others.
    """
    source = SOURCES[dataset]
    if not source.repository or role not in source.splits:
        raise DataError(
            f"{dataset}: not on the Hub", fix="put its original files into a folder and give --set data_root=PATH"
        )
    problems: list[str] = []
    for place in source.places():
        try:
            examples = _read_place(place, dataset, role, language, form, notes, repair=repair)
        except _Unreadable as error:
            problems.append(error.what)
            continue
        if problems:
            notes[f"examples from the alternate {place.repository}"] += len(examples)
        return examples
    raise DataError(
        "\n".join([f"{dataset}: no repository can be read", *(f"  {problem}" for problem in problems)]),
        fix="check the connection, or put the original files into a folder and give --set data_root=PATH",
    )


class _Unreadable(DataError):
    """A repository that is absent, or not what the catalogue describes: the next one may be."""


def _read_place(
    source: TaskSource, dataset: str, role: str, language: str, form: FormatName, notes: Counter[str], *, repair: bool
) -> list[Example]:
    """Examples from one repository.

    Raises:
        _Unreadable: it cannot be loaded or has other columns.
        DataError: its labels are not those of the task.
    """
    examples: list[Example] = []
    kinds: dict[str, str] = {}
    if dataset == "xcopa" and language != REPAIR_FROM and repair:
        for split in source.splits[role]:
            kinds |= {str(row["idx"]): str(row["question"]) for row in _load(source, split, REPAIR_FROM)[0]}
    for split in source.splits[role]:
        rows, names = _load(source, split, language)
        if source.language_column:
            rows = [row for row in rows if row.get(source.language_column) == language]
        maker = _Maker(source, dataset, split, language, names, notes, kinds)
        if missing := [column for column in maker.columns() if rows and column not in rows[0]]:
            raise _Unreadable(
                f"{source.repository} {split}: no column '{missing[0]}'; it has {', '.join(rows[0])}",
                fix="pin the revision the catalogue describes, or use the original files",
            )
        rows = _whole(rows, maker.columns(), notes)
        made = [example for number, row in enumerate(rows) if (example := maker.make(form, row, number)) is not None]
        examples += made
        labels = [getattr(example, "label", number) for number, example in enumerate(made)]
        _refuse_equal(f"{source.repository} {split}", labels)
    if not examples:
        raise _Unreadable(f"{source.repository}: no example in '{language}'", fix="leave the language out")
    return examples


def _whole(rows: list[dict[str, Any]], columns: Iterable[str], notes: Counter[str]) -> list[dict[str, Any]]:
    """Rows without empty cells: table readers turn the words ``NA`` and ``null`` into nothing, which is no text."""
    named = list(columns)
    kept = [row for row in rows if all(row[column] is not None for column in named)]
    notes["rows with empty cells left out"] += len(rows) - len(kept)
    return kept


def _refuse_equal(place: str, labels: Sequence[object]) -> None:
    from pathlib import Path

    refuse_hidden(Path(place), labels)


def _load(source: TaskSource, split: str, language: str) -> tuple[list[dict[str, Any]], dict[str, tuple[str, ...]]]:
    """Rows of a split and the label names of its columns."""
    import datasets

    words = {"lang": language, "code": FLORES.get(language, language), "iso3": ISO3.get(language, language)}
    options: dict[str, Any] = {"split": split}
    if source.folder:
        options["data_dir"] = source.folder.format(**words)
    elif source.config:
        options["name"] = source.config.format(**words)
    if source.revision:
        options["revision"] = source.revision
    try:
        loaded = datasets.load_dataset(source.repository, **options)
    except Exception as error:
        # The library raises whatever its many layers raise: from the network, from readers, from its own checks.
        raise _Unreadable(
            f"{source.repository} ({options}): cannot be loaded ({type(error).__name__}: {str(error)[:300]})",
            fix="check the connection, or put the original files into a folder and give --set data_root=PATH",
        ) from None
    names = {}
    for column, feature in loaded.features.items():
        inner = getattr(feature, "feature", feature)
        if getattr(inner, "names", None):
            names[column] = tuple(inner.names)
    return list(loaded), names


class _Maker:
    """Turns rows of one split into examples."""

    def __init__(
        self,
        source: TaskSource,
        dataset: str,
        split: str,
        language: str,
        names: Mapping[str, tuple[str, ...]],
        notes: Counter[str],
        kinds: Mapping[str, str],
    ) -> None:
        self.source, self.dataset, self.split, self.language = source, dataset, split, language
        self.names, self.notes, self.kinds = names, notes, kinds
        self.clusters = Clusters(f"{split}/")
        self.used: Counter[str] = Counter()

    def columns(self) -> Iterable[str]:
        """Every column the catalogue names."""
        return (column for value in self.source.columns.values() for column in value.split())

    def make(self, form: FormatName, row: Row, number: int) -> Example | None:
        """One example, or None where it has no gold or belongs to another language."""
        name = str(row[self.source.columns["id"]]) if "id" in self.source.columns else str(number)
        if self.source.language_prefix and not name.startswith(f"{TYDIQA[self.language]}-"):
            return None
        if self.dataset == "belebele":
            name = f"{row['link']}#{name}"
        self.used[name] += 1
        if self.used[name] > 1:
            self.notes["repeated ids numbered"] += 1
            name = f"{name}#{self.used[name]}"
        parallel = "all languages" in self.source.clusters
        if not parallel and not self.source.language_prefix:
            name = f"{self.split}/{name}"
        match form:
            case "sequence_classification":
                return self._pair(row, name, number)
            case "tagging":
                return self._tags(row, name)
            case "span_qa":
                return self._span(row, name)
            case "multiple_choice":
                return self._choice(row, name)
            case "retrieval" if self.dataset == "squad-retrieval":
                span = self._span(row, name)
                return question_sentence(span) if isinstance(span, SpanExample) else None
            case "retrieval":
                return RetrievalExample(
                    str(number), str(number), self.language, self._text(row, "text").strip(),
                    self._text(row, "translation").strip(),
                )  # fmt: skip

    def _text(self, row: Row, field: str) -> str:
        return " ".join(str(row[column]) for column in self.source.columns.get(field, "").split())

    def _label(self, row: Row) -> str | None:
        """Name of the label; None where the gold is withheld."""
        column = self.source.columns["label"]
        value = row[column]
        if value is None or str(value) in NO_GOLD:
            self.notes["examples without a gold label left out"] += 1
            return None
        if column in self.names and isinstance(value, int) and not isinstance(value, bool):
            value = self.names[column][value]
        elif self.source.labels and isinstance(value, int) and not isinstance(value, bool):
            raise DataError(
                f"{self.source.repository} {self.split}: labels are numbers without names",
                fix="pin another revision, or use the original files",
            )
        return self.source.raw_labels.get(str(value), str(value))

    def _pair(self, row: Row, name: str, number: int) -> Example | None:
        label = self._label(row)
        if label is None:
            return None
        if label not in self.source.labels:
            raise DataError(
                f"{self.source.repository} {self.split}: label {label!r}; expected {' '.join(self.source.labels)}",
                fix="pin the revision the catalogue describes",
            )
        first, second = self._text(row, "text"), self._text(row, "text_pair") or None
        if self.source.swapped and second is not None:
            first, second = second, first
        if self.dataset == "xnli":
            cluster = str(number // 3)
        elif "all languages" in self.source.clusters:
            cluster = name
        else:
            cluster = self.clusters.of(first)
        return PairExample(name, cluster, self.language, first, second, label)

    def _tags(self, row: Row, name: str) -> Example | None:
        column = self.source.columns["tags"]
        words, tags = [str(word) for word in row[self.source.columns["words"]]], list(row[column])
        if any(isinstance(tag, int) for tag in tags):
            if column not in self.names:
                raise DataError(
                    f"{self.source.repository} {self.split}: tags are numbers without names",
                    fix="pin another revision, or use the original files",
                )
            tags = [self.names[column][tag] for tag in tags]
        kept = [(word, "O" if tag in DATE else str(tag)) for word, tag in zip(words, tags, strict=True) if word.strip()]
        self.notes["words without text left out"] += len(words) - len(kept)
        self.notes["tags of dates made O"] += sum(tag in DATE for tag in tags)
        if not kept:
            return None
        return TaggingExample(name, name, self.language, tuple(w for w, _ in kept), tuple(t for _, t in kept))

    def _span(self, row: Row, name: str) -> Example | None:
        context, answers = str(row[self.source.columns["context"]]), row[self.source.columns["answers"]]
        spans: list[tuple[int, str]] = []
        for text, start in zip(answers["text"], answers["answer_start"], strict=True):
            place = locate_answer(context, text, int(start)) if text.strip() else None
            if place is None:
                self.notes["answers not in their context left out"] += 1
                continue
            self.notes["answer offsets repaired"] += place != int(start)
            if (place, text) not in spans:
                spans.append((place, text))
        if not spans and (self.dataset != "squad-v2" or answers["text"]):
            self.notes["questions without an answer left out"] += 1
            return None
        question = str(row[self.source.columns["question"]])
        return SpanExample(
            name, self.clusters.of(context), self.language, question, context, tuple(text for _, text in spans),
            tuple(start for start, _ in spans),
        )  # fmt: skip

    def _choice(self, row: Row, name: str) -> Example | None:
        columns = self.source.columns
        label = self._label(row)
        if label is None:
            return None
        named = columns["choices"].split()
        choices: list[str] = [str(row[column]) for column in named]
        letters: list[str] = []
        if len(named) == 1:
            value = row[named[0]]
            if isinstance(value, Mapping):
                letters, value = [str(letter) for letter in value["label"]], value["text"]
            choices = [str(choice) for choice in value]
        context, question = self._text(row, "context"), self._text(row, "question")
        if "start" in columns:
            choices = [f"{row[columns['start']]} {choice}".strip() for choice in choices]
        if "story" in columns:
            context = self._text(row, "story")
        if "blank" in columns:
            before, _, after = str(row[columns["blank"]]).partition("_")
            context, choices = before.rstrip(), [choice + after for choice in choices]
        if "cause" in columns:
            kind = str(row[columns["cause"]])
            repaired = self.kinds.get(name.rpartition("/")[2], kind)
            self.notes[f"questions repaired from '{REPAIR_FROM}'"] += repaired != kind
            question = copa_question(repaired)
        index = letters.index(label) if label in letters else self._index(label, len(choices))
        cluster = str(row[columns["cluster"]]) if "cluster" in columns else self.clusters.of(context or name)
        if "all languages" in self.source.clusters and "cluster" not in columns:
            cluster = name
        return ChoiceExample(name, cluster, self.language, context, question, tuple(choices), index)

    def _index(self, label: str, count: int) -> int:
        found = {"choice1": "0", "choice2": "1"}.get(label, label)
        if not found.isdigit() or int(found) >= count:
            raise DataError(
                f"{self.source.repository} {self.split}: label {label!r} of {count} choices",
                fix="pin the revision the catalogue describes",
            )
        return int(found)
