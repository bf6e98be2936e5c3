"""Tasks read from their original files: which reader, which split, which examples when a recipe asks for fewer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from adapterxfer.data.compositions import COMPOSITIONS
from adapterxfer.data.conllu import UPOS, read_conllu
from adapterxfer.data.examples import Example, FormatName, TaskData
from adapterxfer.data.fused import read_fused
from adapterxfer.data.held_out import CARVED_DEV, carve, keep
from adapterxfer.data.sources import TYDIQA_LANGUAGES, UDPOS_FUSED, Located, file_task, locate
from adapterxfer.data.squad import read_squad
from adapterxfer.errors import DataError


def read_original(
    task: str,
    root: Path,
    files: Iterable[str],
    languages: Sequence[str],
    *,
    train_examples: int | None,
    dev_examples: int | None,
    test_examples: int | None,
    seed: int,
    layouts: Mapping[str, Any] | None = None,
    protocol: str = "",
) -> TaskData:
    """Read a task.

    Udpos has its own English development file. The question-answering tasks have none beside what is tested, so whole
    paragraphs are cut from the English training file; they serve for selection only and are not trained on.

    Args:
        task: a name that `wanted_files` knows.
        root: the data root.
        files: relative paths to choose from, normally those of the stage's identity.
        languages: test languages, in the order wanted; empty for an intermediate task.
        train_examples: how many to keep; ``None`` keeps all.
        dev_examples: the same; where the set is cut from the training file, ``None`` means `CARVED_DEV`.
        test_examples: the same, per language.
        seed: chooses which are kept.
        layouts: role -> layout as the user described it (see `adapterxfer.data.layouts`); official names where absent.
        protocol: decides the words of treebanks.

    Raises:
        DataError: files are missing or damaged, or a split would be empty.
    """
    if task in COMPOSITIONS:
        from adapterxfer.data.layouts import parse_layouts
        from adapterxfer.data.official import read_official

        described = parse_layouts({task: layouts}, "layout")[task] if layouts else None
        return read_official(
            task, root, files, languages, train_examples=train_examples, dev_examples=dev_examples,
            test_examples=test_examples, seed=seed, layouts=described, protocol=protocol,
        )  # fmt: skip
    fused = file_task(task, protocol) == UDPOS_FUSED
    located, problems = locate(file_task(task, protocol), files, languages)
    if problems:
        raise DataError(f"{root}: {task}: {'; '.join(problems)}", fix="plan the recipe again with these files")
    notes: Counter[str] = Counter()
    read: dict[tuple[str, str], list[Example]] = {}
    if fused:
        # XTREME joins the files of a language by their names, wherever they lie.
        located = sorted(located, key=lambda entry: entry.path.rpartition("/")[2])
    for entry in located:
        read.setdefault((entry.role, entry.language), []).extend(_read(task, root, entry, notes, fused=fused))
    form: FormatName = "tagging" if task == "udpos" else "span_qa"
    train = read[("train", "en")]
    if ("dev", "en") in read:
        dev = keep(read[("dev", "en")], dev_examples, seed)
    else:
        train, dev = carve(train, CARVED_DEV if dev_examples is None else dev_examples, seed)
        notes["development examples cut from the training file"] = len(dev)
    # XQuAD trains on SQuAD's questions, which may already serve as intermediate task: take them from the other end of
    # the ranking, so the two trainings share none while both are small enough.
    train = keep(train, train_examples, seed, last=task == "xquad-gold-sentence")
    splits = {("train", "en"): train, ("dev", "en"): dev}
    for language in languages if task != "squad-gold-sentence" else ():
        splits[("test", language)] = keep(read[("test", language)], test_examples, seed)
    labels = UPOS if task == "udpos" else ()
    return TaskData(task, form, labels, splits, {name: count for name, count in sorted(notes.items()) if count})


def _read(task: str, root: Path, entry: Located, notes: Counter[str], *, fused: bool) -> list[Example]:
    path = root / entry.path
    if task == "udpos":
        return (read_fused if fused else read_conllu)(path, entry.language, notes)
    # The official TyDi QA files hold all languages; those per language may number their ids otherwise.
    several = task == "tydiqa-gold-sentence" and path.name.startswith("tydiqa-goldp-v1.1")
    prefix = TYDIQA_LANGUAGES[entry.language] + "-" if several else ""
    return read_squad(path, entry.language, notes, id_prefix=prefix)
