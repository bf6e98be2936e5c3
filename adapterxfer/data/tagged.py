"""Official files with one tag per word: PAN-X, MasakhaNER, MasakhaPOS, supertags, XTREME's processed columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from adapterxfer.catalog.labels import DATES, NER, UPOS
from adapterxfer.data.conllu import read_conllu
from adapterxfer.data.examples import Example, TaggingExample
from adapterxfer.data.files import open_text, plain_name
from adapterxfer.data.repeats import as_sampled, equal_together
from adapterxfer.data.rows import HIDDEN_FROM, read_tsv
from adapterxfer.errors import DataError

Notes = Counter[str]

NOT_JOINED = "\u200b\u200c\ufe0f"
"""Signs without width that some vocabularies give no token for."""

Split = Callable[[str], tuple[str, str] | None]


def read_columns(
    paths: Sequence[Path], language: str, notes: Notes, split: Split, tags: Sequence[str], *, prefix: str = ""
) -> list[Example]:
    """Sentences of files with a word and a tag per line and an empty line after each sentence.

    Args:
        split: a line without its end -> word and tag, or None where it has no tag.
        tags: allowed tags; any where empty.
        prefix: put before the ids, where several files have one name.

    Raises:
        DataError: a line has no tag (as in test files with their labels removed) or an unknown one.
    """
    examples: list[Example] = []
    for path in paths:
        words: list[str] = []
        tags_of_sentence: list[str] = []
        count = 0
        name = prefix + plain_name(path.name).rpartition(".")[0]
        with open_text(path) as lines:
            for number, line in enumerate([*lines, "\n"], start=1):
                content = line.rstrip("\n")
                if not content.strip() and "\t" not in content:
                    if words:
                        examples.append(
                            TaggingExample(
                                f"{name}/{count}", f"{name}/{count}", language, tuple(words), tuple(tags_of_sentence)
                            )
                        )
                        count += 1
                    words, tags_of_sentence = [], []
                    continue
                pair = split(content)
                if pair is None:
                    raise _without_tag(f"{path}:{number}: {content[:40]!r}", split, first=not (count or words))
                word, tag = pair
                if tags and tag not in tags:
                    raise DataError(
                        f"{path}:{number}: tag {tag!r}; expected {' '.join(tags)}", fix="use the official file"
                    )
                if not word.strip():
                    notes["words without text left out"] += 1
                    continue
                notes["words that some vocabularies give no token"] += not word.strip(NOT_JOINED)
                words.append(word)
                tags_of_sentence.append(tag)
        if (
            count >= HIDDEN_FROM
            and len({tag for e in examples if isinstance(e, TaggingExample) for tag in e.tags}) == 1
        ):
            raise DataError(
                f"{path}: all tags are equal: they were removed from this copy", fix="get the labelled file"
            )
    if not examples:
        raise DataError(f"{paths[0]}: no sentence", fix="download the file again")
    return examples


def _without_tag(position: str, split: Split, *, first: bool) -> DataError:
    """A line without a tag: of a copy whose tags were removed if no line before it has one, else damaged."""
    if first and split is not _space:
        return DataError(
            f"{position} has no tag; XTREME's download folder has the tags of its test files removed",
            fix="get the labelled files from the task's own site or the Hub",
        )
    blank = "a space" if split is _space else "a tab"
    return DataError(
        f"{position} has no tag; expected a word, {blank} and a tag", fix="repair the line, or get the file again"
    )


def _tab(line: str) -> tuple[str, str] | None:
    word, tab, tag = line.rpartition("\t")
    return (word, tag.strip()) if tab and tag.strip() else None


def _space(line: str) -> tuple[str, str] | None:
    word, blank, tag = line.rstrip().rpartition(" ")
    return (word, tag) if blank else None


@equal_together
def read_panx(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """PAN-X: ``xx:word<tab>tag``, cut at the first colon; or XTREME's files without the prefix."""
    mark = f"{language}:"

    def split(line: str) -> tuple[str, str] | None:
        pair = _tab(line)
        if pair is not None and pair[0].startswith(mark):
            return pair[0].removeprefix(mark), pair[1]
        return pair

    return read_columns(paths, language, notes, split, NER)


def _repaired(tags: Sequence[str], notes: Notes) -> tuple[str, ...]:
    """``I-`` tags that continue nothing become ``B-``."""
    repaired: list[str] = []
    for tag in tags:
        previous = repaired[-1] if repaired else "O"
        if tag.startswith("I-") and previous[2:] != tag[2:]:
            notes["I- tags without a beginning made B-"] += 1
            tag = f"B-{tag[2:]}"
        repaired.append(tag)
    return tuple(repaired)


@equal_together
def read_masakhaner(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """MasakhaNER 2: a word, one space, a tag. Dates become ``O``: English training data of PAN-X has none."""
    examples = []
    for example in read_columns(paths, language, notes, _space, (*NER, *DATES)):
        assert isinstance(example, TaggingExample)
        dates = sum(tag in DATES for tag in example.tags)
        notes["tags of dates made O"] += dates
        tags = _repaired(["O" if tag in DATES else tag for tag in example.tags], notes)
        examples.append(TaggingExample(example.example_id, example.cluster_id, language, example.words, tags))
    return list(examples)


@equal_together
def read_masakhapos(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """MasakhaPOS: a word, one space, a universal tag."""
    return read_columns(paths, language, notes, _space, UPOS)


@equal_together
def read_udpos(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Universal Dependencies treebanks of one language, or XTREME's processed columns."""
    examples: list[Example] = []
    for path in paths:
        if plain_name(path.name).endswith(".conllu"):
            examples += as_sampled(read_conllu)(path, language, notes)
        else:
            examples += read_columns([path], language, notes, _tab, UPOS)
    return examples


@equal_together
def read_ccg(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Supertags: a sentence and its tags per line with a tab between, or a word and a tag per line."""
    examples: list[Example] = []
    for path in paths:
        if not plain_name(path.name).endswith(".tsv"):
            examples += read_columns([path], language, notes, _tab, ())
            continue
        for position, row in read_tsv(path, columns=("words", "tags")):
            words, tags = str(row["words"]).split(), str(row["tags"]).split()
            if len(words) != len(tags):
                raise DataError(f"{position}: {len(words)} words and {len(tags)} tags", fix="repair the line")
            name = f"{plain_name(path.name)}/{len(examples)}"
            examples.append(TaggingExample(name, name, language, tuple(words), tuple(tags)))
    return examples
