"""Which parts of a task no repository of the Hub holds, and where their original files come from. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

from adapterxfer.catalog import CROSS_FITTED, FUSED, SOURCES
from adapterxfer.data.compositions import COMPOSITIONS, UDPOS
from adapterxfer.data.data_sets import DATASETS, patterns
from adapterxfer.errors import DataError

FIX = "put the original files into a folder and give --set data_root=PATH; `adapterxfer data check` shows what is found"


def off_hub(task: str, protocol: str = "") -> list[tuple[str, str]]:
    """Data sets and splits of a task that have to be files; empty where the Hub serves all of it.

    Args:
        protocol: of the task: treebanks with fused words are files, and a threshold tuned on the sample needs it.
    """
    parts = protocol.split("/")
    if task == "udpos":
        return [("udpos", "test")] if FUSED in parts else []
    composition = COMPOSITIONS[task]
    # A development set that is nowhere is cut from the training data, so it is no reason to ask for files.
    needed = [(dataset, split) for dataset, split, _ in composition.train]
    if composition.test:
        needed += [(composition.test, split) for split in ("test", *composition.pools)]
    if CROSS_FITTED in parts:
        needed = [(dataset, split) for dataset, split in needed if not split.startswith("sample")]
    return [(dataset, split) for dataset, split in dict.fromkeys(needed) if not _on_hub(dataset, split)]


def _on_hub(dataset: str, split: str) -> bool:
    source = SOURCES[dataset]
    return bool(source.repository) and (split in source.splits or split in source.lines)


def repositories(task: str) -> dict[str, str]:
    """Repository -> branch or commit of the catalogue (empty: main) of everything a task is read from on the Hub.

    Alternates are left out: where a recipe pins a repository, nothing else is read in its place.
    """
    if task not in COMPOSITIONS and task != "udpos":
        return {}
    composition = UDPOS if task == "udpos" else COMPOSITIONS[task]
    datasets = [dataset for dataset, _, _ in (*composition.train, *composition.dev)]
    datasets += [composition.test] if composition.test else []
    return {
        SOURCES[dataset].repository: SOURCES[dataset].revision
        for dataset in dict.fromkeys(datasets)
        if SOURCES[dataset].repository
    }


def need_files(
    task: str, languages: Sequence[str], missing: Sequence[tuple[str, str]], problems: Sequence[str] = ()
) -> DataError:
    """The error of a task whose parts are not on the Hub: which files it needs, and where those come from.

    A task comes from files or from the Hub, never from both, so all its files are named.

    Args:
        missing: data sets and splits that no repository holds; not empty.
        problems: what was found missing in the user's folder; empty where there is none.
    """
    if task == "udpos":
        return DataError(
            "udpos: the words of the Hub's copy are not known to be XTREME's\n"
            "  treebanks XX_*-ud-{train,dev,test}.conllu, from https://universaldependencies.org",
            fix=FIX,
        )
    absent = dict.fromkeys(f"{dataset} ({split})" for dataset, split in missing)
    lines = [f"{task}: no repository on the Hub holds {', '.join(absent)}; its files:"]
    lines += [f"  {line}" for line in (_listed(problems, 12) if problems else _files(task, languages))]
    named = dict.fromkeys(dataset for dataset, _ in missing)
    lines += [f"  {name} is from {SOURCES[name].origin}" for name in named if SOURCES[name].origin]
    if task == "bucc2018":
        lines.append("  'tasks: {bucc2018: {protocol: cross-fitted}}' needs no sample, so the Hub serves it")
    return DataError("\n".join(lines), fix=FIX)


def _files(task: str, languages: Sequence[str]) -> list[str]:
    """Names of all files of a task, by what they are for."""
    composition = COMPOSITIONS[task]
    parts: list[tuple[str, str, Sequence[str]]] = [(dataset, split, ("en",)) for dataset, split, _ in composition.train]
    parts += [(composition.test, split, languages) for split in ("test", *composition.pools) if composition.test]
    found: dict[str, None] = {}
    for dataset, split, spoken in parts:
        for group in DATASETS[dataset].files[split]:
            if not group[0].startswith("?"):
                names = dict.fromkeys(patterns(group, code)[0] for code in spoken)
                found[", ".join(_listed(list(names), 4))] = None
    return list(found)


def _listed(names: Sequence[str], most: int) -> list[str]:
    return [*names[:most], *([f"and {len(names) - most} more"] if len(names) > most else [])]
