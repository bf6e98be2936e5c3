"""Official files of tasks with one label per text or pair of texts. Labels are mapped by name, never by position."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from adapterxfer.catalog.families.nli import SCITAIL
from adapterxfer.catalog.families.sentences import BOOLQ, PAWSX, QQP, SIB200
from adapterxfer.catalog.labels import NLI
from adapterxfer.data.examples import Example, PairExample
from adapterxfer.data.files import plain_name
from adapterxfer.data.labelled import LabelledFile, line_of, require_examples
from adapterxfer.data.repeats import equal_together
from adapterxfer.data.rows import Placed, field, name_of, read_jsonl, read_tsv, refuse_hidden, text
from adapterxfer.errors import DataError

NLI_NAMES = {name: name for name in NLI} | {"contradictory": "contradiction"}
ANLI_NAMES = NLI_NAMES | {"e": "entailment", "n": "neutral", "c": "contradiction"}

Notes = Counter[str]
Reader = Callable[[Sequence[Path], str, Notes], list[Example]]

NO_GOLD = ("-", "", "-1")
"""Raw labels of examples on which the annotators did not agree, or whose label is withheld."""


def labelled_texts(
    paths: Sequence[Path],
    language: str,
    notes: Notes,
    read: Callable[[Path], list[Placed]],
    make: Callable[[Placed], tuple[str, str, str | None, object]],
    names: Mapping[str, str],
) -> list[Example]:
    """Examples of all files; ``make`` gives id, text, pair or None, and raw label of a row. Equal first texts are a
    cluster.
    """
    examples: list[Example] = []
    for path in paths:
        file = LabelledFile(path, notes)
        for row in read(path):
            name, first, second, raw = make(row)
            if str(raw) in NO_GOLD:
                notes["examples without a gold label left out"] += 1
                continue
            if not first.strip():
                notes["examples without text left out"] += 1
                continue
            label = name_of(row, raw, names)
            identifier = file.add(name, label)
            examples.append(PairExample(identifier, file.clusters.of(first), language, first, second, label))
        file.close()
    return require_examples(examples, paths)


@equal_together
def read_nli(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """SNLI and MNLI: JSON lines or GLUE's TSV with sentence1, sentence2, gold_label; XNLI's translated TSV too."""

    def make(row: Placed) -> tuple[str, str, str, object]:
        name = row[1].get("pairID") or row[1].get("index") or line_of(row)
        return (
            str(name),
            text(row, "sentence1", "premise"),
            text(row, "sentence2", "hypo", "hypothesis"),
            field(row, "gold_label", "label"),
        )

    return labelled_texts(paths, language, notes, _table, make, NLI_NAMES)


def _table(path: Path) -> list[Placed]:
    return read_jsonl(path) if plain_name(path.name).endswith(".jsonl") else read_tsv(path)


@equal_together
def read_anli(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Rounds of ANLI; the premise is called ``context``. Ids carry the round, as files of all rounds have one name."""
    examples: list[Example] = []
    for path in paths:
        examples_of_round = labelled_texts(
            [path], language, notes, read_jsonl,
            lambda row: (
                text(row, "uid"), text(row, "context", "premise"), text(row, "hypothesis"), field(row, "label"),
            ),
            ANLI_NAMES,
        )  # fmt: skip
        tag = path.parent.name
        for example in examples_of_round:
            assert isinstance(example, PairExample)
            examples.append(
                PairExample(
                    f"{tag}/{example.example_id}",
                    f"{tag}/{example.cluster_id}",
                    language,
                    example.text,
                    example.text_pair,
                    example.label,
                )
            )
    return examples


@equal_together
def read_qqp(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """GLUE's QQP; a few of its lines have a wrong number of fields and are left out, counted."""
    return labelled_texts(
        paths, language, notes, lambda path: read_tsv(path, notes=notes, skip_broken=True),
        lambda row: (text(row, "id"), text(row, "question1"), text(row, "question2"), field(row, "is_duplicate")),
        dict(zip("01", QQP.labels, strict=True)),
    )  # fmt: skip


@equal_together
def read_scitail(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """SciTail's TSV without header."""
    return labelled_texts(
        paths, language, notes, lambda path: read_tsv(path, columns=("premise", "hypothesis", "label")),
        lambda row: (line_of(row), text(row, "premise"), text(row, "hypothesis"), field(row, "label")),
        {name: name for name in SCITAIL.labels},
    )  # fmt: skip


@equal_together
def read_boolq(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """BoolQ: passage, then question."""
    return labelled_texts(
        paths, language, notes, read_jsonl,
        lambda row: (line_of(row), text(row, "passage"), text(row, "question"), field(row, "answer", "label")),
        {name: name for name in BOOLQ.labels},
    )  # fmt: skip


@equal_together
def read_pawsx(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """PAWS-X; quotation marks are text. Line i is the same pair in every language, so the id is the cluster."""
    examples: list[Example] = []
    for path in paths:
        rows = _xtreme_or_header(path, ("sentence1", "sentence2", "label"), "sentence1")
        labels = []
        for row in rows:
            name = str(row[1].get("id", line_of(row)))
            first, second = text(row, "sentence1"), text(row, "sentence2")
            if not first.strip() or not second.strip():
                notes["examples without text left out"] += 1
                continue
            label = name_of(row, field(row, "label"), {label: label for label in PAWSX.labels})
            labels.append(label)
            examples.append(PairExample(name, name, language, first, second, label))
        refuse_hidden(path, labels)
    return examples


def _xtreme_or_header(path: Path, columns: Sequence[str], first: str) -> list[Placed]:
    """Rows of a file with header, or of XTREME's files without one; those without labels are refused."""
    from adapterxfer.data.files import open_text

    with open_text(path) as lines:
        line = next(iter(lines), "").rstrip("\n").removeprefix("\ufeff")
    cells = line.split("\t")
    if first in cells:
        return read_tsv(path)
    if len(cells) == len(columns) - 1:
        raise DataError(
            f"{path}: {len(cells)} columns and no label: XTREME's download folder has its labels removed",
            fix="get the labelled test set from the task's own site or the Hub",
        )
    return read_tsv(path, columns=columns)


@lru_cache(maxsize=2)
def _xnli_rows(path: Path, _stamp: int) -> list[Placed]:
    return read_tsv(path)


@equal_together
def read_xnli(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """XNLI: one file of all languages with a header, or XTREME's file per language.

    Three hypotheses share a premise, in consecutive lines of every language; that group is the cluster.
    """
    examples: list[Example] = []
    for path in paths:
        if plain_name(path.name).startswith("xnli."):
            every = _xnli_rows(path, path.stat().st_mtime_ns)
            rows = [row for row in every if text(row, "language") == language]
        else:
            rows = _xtreme_or_header(path, ("sentence1", "sentence2", "gold_label"), "sentence1")
        labels = []
        for number, row in enumerate(rows):
            raw = field(row, "gold_label", "label")
            if str(raw) in NO_GOLD:
                notes["examples without a gold label left out"] += 1
                continue
            label = name_of(row, raw, NLI_NAMES)
            labels.append(label)
            first, second = text(row, "sentence1"), text(row, "sentence2")
            examples.append(PairExample(str(number), str(number // 3), language, first, second, label))
        refuse_hidden(path, labels)
    if not examples:
        raise DataError(f"{paths[0]}: no example in language '{language}'", fix="leave the language out")
    return examples


@equal_together
def read_americasnli(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """AmericasNLI: translations of XNLI items with named labels; one file per language or of all languages."""
    examples: list[Example] = []
    for path in paths:
        rows = [row for row in read_tsv(path) if str(row[1].get("language", language)) in (language, "")]
        examples_of_file = labelled_texts(
            [path], language, notes, lambda _, rows=rows: rows,  # type: ignore[misc]
            lambda row: (line_of(row), text(row, "premise"), text(row, "hypothesis"), field(row, "label")),
            NLI_NAMES,
        )  # fmt: skip
        examples += examples_of_file
    return examples


@equal_together
def read_sib200(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """SIB-200: topics of sentences that are parallel over all languages."""
    del notes
    examples: list[Example] = []
    for path in paths:
        for row in read_tsv(path):
            name = text(row, "index_id")
            label = name_of(row, field(row, "category"), {label: label for label in SIB200.labels})
            examples.append(PairExample(name, name, language, text(row, "text"), None, label))
        refuse_hidden(path, [e.label for e in examples if isinstance(e, PairExample)])
    return examples
