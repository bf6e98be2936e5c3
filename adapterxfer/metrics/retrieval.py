"""Scores and searches of the retrieval tasks: ranked lists, nearest neighbours, and mining of parallel sentences.

Sources: google-research/xtreme at commit 838c13b, utils_retrieve.py (Tatoeba, BUCC), utils_mewslix.py (Mewsli-X),
utils_lareqa.py (LAReQA); margins follow Artetxe and Schwenk 2019. Searches are exact; single precision as there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float32]

RANKED = 20
"""Candidates of a ranked list that count."""

NEIGHBOURS = 4
"""Neighbours in the denominator of a margin."""

Pair = tuple[str, str]


def average_precision(ranked: Sequence[object], gold: Collection[object], k: int = RANKED) -> float:
    """Mean of the precisions at the ranks of right candidates among the first ``k``; the divisor is min(gold, k).

    With one right candidate this is the reciprocal of its rank. An empty gold set gives 0. A repeated candidate counts
    where it stands first; its repetitions are misses that keep their ranks, as in XTREME's functions.
    """
    right, total = 0, 0.0
    seen: set[object] = set()
    for rank, candidate in enumerate(ranked[:k], start=1):
        if candidate in gold and candidate not in seen:
            right += 1
            total += right / rank
        seen.add(candidate)
    divisor = min(len(set(gold)), k)
    return total / divisor if divisor else 0.0


def ranked_counts(prediction: str, gold: str) -> tuple[float, ...]:
    """Average precision and 1 for one query.

    Args:
        prediction: JSON list of candidate ids, the best first; an empty text for none.
        gold: JSON list of the right ids.
    """
    ranked = json.loads(prediction) if prediction else []
    return average_precision(ranked, set(json.loads(gold))), 1.0


def mined_counts(prediction: str, gold: str) -> tuple[float, ...]:
    """Right, predicted and gold pairs of one source sentence.

    Args:
        prediction: id of the target sentence; an empty text for none.
        gold: JSON list of the ids of its translations.
    """
    right = json.loads(gold)
    return float(prediction in right), float(bool(prediction)), float(len(right))


def normalise(vectors: ArrayLike) -> Floats:
    """Vectors of length 1, single precision; zero vectors stay zero."""
    rows = np.array(vectors, dtype=np.float32)
    norms = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return np.asarray(rows / np.where(norms > 0, norms, 1), dtype=np.float32)


def search(index: ArrayLike, queries: ArrayLike) -> NDArray[np.int64]:
    """Nearest row of ``index`` for each query by cosine, the first among equals.

    XTREME's Tatoeba searches the foreign sentences with English queries: ``search(foreign, english)``.
    """
    return np.asarray((normalise(queries) @ normalise(index).T).argmax(axis=1), dtype=np.int64)


def last_of_duplicates(texts: Sequence[str]) -> tuple[list[str], list[int]]:
    """Different texts in the order of their first occurrence, and the row of the last occurrence of each."""
    last = {text: row for row, text in enumerate(texts)}
    order = list(dict.fromkeys(texts))
    return order, [last[text] for text in order]


def mine(x: ArrayLike, y: ArrayLike, *, neighbours: int = NEIGHBOURS) -> list[tuple[float, int, int]]:
    """Pairs of rows by ratio margin: both directions joined, the best first, every row used at most once.

    The margin of a pair is its cosine divided by the mean of the two mean cosines to the ``neighbours`` nearest rows of
    the other side. Only these neighbours are candidates.

    Returns:
        ``(margin, row of x, row of y)``; margins at or below 0 are left out.
    """
    first, second = normalise(x), normalise(y)
    forward, forward_mean = _nearest(first, second, neighbours)
    backward, backward_mean = _nearest(second, first, neighbours)
    forward_best, forward_scores = _best(first, second, forward, forward_mean, backward_mean)
    backward_best, backward_scores = _best(second, first, backward, backward_mean, forward_mean)
    sources = np.concatenate([np.arange(len(first)), backward_best])
    targets = np.concatenate([forward_best, np.arange(len(second))])
    scores = np.concatenate([forward_scores, backward_scores])
    used_x: set[int] = set()
    used_y: set[int] = set()
    pairs = []
    for row in np.argsort(-scores):
        source, target = int(sources[row]), int(targets[row])
        if source in used_x or target in used_y:
            continue
        used_x.add(source)
        used_y.add(target)
        if scores[row] > 0:
            pairs.append((float(scores[row]), source, target))
    return pairs


def mine_ids(
    x: ArrayLike,
    y: ArrayLike,
    sources: Sequence[str],
    targets: Sequence[str],
    source_ids: Sequence[str],
    target_ids: Sequence[str],
) -> dict[Pair, float]:
    """Ids and margins of all mined pairs; sentences are texts, as in BUCC's driver.

    Repeated sentences are mined once, with the vector of their last occurrence, and then have no id: pairs with them
    are not kept.

    Args:
        x, y: vectors of the sentences, shape ``(sentences, hidden)``.
        sources, targets: the sentences.
        source_ids, target_ids: their ids.
    """
    first_texts, first_rows = last_of_duplicates(sources)
    second_texts, second_rows = last_of_duplicates(targets)
    mined = mine(np.asarray(x)[first_rows], np.asarray(y)[second_rows])
    first_ids, second_ids = unambiguous_ids(sources, source_ids), unambiguous_ids(targets, target_ids)
    pairs: dict[Pair, float] = {}
    for score, row, column in mined:
        source, target = first_ids.get(first_texts[row]), second_ids.get(second_texts[column])
        if source is not None and target is not None:
            pairs[(source, target)] = score
    return pairs


def _nearest(queries: Floats, index: Floats, neighbours: int) -> tuple[NDArray[np.int64], Floats]:
    """Rows of the nearest neighbours, the best first, and the mean of their cosines; in blocks of queries."""
    count = min(neighbours, len(index))
    rows = np.empty((len(queries), count), dtype=np.int64)
    means = np.empty(len(queries), dtype=np.float32)
    for start in range(0, len(queries), 1024):
        cosines = queries[start : start + 1024] @ index.T
        order = _top(cosines, count)
        rows[start : start + 1024] = order
        means[start : start + 1024] = np.take_along_axis(cosines, order, axis=1).mean(axis=1)
    return rows, means


def _top(cosines: Floats, count: int) -> NDArray[np.int64]:
    """Columns of the ``count`` largest values of each row, the largest first, the first among equals."""
    if cosines.shape[1] <= 4 * count:
        return np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    order = np.empty((len(cosines), count), dtype=np.int64)
    limits = np.partition(cosines, -count, axis=1)[:, -count]
    for row, (values, limit) in enumerate(zip(cosines, limits, strict=True)):
        places = np.flatnonzero(values >= limit)
        order[row] = places[np.argsort(-values[places], kind="stable")][:count]
    return order


def _best(
    queries: Floats, index: Floats, candidates: NDArray[np.int64], query_mean: Floats, index_mean: Floats
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    scores = np.empty(candidates.shape, dtype=np.float64)
    for column in range(candidates.shape[1]):
        chosen = candidates[:, column]
        cosines = np.einsum("ij,ij->i", queries, index[chosen], dtype=np.float64).astype(np.float32)
        scores[:, column] = cosines / ((query_mean + index_mean[chosen]) / 2)
    best = scores.argmax(axis=1)
    rows = np.arange(len(queries))
    return candidates[rows, best], scores[rows, best]


def best_threshold(scores: Mapping[Pair, float], gold: Collection[Pair]) -> float:
    """Margin from which on pairs are kept: halfway between the last kept pair of the best F1 and the next one.

    Where the best F1 keeps everything, there is no next pair: the last margin itself is the threshold.
    """
    ranked = sorted(scores.items(), key=lambda item: -item[1])
    best = threshold = 0.0
    right = 0
    for rank, (pair, score) in enumerate(ranked):
        right += pair in gold
        f1 = 2 * right / (rank + 1 + len(gold))
        if f1 > best:
            best = f1
            threshold = (score + ranked[rank + 1][1]) / 2 if rank + 1 < len(ranked) else score
    return threshold


def unambiguous_ids(texts: Sequence[str], ids: Sequence[str]) -> dict[str, str]:
    """Sentence -> id, without sentences that occur more than once."""
    counts: dict[str, int] = {}
    for text in texts:
        counts[text] = counts.get(text, 0) + 1
    return {text: name for text, name in zip(texts, ids, strict=True) if counts[text] == 1}
