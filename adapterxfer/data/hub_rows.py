"""Rows of the Hub as examples: columns as the catalogue names them, labels by the names the repository states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from adapterxfer.catalog import DataSet, HubSource
from adapterxfer.catalog.labels import DATES
from adapterxfer.data.choices import copa_question
from adapterxfer.data.classification import NO_GOLD
from adapterxfer.data.examples import (
    ChoiceExample,
    Example,
    FormatName,
    PairExample,
    RetrievalExample,
    SpanExample,
    TaggingExample,
)
from adapterxfer.data.knowledge import listed_choices
from adapterxfer.data.labelled import ClusterNames
from adapterxfer.data.pools import question_sentence
from adapterxfer.data.squad import locate_answer
from adapterxfer.errors import DataError

Row = Mapping[str, Any]


class RowMaker:
    """Turns rows of one split into examples."""

    def __init__(
        self,
        source: HubSource,
        data: DataSet,
        split: str,
        language: str,
        *,
        names: Mapping[str, tuple[str, ...]],
        notes: Counter[str],
        kinds: Mapping[str, str],
    ) -> None:
        self.source, self.data, self.split, self.language = source, data, split, language
        self.names, self.notes, self.kinds = names, notes, kinds
        self.clusters = ClusterNames(f"{split}/")
        self.used: Counter[str] = Counter()

    def columns(self) -> Iterable[str]:
        """Every column the catalogue names."""
        return (column for value in self.source.columns.values() for column in value.split())

    def make(self, form: FormatName, row: Row, number: int) -> Example | None:
        """One example, or None where it has no gold or belongs to another language."""
        named = self.source.columns.get("id", "").split()
        name = "#".join(str(row[column]) for column in named) if named else str(number)
        if self.source.language_prefix and not name.startswith(f"{self.data.code(self.language)}-"):
            return None
        self.used[name] += 1
        if self.used[name] > 1:
            self.notes["repeated ids numbered"] += 1
            name = f"{name}#{self.used[name]}"
        if not self.data.clusters.parallel and not self.source.language_prefix:
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
            case "retrieval" if "answers" in self.source.columns:
                span = self._span(row, name)
                return question_sentence(span) if isinstance(span, SpanExample) else None
            case "retrieval":
                return RetrievalExample(
                    str(number), str(number), self.language, self._text(row, "text").strip(),
                    self._text(row, "translation").strip(),
                )  # fmt: skip

    @property
    def _fix(self) -> str:
        if self.data.rows_only:
            return "correct columns, labels, config or split in the task's hub block"
        return "pin the revision the catalogue describes"

    @property
    def _fix_numbers(self) -> str:
        if self.data.rows_only:
            return "name them in the task's hub block, as labels: {0: ..., 1: ...}"
        return "pin another revision, or use the original files"

    def _where(self, name: str) -> str:
        return f"{self.source.repository} {self.split}: row {name}"

    def _list(self, row: Row, field: str) -> list[Any]:
        """A list; a text would be cut into its characters without a word."""
        value = row[self.source.columns[field]]
        if not isinstance(value, list | tuple):
            raise DataError(
                f"{self.source.repository} {self.split}: '{self.source.columns[field]}' holds no lists of {field}",
                fix=self._fix,
            )
        return list(value)

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
        elif self.data.labels and isinstance(value, int) and not isinstance(value, bool) and not self._named(value):
            raise DataError(
                f"{self.source.repository} {self.split}: labels are numbers without names",
                fix=self._fix_numbers,
            )
        return self.source.raw_labels.get(str(value), str(value))

    def _named(self, value: int) -> bool:
        """Whether the catalogue names a label that the repository gives as a number."""
        return str(value) in self.source.raw_labels

    def _pair(self, row: Row, name: str, number: int) -> Example | None:
        label = self._label(row)
        if label is None:
            return None
        if label not in self.data.labels:
            raise DataError(
                f"{self.source.repository} {self.split}: label {label!r}; expected {' '.join(self.data.labels)}",
                fix=self._fix,
            )
        first, second = self._text(row, "text"), self._text(row, "text_pair") or None
        if self.data.clusters.consecutive > 1:
            cluster = str(number // self.data.clusters.consecutive)
        elif self.data.clusters.parallel:
            cluster = name
        else:
            cluster = self.clusters.of(first)
        return PairExample(name, cluster, self.language, first, second, label)

    def _tags(self, row: Row, name: str) -> Example | None:
        column = self.source.columns["tags"]
        words, tags = [str(word) for word in self._list(row, "words")], list(self._list(row, "tags"))
        if len(words) != len(tags):
            raise DataError(f"{self._where(name)}: {len(words)} words and {len(tags)} tags", fix=self._fix)
        if any(isinstance(tag, int) and str(tag) not in self.source.raw_labels for tag in tags):
            if column not in self.names:
                raise DataError(
                    f"{self.source.repository} {self.split}: tags are numbers without names", fix=self._fix_numbers
                )
            tags = [self.names[column][tag] for tag in tags]
        tags = [self.source.raw_labels.get(str(tag), tag) for tag in tags]
        # MasakhaNER's dates are no names to the study; a declared task keeps the tags that it names.
        dates = () if self.data.rows_only else DATES
        kept = [
            (word, "O" if tag in dates else str(tag)) for word, tag in zip(words, tags, strict=True) if word.strip()
        ]
        self.notes["words without text left out"] += len(words) - len(kept)
        self.notes["tags of dates made O"] += sum(tag in dates for tag in tags)
        if not kept:
            return None
        return TaggingExample(name, name, self.language, tuple(w for w, _ in kept), tuple(t for _, t in kept))

    def _span(self, row: Row, name: str) -> Example | None:
        context, answers = str(row[self.source.columns["context"]]), row[self.source.columns["answers"]]
        if not isinstance(answers, Mapping) or not {"text", "answer_start"} <= set(answers):
            raise DataError(
                f"{self._where(name)}: answers are no object with text and answer_start",
                fix="name a column with SQuAD's answers",
            )
        spans: list[tuple[int, str]] = []
        for text, start in zip(answers["text"], answers["answer_start"], strict=True):
            offset = locate_answer(context, text, int(start)) if text.strip() else None
            if offset is None:
                self.notes["answers not in their context left out"] += 1
                continue
            self.notes["answer offsets repaired"] += offset != int(start)
            if (offset, text) not in spans:
                spans.append((offset, text))
        if not spans and (not self.data.unanswerable or answers["text"]):
            self.notes["questions without an answer left out"] += 1
            return None
        question = str(row[self.source.columns["question"]])
        return SpanExample(
            example_id=name,
            cluster_id=self.clusters.of(context),
            language=self.language,
            question=question,
            context=context,
            answers=tuple(text for _, text in spans),
            answer_starts=tuple(start for start, _ in spans),
        )

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
            if isinstance(value, str):
                value = listed_choices(value, f"{self.source.repository} {self.split}")
            if not isinstance(value, list | tuple):
                raise DataError(f"{self._where(name)}: choices are no list", fix=self._fix)
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
            if self.data.repair is not None:
                self.notes[f"questions repaired from '{self.data.repair.language}'"] += repaired != kind
            question = copa_question(repaired)
        index = letters.index(label) if label in letters else self._index(label, len(choices))
        cluster = str(row[columns["cluster"]]) if "cluster" in columns else self.clusters.of(context or name)
        if self.data.clusters.parallel and "cluster" not in columns:
            cluster = name
        return ChoiceExample(
            example_id=name,
            cluster_id=cluster,
            language=self.language,
            context=context,
            question=question,
            choices=tuple(choices),
            label=index,
        )

    def _index(self, label: str, count: int) -> int:
        number = {"choice1": "0", "choice2": "1"}.get(label, label)
        if not number.isdigit() or int(number) >= count:
            raise DataError(
                f"{self.source.repository} {self.split}: label {label!r} of {count} choices",
                fix=self._fix,
            )
        return int(number)
