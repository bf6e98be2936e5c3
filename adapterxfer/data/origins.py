"""Which parts of a task no repository of the Hub holds, and where their original files come from. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

from adapterxfer.catalog import DataSet, TaskLike, TaskParts, parts_of_task, spec_of
from adapterxfer.errors import DataError

FIX = "put the original files into a folder and give --set data_root=PATH; `adapterxfer data check` shows what is found"

OffHub = list[tuple[DataSet, str]]
"""Data sets and splits that have to be files."""


def off_hub(task: TaskLike, protocol: str = "") -> OffHub:
    """Data sets and splits of a task that have to be files; empty where the Hub serves all of it.

    Args:
        protocol: of the task: treebanks with fused words are files, and a threshold tuned on the sample needs it.
    """
    parts = parts_of_task(task, protocol)
    # A development set that is nowhere is cut from the training data, so it is no reason to ask for files.
    needed = [(data, split) for data, split, _ in parts.train]
    if parts.test is not None:
        spared = {split for mark in protocol.split("/") for split in parts.spare_pools.get(mark, ())}
        needed += [(parts.test, split) for split in ("test", *parts.pools) if split not in spared]
    absent = {(data.name, split): (data, split) for data, split in needed if not data.on_hub(split)}
    return list(absent.values())


def repositories(task: TaskLike) -> dict[str, str]:
    """Repository -> branch or commit of the catalogue (empty: main) of everything a task is read from on the Hub.

    Alternates are left out: where a recipe pins a repository, nothing else is read in its place.
    """
    if spec_of(task) is None:
        return {}
    hubs = [data.hub for data in parts_of_task(task).data_sets() if data.hub is not None]
    return {hub.repository: hub.revision for hub in hubs}


def need_files(
    task: str, languages: Sequence[str], missing: OffHub, problems: Sequence[str] = (), protocol: str = ""
) -> DataError:
    """The error of a task whose parts are not on the Hub: which files it needs, and where those come from.

    A task comes from files or from the Hub, never from both, so all its files are named.

    Args:
        missing: data sets and splits that no repository holds; not empty.
        problems: what was found missing in the user's folder; empty where there is none.
        protocol: of the task.
    """
    parts = parts_of_task(task, protocol)
    absent = dict.fromkeys(f"{data.name} ({split})" for data, split in missing)
    why = parts.files_only or f"no repository on the Hub holds {', '.join(absent)}"
    lines = [f"{task}: {why}; its files:"]
    lines += [f"  {line}" for line in (_listed(problems, 12) if problems else _files(parts, languages))]
    origins = {data.name: data.origin for data, _ in missing}
    lines += [f"  {name} is from {origin}" for name, origin in origins.items() if origin]
    if parts.spare_hint:
        lines.append(f"  {parts.spare_hint}")
    return DataError("\n".join(lines), fix=FIX)


def _files(parts: TaskParts, languages: Sequence[str]) -> list[str]:
    """Names of all files of a task, by what they are for."""
    needed: list[tuple[DataSet, str, Sequence[str]]] = [(data, split, ("en",)) for data, split, _ in parts.train]
    if parts.test is not None:
        needed += [(parts.test, split, languages) for split in ("test", *parts.pools)]
    shown: dict[str, None] = {}
    for data, split, spoken in needed:
        for group in data.files[split]:
            if not group[0].startswith("?"):
                names = dict.fromkeys(data.patterns(group, code)[0] for code in spoken)
                shown[", ".join(_listed(list(names), 4))] = None
    return list(shown)


def _listed(names: Sequence[str], most: int) -> list[str]:
    return [*names[:most], *([f"and {len(names) - most} more"] if len(names) > most else [])]
