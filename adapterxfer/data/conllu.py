"""Universal Dependencies files (CoNLL-U) as tagging examples with universal part-of-speech tags.

The word unit is the syntactic word: a multiword token such as German "im" is read as its words "in" and "dem", which is
what the tags annotate. XTREME joins them again, so scores differ a little for languages with many such tokens.

Some treebanks hide their words as "_" because the licence of their texts asks for it: what is hidden can be neither
trained on nor tested, and is left out.

Source: https://universaldependencies.org/format.html
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from adapterxfer.catalog.labels import UPOS
from adapterxfer.data.examples import Example, TaggingExample
from adapterxfer.data.files import OPENERS, open_text, plain_name
from adapterxfer.data.repeats import equal_together
from adapterxfer.errors import DataError

HIDDEN = "_"
"""The form of a word that is hidden."""

SIGNS = ("PUNCT", "SYM", "X")
"""Tags under which the form may be the sign itself."""

_SENTENCES, _WORDS = "sentences with hidden words left out", "hidden words left out"


@equal_together
def read_conllu(path: Path, language: str, notes: Counter[str]) -> list[Example]:
    """Sentences of a treebank file.

    Args:
        path: ``.conllu``, packed or not.
        language: stored in the examples.
        notes: counts of what was left out are added: multiword ranges, empty nodes, words without a tag, hidden words.

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
                words, tags = _visible(words, tags, notes)
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


def _visible(words: Sequence[str], tags: Sequence[str], notes: Counter[str]) -> tuple[list[str], list[str]]:
    """Words that are not hidden, and their tags; none of a sentence whose words, or all but one, are.

    The rule for sentences is XTREME's (`adapterxfer.data.fused`), but that a visible word beside the sign itself stays.
    """
    blank = words.count(HIDDEN)
    hidden = sum(word == HIDDEN and tag not in SIGNS for word, tag in zip(words, tags, strict=True))
    if blank and (blank == len(words) or (hidden and blank == len(words) - 1)):
        notes[_SENTENCES] += 1
        return [], []
    if not hidden:
        return list(words), list(tags)
    notes[_WORDS] += hidden
    kept = [(word, tag) for word, tag in zip(words, tags, strict=True) if word != HIDDEN or tag in SIGNS]
    return [word for word, _ in kept], [tag for _, tag in kept]


def hides_words(path: Path) -> bool:
    """Whether a treebank file has words that are left out because they are hidden; False where it cannot be read."""
    try:
        with OPENERS.get(path.suffix, open)(path, "rb") as file:
            if re.search(rb"(?m)^\d+\t_\t", file.read()) is None:
                return False
        notes: Counter[str] = Counter()
        read_conllu(path, "en", notes)
    except (OSError, EOFError, DataError):
        return False  # whoever reads it for its examples says what is wrong
    return bool(notes[_SENTENCES] or notes[_WORDS])
