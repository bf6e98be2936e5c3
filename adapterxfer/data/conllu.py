"""Universal Dependencies files (CoNLL-U) as tagging examples with universal part-of-speech tags.

The word unit is the syntactic word: a multiword token such as German "im" is read as its words "in" and "dem", which is
what the tags annotate. XTREME joins them again, so scores differ a little for languages with many such tokens.

Source: https://universaldependencies.org/format.html
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from adapterxfer.catalog.labels import UPOS
from adapterxfer.data.examples import Example, TaggingExample
from adapterxfer.data.files import open_text, plain_name
from adapterxfer.errors import DataError


def read_conllu(path: Path, language: str, notes: Counter[str]) -> list[Example]:
    """Sentences of a treebank file.

    Args:
        path: ``.conllu``, packed or not.
        language: stored in the examples.
        notes: counts of what was left out are added: multiword ranges, empty nodes, words without a tag.

    Raises:
        DataError: a line has not ten columns, or a tag is unknown; names the line.
    """
    treebank = plain_name(path.name).removesuffix(".conllu")
    examples: list[Example] = []
    words: list[str] = []
    tags: list[str] = []
    sentence = ""
    with open_text(path) as lines:
        for number, line in enumerate([*lines, "\n"], start=1):
            text = line.rstrip("\n")
            if text.startswith("#"):
                if text.startswith("# sent_id"):
                    sentence = text.partition("=")[2].strip()
                continue
            if not text:
                if words:
                    name = f"{treebank}/{sentence or len(examples)}"
                    examples.append(TaggingExample(name, name, language, tuple(words), tuple(tags)))
                words, tags, sentence = [], [], ""
                continue
            columns = text.split("\t")
            if len(columns) != 10:
                raise DataError(
                    f"{path}:{number}: {len(columns)} columns; CoNLL-U has 10", fix="download the file again"
                )
            identifier, form, tag = columns[0], columns[1], columns[3]
            if "-" in identifier:
                notes["multiword ranges read as syntactic words"] += 1
            elif "." in identifier:
                notes["empty nodes left out"] += 1
            elif tag == "_":
                notes["words without a tag left out"] += 1
            elif tag not in UPOS:
                raise DataError(f"{path}:{number}: tag '{tag}' is not a universal one", fix="expected UPOS in column 4")
            else:
                # Vietnamese and others write words with inner spaces; one word must stay one unit.
                words.append(form.replace(" ", "_") if " " in form else form)
                tags.append(tag)
    return examples
