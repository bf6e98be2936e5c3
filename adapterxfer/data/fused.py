"""Universal Dependencies files with XTREME's word units: a multiword token is one word with one tag.

German "im" is one word here, not "in" and "dem". Its tag is that of the part closest to the root of the sentence,
counted in ancestors over basic and enhanced dependencies; among equally close parts, a list of tags by language
decides. Words lose their inner spaces and zero-width non-joiners; sentences whose words are hidden ("_") are left out.

Source: google-research/xtreme at commit 838c13b: utils_preprocess.py (`udpos_preprocess`) and its
third_party/ud-conversion-tools (`lib/conll.py`, called with ``--replace_subtokens_with_fused_forms``). Differs from it
where it stops with an error: a tag outside the list of its language ranks last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapterxfer.catalog.labels import UPOS
from adapterxfer.data.examples import Example, TaggingExample
from adapterxfer.data.files import open_text, plain_name
from adapterxfer.data.repeats import equal_together
from adapterxfer.errors import DataError

_DEFAULT = tuple("VERB NOUN PROPN PRON ADJ NUM ADV INTJ AUX ADP DET PART CCONJ SCONJ X PUNCT".split())  # noqa: SIM905
_PRECEDENCE = {
    "es": ["VERB", "AUX", "PRON", "ADP", "DET"],
    "fr": ["VERB", "AUX", "PRON", "NOUN", "ADJ", "ADV", "ADP", "DET", "PART", "SCONJ", "CONJ"],
    "it": ["VERB", "AUX", "ADV", "PRON", "ADP", "DET", "INTJ"],
}

_ROOT = 0


@dataclass(slots=True)
class _Sentence:
    """Rows of one sentence by token number.

    Attributes:
        name: ``sent_id``, may be empty.
        words: number -> form and tag.
        heads: number -> numbers of all its heads, basic and enhanced; 0 is the root.
        ranges: first number -> last number and fused form.
    """

    name: str = ""
    words: dict[int, tuple[str, str]] = field(default_factory=dict)
    heads: dict[int, set[int]] = field(default_factory=dict)
    ranges: dict[int, tuple[int, str]] = field(default_factory=dict)


def read_fused(path: Path, language: str, notes: Counter[str]) -> list[Example]:
    """Sentences of a treebank file with multiword tokens as single words.

    Args:
        path: ``.conllu``, packed or not; its name begins with the language of the precedence list.
        language: stored in the examples.
        notes: counts of what was fused or left out are added.

    Raises:
        DataError: a line has not ten columns, or a tag is unknown; names the line.
    """
    treebank = plain_name(path.name).removesuffix(".conllu")
    precedence = _PRECEDENCE.get(treebank.partition("_")[0], _DEFAULT)
    examples: list[Example] = []
    with open_text(path) as lines:
        sentence = _Sentence()
        for number, line in enumerate([*lines, "\n"], start=1):
            text = line.rstrip("\n")
            if text.startswith("#"):
                if text.startswith("# sent_id"):
                    sentence.name = text.partition("=")[2].strip()
            elif text:
                _take(sentence, text.split("\t"), f"{path}:{number}", notes)
            elif sentence.words:
                words = _usable(fuse(sentence, precedence, notes), notes)
                if words:
                    name = f"{treebank}/{sentence.name or len(examples)}"
                    forms, tags = zip(*words, strict=True)
                    examples.append(TaggingExample(name, name, language, tuple(forms), tuple(tags)))
                sentence = _Sentence()
            else:
                sentence = _Sentence()
    return examples


@equal_together
def read_fused_treebanks(paths: Sequence[Path], language: str, notes: Counter[str]) -> list[Example]:
    """Several treebanks: XTREME joins the files of a language by their names, wherever they lie."""
    return [
        example for path in sorted(paths, key=lambda path: path.name) for example in read_fused(path, language, notes)
    ]


def _take(sentence: _Sentence, columns: Sequence[str], position: str, notes: Counter[str]) -> None:
    """Add one row."""
    if len(columns) != 10:
        raise DataError(f"{position}: {len(columns)} columns; CoNLL-U has 10", fix="download the file again")
    identifier, form, tag = columns[0], columns[1], columns[3]
    try:
        if "." in identifier:
            notes["empty nodes left out"] += 1
        elif "-" in identifier:
            first, last = map(int, identifier.split("-"))
            sentence.ranges[first] = (last, form)
        else:
            if tag not in UPOS and tag != "_":
                raise DataError(f"{position}: tag '{tag}' is not a universal one", fix="expected UPOS in column 4")
            token = int(identifier)
            sentence.words[token] = (form, tag)
            heads = {int(columns[6])} if columns[6].isdigit() else set()
            enhanced = [head.partition(":")[0] for head in columns[8].split("|")] if columns[8] != "_" else []
            sentence.heads[token] = heads | {int(head) for head in enhanced if head.isdigit()}
    except ValueError:
        raise DataError(f"{position}: '{identifier}' is no token number", fix="download the file again") from None


def fuse(sentence: _Sentence, precedence: Sequence[str], notes: Counter[str]) -> list[tuple[str, str]]:
    """Form and tag of every word once multiword ranges are single words."""
    fused: list[tuple[str, str]] = []
    until = 0
    for token in sorted(sentence.words):
        if token <= until:
            continue
        if token not in sentence.ranges:
            fused.append(sentence.words[token])
            continue
        until, form = sentence.ranges[token]
        parts = [number for number in range(token, until + 1) if number in sentence.words]
        fused.append((form, sentence.words[head_of_span(parts, sentence.heads, sentence.words, precedence)][1]))
        notes["multiword ranges read as one word"] += 1
    return fused


def head_of_span(
    tokens: Sequence[int],
    heads: Mapping[int, set[int]],
    words: Mapping[int, tuple[str, str]],
    precedence: Sequence[str],
) -> int:
    """The part with the fewest ancestors; of several, the first with the tag that ranks highest."""
    depths = {token: len(_ancestors(token, heads)) for token in tokens}
    highest = [token for token in tokens if depths[token] == min(depths.values())]
    ranks = {tag: rank for rank, tag in reversed(list(enumerate(precedence)))}
    return min(highest, key=lambda token: (ranks.get(words[token][1], len(precedence)), token))


def _ancestors(token: int, heads: Mapping[int, set[int]]) -> set[int]:
    """All tokens, and the root, from which a token can be reached; never itself, also where dependencies are cyclic."""
    ancestors: set[int] = set()
    waiting = [token]
    while waiting:
        for head in heads.get(waiting.pop(), ()):
            if head not in ancestors:
                ancestors.add(head)
                if head != _ROOT:
                    waiting.append(head)
    return ancestors - {token}


def _usable(words: list[tuple[str, str]], notes: Counter[str]) -> list[tuple[str, str]]:
    """Words without inner spaces and non-joiners; nothing where all forms, or all but one, are hidden."""
    hidden = sum(form == "_" for form, _ in words)
    if hidden and hidden >= len(words) - 1:
        notes["sentences with hidden words left out"] += 1
        return []
    kept = []
    for form, tag in words:
        joined = form.strip().replace("\u200c", "").replace(" ", "")
        if tag == "_" or not joined:
            notes["words without a tag or text left out"] += 1
            continue
        kept.append((joined, tag))
    return kept
