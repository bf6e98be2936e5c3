"""Which test items are resampled together, derived when a result is judged: no training or prediction depends on it.

Three things make items dependent. They were sampled together, as the hypotheses of one premise: the reader's clusters
say so, within a language. They are one item in several languages: the catalogue says whether a data set is parallel,
and by what. And they are equal: PAN-X repeats a quarter of its Indonesian sentences, and a system answers equal
sentences alike, so as independent items they make intervals two to three times too narrow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from adapterxfer.catalog import ClusterRule, task_specs
from adapterxfer.catalog.declared import ITEMS
from adapterxfer.data.repeats import ROWS_COMPARED, content_of
from adapterxfer.data.storage import StoredTask, read_task
from adapterxfer.errors import DataError
from adapterxfer.report.reading import Frame
from adapterxfer.store.keys import SHORT_KEY

Keys = npt.NDArray[np.intp]
"""One number per row; equal numbers belong together."""

SHARED_LANGUAGES = 0.05
"""Share of the items of a language that must occur in another one for both to be resampled together.

A few shared sentences hardly correlate two scores, and a joint domain takes memory in proportion to its languages: 48
times as much for PAN-X, where most pairs of languages share some short sentence.
"""


def judged(folder: Path, frame: Frame) -> Frame:
    """The frame of a predict stage with the clusters that are resampled.

    Args:
        folder: of the predict stage. The examples are read from its prepare stage in the same store; where that is
            gone, equal items stay separate.
        frame: with the clusters that the reader gave; equal ones of different languages mean nothing by themselves.
    """
    stage = _stage(folder)
    task = _prepared(folder, stage)
    kind, by = _clusters_of(stage, task), ""
    keys = [_numbers(frame.language, frame.cluster)]
    contents = _contents(task, str(stage.get("identity", {}).get("split", "test")), frame) if task is not None else None
    described = "test" in (task.extra.get("source", {}).get("layout") or {}) if task is not None else False
    described = described or ITEMS in stage.get("identity", {})
    if kind is None or (kind.parallel and not described):
        keys, by = [_numbers(frame.cluster)], "ids"
    elif kind.parallel or kind.same_items == "ids":
        if _share_examples(frame):
            keys.append(_numbers(frame.example))
            by = "ids"
        elif kind.parallel and _rows_agree(frame, task):
            keys.append(_rows(frame))
            by = "rows"
    elif kind.same_items == "rows" and _rows_agree(frame, task):
        keys.append(_rows(frame))
        by = "rows"
    joined = _components(keys)
    separate = len(np.unique(joined))
    if contents is not None:
        joined = _components([*keys, contents if by else _within(contents, frame)])
    cluster = frame.cluster if _same(joined, frame.cluster) else _named(joined, frame)
    return replace(frame, cluster=cluster, parallel_by=by, equal=separate - len(np.unique(joined)))


def domains(frame: Frame) -> tuple[tuple[str, ...], ...]:
    """Languages that share clusters, in groups that have to be resampled together; in the order of the frame."""
    count = len(frame.languages)
    pairs = np.unique(np.stack([_numbers(frame.cluster), frame.language.astype(np.intp)]), axis=1)
    graph = coo_array((np.ones(pairs.shape[1]), (pairs[1], count + pairs[0])), shape=(count + len(frame.cluster),) * 2)
    labels = connected_components(graph, directed=False)[1][:count]
    groups: dict[int, list[str]] = {}
    for code, label in zip(frame.languages, labels.tolist(), strict=True):
        groups.setdefault(label, []).append(code)
    return tuple(tuple(codes) for codes in groups.values())


def domain_names(frame: Frame, target: str) -> dict[str, str]:
    """Language -> name of its domain: the target where all languages are one, else the target and a first language."""
    groups = domains(frame)
    if len(groups) == 1 and len(frame.languages) > 1:
        return dict.fromkeys(frame.languages, target)
    return {code: f"{target}/{codes[0]}" for codes in groups for code in codes}


class LanguageItems(NamedTuple):
    """Test items of one language: its rows, the domain in which they are drawn, and the cluster of each."""

    language: str
    rows: npt.NDArray[np.bool_]
    domain: str
    clusters: npt.NDArray[np.str_]


def language_items(frame: Frame, target: str) -> list[LanguageItems]:
    """The test items of a target by language, which all its systems share."""
    names = domain_names(frame, target)
    masks = [frame.language == index for index in range(len(frame.languages))]
    return [
        LanguageItems(language, rows, names[language], np.asarray(frame.cluster[rows], dtype=np.str_))
        for language, rows in zip(frame.languages, masks, strict=True)
    ]


def items_of_whole(
    frame: Frame, items: list[LanguageItems], whole: Frame, of_whole: list[LanguageItems]
) -> list[LanguageItems]:
    """The items of a target under another supervision, drawn together with the same items of the whole target.

    It may have results in some of the languages only, so domains and clusters of its own would have other names, and
    comparisons would not be paired.

    Args:
        frame, items: of the target under the supervision.
        whole, of_whole: of the target with all its languages.
    """
    by_language = {same.language: same for same in of_whole}
    paired = []
    for tested in items:
        same = by_language.get(tested.language)
        if same is not None and np.array_equal(frame.example[tested.rows], whole.example[same.rows]):
            tested = tested._replace(domain=same.domain, clusters=same.clusters)
        paired.append(tested)
    return paired


def grouping(frame: Frame) -> str:
    """How the test items of a target are resampled, in words."""
    groups = domains(frame)
    together = len(groups) < len(frame.languages)
    text = "all languages resampled together" if len(groups) == 1 and together else "each language resampled on its own"
    if together and len(groups) > 1:
        text = f"languages with many equal items resampled together ({len(groups)} groups)"
    if frame.parallel_by == "rows" and together:
        text += ", parallel by row: all have as many rows with the same gold"
    if frame.equal:
        text += f", {frame.equal:,} clusters joined to others with the same text"
    return text


def _stage(folder: Path) -> Mapping[str, Any]:
    try:
        content = json.loads((folder / "stage.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    stage = content.get("stage") if isinstance(content, dict) else None
    return stage if isinstance(stage, dict) else {}


def _prepared(folder: Path, stage: Mapping[str, Any]) -> StoredTask | None:
    """The task that was predicted; None where its folder is not in the store (bundles hold predictions alone)."""
    key = str(stage.get("inputs", {}).get("data", ""))
    folders = sorted((folder.parent.parent / "prepare").glob(f"*-{key[:SHORT_KEY]}")) if key else []
    try:
        return read_task(folders[0]) if folders else None
    except DataError:
        return None


def _clusters_of(stage: Mapping[str, Any], task: StoredTask | None) -> ClusterRule | None:
    """What the catalogue or the recipe says; None where neither does, as for the world: then equal ids are the same."""
    source = task.extra.get("source", {}) if task is not None else {}
    identity = stage.get("identity", {})
    if items := identity.get(ITEMS):
        return ClusterRule(unit="text", parallel=bool(items.get("parallel")))
    spec = task_specs().get(str(identity.get("task", "")))
    if spec is None or spec.parts.test is None or source.get("kind") == "world":
        return None
    return spec.parts.test.clusters


def _numbers(*columns: npt.NDArray[Any]) -> Keys:
    """Equal rows of the columns get equal numbers."""
    numbers = np.zeros(len(columns[0]), dtype=np.intp)
    for column in columns:
        values = column.astype(np.str_) if column.dtype == object else column
        codes = np.unique(values, return_inverse=True)[1]
        numbers = np.unique(numbers * (codes.max(initial=0) + 1) + codes, return_inverse=True)[1]
    return numbers


def _components(keys: list[Keys]) -> Keys:
    """Rows that any of the keys joins, directly or over others."""
    count = len(keys[0])
    offsets = np.cumsum([count, *(int(key.max(initial=-1)) + 1 for key in keys)])
    rows = np.tile(np.arange(count), len(keys))
    nodes = np.concatenate([offset + key for offset, key in zip(offsets[:-1], keys, strict=True)])
    graph = coo_array((np.ones(len(rows)), (rows, nodes)), shape=(int(offsets[-1]),) * 2)
    labels: Keys = connected_components(graph, directed=False)[1][:count].astype(np.intp)
    return labels


def _same(joined: Keys, cluster: npt.NDArray[np.object_]) -> bool:
    """Whether two groupings are one: then the reader's names stay, and so do the draws of resampling."""
    stored = _numbers(cluster)
    both = len(np.unique(np.stack([joined, stored]), axis=1).T)
    return both == len(np.unique(joined)) == len(np.unique(stored))


def _named(joined: Keys, frame: Frame) -> npt.NDArray[np.object_]:
    """Names after the first row of each cluster."""
    first = np.unique(joined, return_index=True)[1]
    names = [f"{frame.languages[frame.language[row]]}/{frame.example[row]}" for row in first.tolist()]
    return np.array(names, dtype=object)[np.unique(joined, return_inverse=True)[1]]


def _share_examples(frame: Frame) -> bool:
    """Whether every language has an example id in common with the first."""
    ids = [set(frame.example[frame.language == index].tolist()) for index in range(len(frame.languages))]
    return len(ids) > 1 and all(ids[0] & other for other in ids[1:])


def _rows(frame: Frame) -> Keys:
    """Number of each row within its language."""
    numbers = np.zeros(len(frame.language), dtype=np.intp)
    for index in range(len(frame.languages)):
        in_language = frame.language == index
        numbers[in_language] = np.arange(int(in_language.sum()))
    return numbers


def _rows_agree(frame: Frame, task: StoredTask | None) -> bool:
    """Whether all languages have as many rows, and the same gold in each where gold does not depend on the language."""
    sizes = np.bincount(frame.language, minlength=len(frame.languages))
    if len(sizes) < 2 or len(set(sizes.tolist())) > 1:
        return False
    if task is None or task.format not in ROWS_COMPARED:
        return task is not None
    golds = frame.gold.reshape(len(sizes), -1) if (np.diff(frame.language) >= 0).all() else None
    return golds is not None and bool((golds == golds[:1]).all())


def _contents(task: StoredTask, split: str, frame: Frame) -> Keys | None:
    """One number for each different content; None where the stored examples are not those of the predictions."""
    texts = np.empty(len(frame.language), dtype=object)
    for index, code in enumerate(frame.languages):
        if code not in task.counts.get(split, {}):
            return None
        by_id = {example.example_id: content_of(example) for example in task.split(split, code)}
        for row in np.flatnonzero(frame.language == index).tolist():
            if (text := by_id.get(str(frame.example[row]))) is None:
                return None
            texts[row] = text
    codes: dict[str, int] = {}
    return np.array([codes.setdefault(text, len(codes)) for text in texts.tolist()], dtype=np.intp)


def _within(contents: Keys, frame: Frame) -> Keys:
    """Contents by language, but for languages that have enough of them in common."""
    present = [np.unique(contents[frame.language == index]) for index in range(len(frame.languages))]
    groups = np.arange(len(present))
    for first, second in _pairs(len(present)):
        shared = len(np.intersect1d(present[first], present[second], assume_unique=True))
        if shared >= SHARED_LANGUAGES * min(len(present[first]), len(present[second])):
            groups[groups == groups[second]] = groups[first]
    return _numbers(groups[frame.language], contents)


def _pairs(count: int) -> Iterator[tuple[int, int]]:
    return ((first, second) for second in range(count) for first in range(second))
