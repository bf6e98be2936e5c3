"""BUCC: pairs are mined above a threshold, which is tuned on other pairs."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import torch
from pool_files import IDENTITY, prepare

from adapterxfer.backbones.loading import load_backbone
from adapterxfer.catalog import protocols_of, tasks
from adapterxfer.data.examples import SearchExample
from adapterxfer.data.storage import read_task
from adapterxfer.formats.registry import get_format
from adapterxfer.metrics.retrieval import best_threshold, mine_ids
from adapterxfer.predict.pools import Embedder, cross_fitted, predict_pool


def test_bucc_mines_equal_sentences_and_leaves_repeated_ones_out(tmp_path, backbone_folder):
    task = read_task(prepare("bucc2018", tmp_path))
    loaded = load_backbone(IDENTITY, backbone_folder)
    fmt = get_format("retrieval", tasks()["bucc2018"].protocol)
    assert (fmt.special_tokens, fmt.centred) == (True, False)
    embedder = Embedder(
        lambda ids, mask, *_: loaded.model(ids, mask).last_hidden_state,
        fmt.make_head(16, (), generator=torch.Generator()), fmt, loaded.tokenizer, max_length=32,
    )  # fmt: skip
    queries, predictions, notes = predict_pool(task, ["de"], embedder)
    assert [e.example_id for e in queries] == [f"de-{i}" for i in range(8)]
    kept = [(i, found) for i, found in enumerate(predictions[:3]) if found]
    assert len(kept) >= 2
    assert all(found == f"en-{i}" for i, found in kept)
    assert predictions[6:] == ["", ""]  # the repeated sentence has no id
    assert set(notes["thresholds"]) == {"de"}
    assert [len(e.relevant) for e in queries] == [1, 1, 1, 0, 0, 0, 0, 0]


def test_bucc_without_a_sample_tunes_each_half_on_the_other(tmp_path, backbone_folder):
    task = read_task(prepare("bucc2018", tmp_path))
    loaded = load_backbone(IDENTITY, backbone_folder)
    protocol = protocols_of("bucc2018")["cross-fitted"].text
    fmt = get_format("retrieval", protocol)
    assert (fmt.special_tokens, fmt.centred) == (True, False)
    embedder = Embedder(
        lambda ids, mask, *_: loaded.model(ids, mask).last_hidden_state,
        fmt.make_head(16, (), generator=torch.Generator()), fmt, loaded.tokenizer, max_length=32,
    )  # fmt: skip
    *_, notes = predict_pool(task, ["de"], embedder, protocol)
    assert len(notes["thresholds"]["de"]) == 2
    *_, tuned = predict_pool(task, ["de"], embedder, tasks()["bucc2018"].protocol)
    assert isinstance(tuned["thresholds"]["de"], float)


def test_a_half_never_sees_its_own_gold():
    queries = [SearchExample(f"s{i}", f"s{i}", "de", "", (f"t{i}",) if i % 3 else ()) for i in range(60)]
    scores = {(f"s{i}", f"t{i}"): 1.0 + i / 100 for i in range(60)}
    kept, (first, second) = cross_fitted(scores, queries)
    half = [hashlib.sha256(f"s{i}".encode()).digest()[0] % 2 for i in range(60)]
    assert 20 < sum(half) < 40
    for number, limit in ((0, first), (1, second)):
        other = [i for i in range(60) if half[i] != number]
        gold = {(f"s{i}", f"t{i}") for i in other if i % 3}
        assert limit == best_threshold({(f"s{i}", f"t{i}"): scores[f"s{i}", f"t{i}"] for i in other}, gold)
        own = [i for i in range(60) if half[i] == number]
        assert {i for i in own if f"s{i}" in kept} == {i for i in own if scores[f"s{i}", f"t{i}"] >= limit}
    # Other gold in the first half leaves the pairs of the first half as they are, and moves those of the second.
    changed = [replace(query, relevant=()) if half[i] == 0 and i < 50 else query for i, query in enumerate(queries)]
    again, limits = cross_fitted(scores, changed)
    assert limits[0] == first
    assert limits[1] != second
    assert {name for name in again if half[int(name[1:])] == 0} == {name for name in kept if half[int(name[1:])] == 0}


def test_repeated_sentences_use_their_last_vector():
    near, far = [1.0, 0.1, 0.1], [0.1, 1.0, 0.1]
    # Were the first vector of "a" used, it would be the best partner of t1.
    x, y = np.array([far, far, near]), np.array([near, far])
    pairs = mine_ids(x, y, ["a", "b", "a"], ["z", "b"], ["s0", "s1", "s2"], ["t0", "t1"])
    assert list(pairs) == [("s1", "t1")]
    assert pairs[("s1", "t1")] > 1
