"""Prediction for targets that search a pool: ranked candidates (LAReQA, Mewsli-X) and mined pairs (BUCC 2018)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from adapterxfer.catalog import CROSS_FITTED
from adapterxfer.data.examples import CandidateExample, Example, SearchExample
from adapterxfer.data.storage import StoredTask
from adapterxfer.formats.base import Feature, Format
from adapterxfer.formats.dual_encoder import DualEncoder
from adapterxfer.formats.inference import BATCH_TOKENS, Forward, token_batches
from adapterxfer.formats.retrieval import Retrieval
from adapterxfer.formats.tokenization import encoder_for
from adapterxfer.metrics.retrieval import RANKED, best_threshold, mine_ids, normalise

POOL = "test-pool"
SAMPLE, SAMPLE_POOL = "sample", "sample-pool"


def has_pool(task: StoredTask) -> bool:
    """Whether the queries of a task search a pool of candidates."""
    return bool(task.languages(POOL))


class Embedder:
    """Embeds texts with one part of a model; equal texts once.

    Args:
        forward: ids and mask -> hidden states of the layer.
        head: pools them.
        fmt: decides special tokens and lengths.
        tokenizer: of the backbone.
        max_length: most tokens the model reads.
        batch_tokens: padded tokens per batch.
    """

    def __init__(
        self,
        forward: Forward,
        head: nn.Module,
        fmt: Retrieval | DualEncoder,
        tokenizer: Any,
        *,
        max_length: int,
        batch_tokens: int = BATCH_TOKENS,
        device: str = "cpu",
    ) -> None:
        self.forward, self.head, self.fmt = forward, head, fmt
        self.encoder = encoder_for(tokenizer)
        self.limits = [min(max_length, limit) for limit in fmt.lengths or (max_length, max_length)]
        self.batch_tokens, self.device = batch_tokens, device

    def embed(self, texts: Sequence[str], *, query: bool) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Vectors of length 1, shape ``(texts, hidden)``; centred where the protocol centres.

        Args:
            query: whether the texts are queries; their length limit may be another one.
        """
        unique = list(dict.fromkeys(texts))
        features = []
        for index, ids in enumerate(self.encoder.texts(unique)):
            sequence = self.encoder.build_single(ids, self.limits[0 if query else 1])
            target = self.fmt.bounds(self.encoder, sequence) if isinstance(self.fmt, Retrieval) else query
            features.append(Feature([sequence], [target], index))
        rows: list[Any] = [None] * len(features)
        with torch.inference_mode():
            for indices in token_batches(features, self.batch_tokens):
                chosen = [features[i] for i in indices]
                batch = self.fmt.collate(chosen, pad_id=self.encoder.pad_id).to(self.device)
                outputs = self.head(self.forward(batch.input_ids, batch.attention_mask, batch.reads), batch)
                for index, row in zip(indices, outputs.float().cpu().numpy(), strict=True):
                    rows[index] = row
        row_of = {text: index for index, text in enumerate(unique)}
        vectors = np.stack([rows[row_of[text]] for text in texts])
        if isinstance(self.fmt, Retrieval) and self.fmt.centred:
            vectors = vectors - vectors.mean(axis=0, keepdims=True)
        return normalise(vectors)


def predict_pool(
    task: StoredTask, languages: Sequence[str], embedder: Embedder, protocol: str = ""
) -> tuple[list[Example], list[str], dict[str, Any]]:
    """Predictions of all queries in the order of the languages.

    Args:
        protocol: says where the threshold of mined pairs is tuned, see `CROSS_FITTED`.

    Returns:
        The queries; for each, the ids of the best candidates as a JSON list, or the id of the mined translation (an
        empty text for none); and what else was found: thresholds by language, or the size of the pool.
    """
    crossed = CROSS_FITTED in protocol.split("/")
    if crossed or task.languages(SAMPLE):
        return _mine(task, languages, embedder, crossed=crossed)
    pool = [candidate for code in task.languages(POOL) for candidate in _candidates(task, POOL, code)]
    ids = [candidate.example_id for candidate in pool]
    vectors = embedder.embed([candidate.text for candidate in pool], query=False)
    queries: list[Example] = []
    predictions: list[str] = []
    for code in languages:
        asked_queries = _queries(task, "test", code)
        ranked = rank(embedder.embed([query.text for query in asked_queries], query=True), vectors)
        predictions += [json.dumps([ids[row] for row in places]) for places in ranked]
        queries += asked_queries
    return queries, predictions, {"candidates": len(pool)}


def rank(
    queries: np.ndarray[Any, np.dtype[np.float32]], pool: np.ndarray[Any, np.dtype[np.float32]], count: int = RANKED
) -> list[list[int]]:
    """Rows of the pool with the highest cosines for each query, the best first, the first among equals."""
    count = min(count, len(pool))
    rankings: list[list[int]] = []
    for start in range(0, len(queries), 256):
        cosines = queries[start : start + 256] @ pool.T
        # All that tie with the last kept one take part, so that the order of equals is that of the pool.
        limits = np.partition(cosines, -count, axis=1)[:, -count]
        for row, limit in zip(cosines, limits, strict=True):
            places = np.flatnonzero(row >= limit)
            rankings.append(places[np.argsort(-row[places], kind="stable")][:count].tolist())
    return rankings


def _mine(
    task: StoredTask, languages: Sequence[str], embedder: Embedder, *, crossed: bool
) -> tuple[list[Example], list[str], dict[str, Any]]:
    """BUCC: pairs with a margin of at least a threshold.

    Args:
        crossed: the threshold for each half of the source sentences is tuned on the other half; else on the sample.
    """
    queries: list[Example] = []
    predictions: list[str] = []
    thresholds: dict[str, Any] = {}
    for code in languages:
        scores, asked_queries = _mined(task, "test", POOL, code, embedder), _queries(task, "test", code)
        if crossed:
            kept, limits = cross_fitted(scores, asked_queries)
            thresholds[code] = [round(limit, 6) for limit in limits]
        else:
            tuned = _queries(task, SAMPLE, code)
            limit = best_threshold(_mined(task, SAMPLE, SAMPLE_POOL, code, embedder), _gold(tuned))
            kept = {source: target for (source, target), score in scores.items() if score >= limit}
            thresholds[code] = round(limit, 6)
        predictions += [kept.get(query.example_id, "") for query in asked_queries]
        queries += asked_queries
    return queries, predictions, {"thresholds": thresholds}


def cross_fitted(
    scores: Mapping[tuple[str, str], float], queries: Sequence[SearchExample]
) -> tuple[dict[str, str], tuple[float, float]]:
    """Pairs kept where the gold of a half of the source sentences decides the threshold of the other half.

    A hash of the id says to which half a sentence belongs, so nothing else about the data does.

    Args:
        scores: margin of every mined pair of ids.
        queries: all source sentences with their right candidates.

    Returns:
        Source id -> target id of the pairs kept, and the thresholds used for the first and the second half.
    """
    half = {query.example_id: hashlib.sha256(query.example_id.encode()).digest()[0] % 2 for query in queries}
    limits = tuple(
        best_threshold(
            {pair: score for pair, score in scores.items() if half[pair[0]] == other},
            _gold([query for query in queries if half[query.example_id] == other]),
        )
        for other in (1, 0)
    )
    kept = {source: target for (source, target), score in scores.items() if score >= limits[half[source]]}
    return kept, (limits[0], limits[1])


def _mined(task: StoredTask, split: str, pool: str, code: str, embedder: Embedder) -> dict[tuple[str, str], float]:
    """Margin of every pair mined between a split and its pool, by ids."""
    sources, targets = _queries(task, split, code), _candidates(task, pool, code)
    texts = [[e.text for e in side] for side in (sources, targets)]
    vectors = [embedder.embed(side, query=first) for side, first in zip(texts, (True, False), strict=True)]
    ids = [[e.example_id for e in side] for side in (sources, targets)]
    return mine_ids(vectors[0], vectors[1], texts[0], texts[1], ids[0], ids[1])


def _gold(queries: Sequence[SearchExample]) -> set[tuple[str, str]]:
    return {(query.example_id, name) for query in queries for name in query.relevant}


def _queries(task: StoredTask, split: str, language: str) -> list[SearchExample]:
    return [example for example in task.split(split, language) if isinstance(example, SearchExample)]


def _candidates(task: StoredTask, split: str, language: str) -> list[CandidateExample]:
    return [example for example in task.split(split, language) if isinstance(example, CandidateExample)]


def pooling_format(fmt: Format) -> Retrieval | DualEncoder:
    """The format of an embedder.

    Raises:
        TypeError: it is no format of retrieval.
    """
    if not isinstance(fmt, Retrieval | DualEncoder):
        raise TypeError(f"format {fmt.name} embeds no texts")
    return fmt
