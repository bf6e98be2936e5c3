"""Targets that search a pool: official files in, official layout out, by a model with a trained pooling head."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from adapterxfer.backbones.loading import load_backbone
from adapterxfer.catalog import PROTOCOLS, tasks
from adapterxfer.data.compositions import COMPOSITIONS
from adapterxfer.data.examples import RetrievalExample, SearchExample, TaskData
from adapterxfer.data.files import list_files
from adapterxfer.data.mewsli import entity_text, mention_text
from adapterxfer.data.official import find, read_official
from adapterxfer.data.storage import read_task, write_task
from adapterxfer.errors import DataError
from adapterxfer.formats.encoded import encode_split
from adapterxfer.formats.registry import format_of_head, get_format
from adapterxfer.formats.retrieval import decode_pairs
from adapterxfer.formats.tokenization import encoder_for
from adapterxfer.metrics.benchmarks import BENCHMARKS
from adapterxfer.metrics.retrieval import average_precision, best_threshold, mine_ids
from adapterxfer.metrics.submission import count_task
from adapterxfer.predict.official import write_submission
from adapterxfer.predict.pools import Embedder, cross_fitted, predict_pool, rank
from adapterxfer.predict.systems import predict_backbone
from adapterxfer.predict.table import read_predictions
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.predict import execute
from adapterxfer.store.keys import Stage
from adapterxfer.variants.composition import Composition, HeadPart
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import write_description, write_weights

IDENTITY = {"name": "tiny", "kind": "folder", "dtype": "float32", "attention": "sdpa"}
WORDS = ("tom", "anna", "dog", "big", "cat", "saw", "ran", "the")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def bucc(root: Path) -> Path:
    """Sentence i of each side is the same text, and the gold pairs are the first three; one sentence is repeated."""
    for name, count in (("sample", 5), ("training", 7)):
        stem = root / "bucc2018" / "de-en" / f"de-en.{name}"
        texts = [f"{WORDS[i]} {WORDS[-1 - i]}" for i in range(count)]
        write(Path(f"{stem}.de"), "".join(f"de-{i}\t{text}\n" for i, text in enumerate([*texts, texts[-1]])))
        write(Path(f"{stem}.en"), "".join(f"en-{i}\t{text}\n" for i, text in enumerate(texts)))
        write(Path(f"{stem}.gold"), "".join(f"de-{i}\ten-{i}\n" for i in range(3)))
    return root


def lareqa(root: Path, languages: tuple[str, ...] = ("de", "el")) -> Path:
    for code in languages:
        context = f"tom saw {code}. anna ran."
        qas = [
            {"id": "q1", "question": f"who saw {code}", "answers": [{"text": "tom", "answer_start": 0}]},
            {
                "id": "q2",
                "question": f"who ran {code}",
                "answers": [{"text": "anna", "answer_start": len(context) - 9}],
            },
        ]
        middle = len(context) - 10
        breaks = [[0, middle], [middle + 1, len(context)]]
        sentences = [context[a:b] for a, b in breaks]
        paragraph = {"context": context, "sentences": sentences, "sentence_breaks": breaks, "qas": qas}
        write(root / "xquad-r" / f"{code}.json", json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    squad = [
        {
            "context": f"tom saw the {word} again. Anna ran. the end {i}",
            "qas": [{"id": f"s{i}", "question": f"who saw {word}", "answers": [{"text": "tom", "answer_start": 0}]}],
        }
        for i, word in enumerate(WORDS)
    ]
    for name in ("train", "dev"):
        write(root / f"{name}-v1.1.json", json.dumps({"data": [{"title": "", "paragraphs": squad}]}))
    return root


def entity(name: str, text: str) -> dict:
    return {"entity_id": name, "title": "T", "description": text, "sentence_spans": [{"start": 0, "end": len(text)}]}


def mention(name: str, language: str, text: str, word: str, entity_id: str) -> dict:
    start = text.index(word)
    return {
        "context": {"language": language, "text": text, "sentence_spans": [{"start": 0, "end": len(text)}]},
        "mentions": [
            {
                "example_id": name,
                "mention_span": {"start": start, "end": start + len(word), "text": word},
                "entity_id": entity_id,
            }
        ],
    }


def mewslix(root: Path) -> Path:
    def lines(rows: list[dict]) -> str:
        return "".join(json.dumps(row) + "\n" for row in rows)

    write(
        root / "candidate_set_entities.jsonl",
        lines([entity(f"Q{i}", f"{word} the big") for i, word in enumerate(WORDS)]),
    )
    rows = [
        mention(f"{code}{i}", code, f"the {w} ran", w, f"Q{i}")
        for code in ("de", "en")
        for i, w in enumerate(WORDS[:3])
    ]
    write(root / "wikinews_mentions-test.jsonl", lines(rows))
    for name in ("train", "dev"):
        pairs = []
        for i, word in enumerate(WORDS):
            made = mention("x", "en", f"the {word} ran", word, f"Q{i}")
            pair = {"context": made["context"], "mention": made["mentions"][0]}
            pairs.append({"contextual_mention": pair, "entity": entity(f"Q{i}", f"{word} the big")})
        write(root / f"wikipedia_pairs-{name}.jsonl", lines(pairs))
    return root


MADE = {"bucc2018": (bucc, ["de"]), "lareqa": (lareqa, ["de", "el"]), "mewslix": (mewslix, ["de", "en"])}


def prepare(task: str, root: Path, **options: int | None) -> Path:
    make, languages = MADE[task]
    make(root)
    sizes = {"train_examples": None, "dev_examples": None, "test_examples": None} | options
    data = read_official(task, root, list_files(root), languages, seed=0, **sizes)
    write_task(root / "task", data, extra={"protocol": tasks()[task].protocol})
    return root / "task"


def save_model(folder: Path, backbone_folder: Path, task: str, *, std: float = 0.3) -> Path:
    loaded = load_backbone(IDENTITY, backbone_folder)
    head = format_of_head("retrieval").make_head(16, (), generator=torch.Generator().manual_seed(0), std=std)
    composition = Composition("head-only", (), (HeadPart("h00", task, "retrieval", ()),))
    folder.mkdir()
    model = TransferModel(loaded, composition, adapters={}, fusion=None, heads={"h00": head})
    write_weights(folder, model)
    write_description(folder, model)
    return folder


@pytest.mark.parametrize("task", list(MADE))
def test_files_to_predictions_to_the_official_layout(tmp_path, backbone_folder, task):
    folder = prepare(task, tmp_path)
    trained = tasks()[task].trained
    system = {"kind": "trained"} if trained else {"kind": "backbone", "layer": "middle"}
    inputs = {"data": folder, "backbone": backbone_folder}
    if trained:
        inputs["model"] = save_model(tmp_path / "model", backbone_folder, task)
    identity = {"backbone": IDENTITY, "task": task, "protocol": tasks()[task].protocol, "system": system}
    stage = Stage("predict", 1, identity, {"data": "0" * 64})
    (tmp_path / "out").mkdir()
    summary = execute(StageContext(stage, inputs, tmp_path / "out", lambda line: None, {}))
    found = read_predictions(tmp_path / "out")
    assert set(summary["scores"]) == set(MADE[task][1])
    assert max(summary["scores"].values()) > 0
    for gold in (True, False):
        write_submission([tmp_path / "out"], tmp_path / ("labels" if gold else "mine"), gold=gold)
    entry = next(table[task] for table in BENCHMARKS.values() if task in table)
    for code in found.languages:
        part = type(entry)(**{name: getattr(entry, name) for name in entry.__slots__} | {"languages": (code,)})
        counted = count_task(part, tmp_path / "labels", tmp_path / "mine")[code].counts.sum(axis=0)
        assert counted.tolist() == pytest.approx(found.sums()[code].tolist())
    control = Stage("predict", 1, identity | {"system": {"kind": "control", "control": "embedding-layer"}}, {})
    (tmp_path / "control").mkdir()
    execute(StageContext(control, inputs, tmp_path / "control", lambda line: None, {}))
    assert read_predictions(tmp_path / "control").metadata["layer"] == 0


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
    protocol = PROTOCOLS["bucc2018"]["cross-fitted"].text
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


def test_lareqa_asks_for_the_answer_in_all_languages(tmp_path):
    task = read_task(prepare("lareqa", tmp_path))
    (first, second) = task.split("test", "de")
    assert isinstance(first, SearchExample)
    assert first.relevant == ("de-0-0-0", "el-0-0-0")
    assert second.relevant == ("de-0-0-1", "el-0-0-1")
    candidate = task.split("test-pool", "el")[1]
    assert candidate.text == "anna ran.tom saw el. anna ran."
    assert task.split("train", "en")[0].translation.startswith("tom saw the tom again.tom saw the tom again. Anna")


def test_fewer_questions_leave_the_pool_whole(tmp_path):
    task = read_task(prepare("lareqa", tmp_path, test_examples=1))
    assert {code: len(task.split("test", code)) for code in ("de", "el")} == {"de": 1, "el": 1}
    assert sum(len(task.split("test-pool", code)) for code in ("de", "el")) == 4
    assert len(task.split("test", "de")[0].relevant) == 2


def test_mewsli_marks_the_mention_and_escapes_braces():
    text = "A {b} c. He saw Tom {x} at home."
    spans = [{"start": 0, "end": 8}, {"start": 9, "end": len(text)}]
    start = text.index("Tom")
    assert mention_text({"text": text, "sentence_spans": spans}, {"start": start, "end": start + 3}) == (
        "Tom: He saw { Tom } (x) at home."
    )
    assert mention_text({"text": text, "sentence_spans": spans}, {"start": 6, "end": 12}) is None
    assert entity_text(entity("Q", "one\ntwo  three")) == "one two three"


@pytest.mark.parametrize(
    ("task", "path", "change", "message"),
    [
        ("bucc2018", "bucc2018/de-en/de-en.training.gold", None, r"test de \(bucc2018\): missing, expected .*gold"),
        ("bucc2018", "bucc2018/de-en/de-en.sample.gold", "en-1\tde-1\n", "are no ids of de and en"),
        ("bucc2018", "bucc2018/de-en/de-en.training.gold", "de-99\ten-1\n", "de-99 is no sentence"),
        ("mewslix", "wikinews_mentions-test.jsonl", '{"context": 1}\n', "not Mewsli-X's layout"),
        ("mewslix", "candidate_set_entities.jsonl", '{"entity_id": "Q"}\n', "no 'description'"),
    ],
)
def test_damaged_pools_are_named(tmp_path, task, path, change, message):
    make, languages = MADE[task]
    make(tmp_path)
    if change is None:
        (tmp_path / path).unlink()
    else:
        (tmp_path / path).write_text(change)
    sizes = {"train_examples": None, "dev_examples": None, "test_examples": None}
    with pytest.raises(DataError, match=message):
        read_official(task, tmp_path, list_files(tmp_path), languages, seed=0, **sizes)


def test_mewsli_without_entities_is_refused(tmp_path):
    mewslix(tmp_path)
    path = tmp_path / "wikinews_mentions-test.jsonl"
    path.write_text(path.read_text().replace('"Q0"', '""').replace('"Q1"', '""'))
    sizes = {"train_examples": None, "dev_examples": None, "test_examples": None}
    with pytest.raises(DataError, match="labels were removed"):
        read_official("mewslix", tmp_path, list_files(tmp_path), ["de"], seed=0, **sizes)


def test_needs_of_a_pool_are_found_by_language():
    needs = find("bucc2018", [], ["de", "ru"])
    assert {(need.role, need.language) for need in needs} == {
        (role, code) for role in ("test", "test-pool", "sample", "sample-pool") for code in ("de", "ru")
    }
    assert {need.language for need in find("mewslix", [], ["de"]) if need.role == "test-pool"} == {"all"}
    assert COMPOSITIONS["lareqa"].joint


def test_ranks_agree_with_sorting_everything():
    rng = np.random.default_rng(1)
    pool = rng.integers(-2, 3, (60, 4)).astype(np.float32)  # many ties
    queries = rng.integers(-2, 3, (30, 4)).astype(np.float32)
    expected = np.argsort(-(queries @ pool.T), axis=1, kind="stable")[:, :20]
    assert rank(queries, pool) == expected.tolist()
    assert len(rank(queries, pool[:5])[0]) == 5
    assert average_precision(expected[0].tolist(), {int(expected[0, 0])}) == 1.0


def test_notes_count_mentions_that_cross_sentences(tmp_path):
    from adapterxfer.data.mewsli import read_mewsli_mentions

    row = mention("a", "de", "the tom ran", "tom", "Q0")
    row["context"]["sentence_spans"] = [{"start": 0, "end": 5}]
    other = mention("b", "de", "the dog ran", "dog", "Q1")
    write(tmp_path / "m.jsonl", json.dumps(row) + "\n" + json.dumps(other) + "\n")
    notes: Counter[str] = Counter()
    found = read_mewsli_mentions([tmp_path / "m.jsonl"], "de", notes)
    assert [e.example_id for e in found] == ["b"]
    assert notes == {"mentions that cross a sentence left out": 1}


def sentences(task_folders, backbone_folder, tmp_path, protocol, model=None):
    """Predictions of the small retrieval task under a protocol."""
    system = {"kind": "trained"} if model else {"kind": "backbone", "layer": "middle"}
    identity = {"backbone": IDENTITY, "task": "retrieval", "protocol": protocol, "system": system}
    inputs = {"data": task_folders["retrieval"], "backbone": backbone_folder} | ({"model": model} if model else {})
    scratch = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
    scratch.mkdir()
    execute(StageContext(Stage("predict", 1, identity, {}), inputs, scratch, lambda line: None, {}))
    return read_predictions(scratch)


def test_a_trained_pooling_is_used_where_the_protocol_asks(task_folders, backbone_folder, tmp_path):
    model = save_model(tmp_path / "model", backbone_folder, "squad-retrieval", std=3.0)
    text = PROTOCOLS["tatoeba"]["xtreme-r"].text
    found = sentences(task_folders, backbone_folder, tmp_path, text, model)
    loaded = load_backbone(IDENTITY, backbone_folder)
    head = format_of_head("retrieval").make_head(16, (), generator=torch.Generator().manual_seed(0), std=3.0)
    encoder = encoder_for(loaded.tokenizer)

    def embed(words):
        rows = []
        for ids in encoder.texts(words):
            with torch.inference_mode():
                ids = torch.tensor([encoder.build_single(ids, 64)])
                states = loaded.model(ids, torch.ones_like(ids)).last_hidden_state
                rows.append(torch.nn.functional.normalize(torch.tanh(head.dense(states[:, 0])), dim=-1)[0].numpy())
        return np.stack(rows)

    task = read_task(task_folders["retrieval"])
    expected = []
    for code in ("xx", "yy"):
        examples = task.split("test", code)
        english, foreign = embed([e.translation for e in examples]), embed([e.text for e in examples])
        expected += [examples[place].example_id for place in (english @ foreign.T).argmax(axis=1)]
    assert found.prediction.tolist() == expected
    # Without such a head, the mean over the top layer is what remains.
    other = tmp_path / "other"
    task_of_head = TaskData("nli", "sequence_classification", ("a", "b"), {})
    loaded_head = get_format(task_of_head.format).make_head(16, ("a", "b"), generator=torch.Generator().manual_seed(0))
    part = HeadPart("h00", "nli", "sequence_classification", ("a", "b"))
    plain = TransferModel(
        loaded, Composition("head-only", (), (part,)), adapters={}, fusion=None, heads={"h00": loaded_head}
    )
    other.mkdir()
    write_weights(other, plain)
    write_description(other, plain)
    fallen_back = sentences(task_folders, backbone_folder, tmp_path, text, other)
    mean = sentences(
        task_folders, backbone_folder, tmp_path, "tatoeba/from-english/mean-pool-special/top-layer/uncentred"
    )
    assert fallen_back.prediction.tolist() == mean.prediction.tolist()


def test_the_protocol_names_direction_and_layer(task_folders, backbone_folder, tmp_path):
    def ask(protocol):
        return sentences(task_folders, backbone_folder, tmp_path, protocol).prediction.tolist()

    task = read_task(task_folders["retrieval"])
    loaded = load_backbone(IDENTITY, backbone_folder)
    for layer, number in (("middle-layer", 1), ("top-layer", 3), ("layer-2", 2), ("layer-0", 0)):
        protocol = f"tatoeba/from-english/mean-pool-special/{layer}/uncentred"
        fmt = get_format("retrieval", protocol)
        encoded = encode_split(fmt, task, "test", ["xx", "yy"], loaded.tokenizer, max_length=64, train=False)
        assert ask(protocol) == predict_backbone(loaded, number, fmt, encoded)
    assert (fmt.from_english, fmt.special_tokens, fmt.centred) == (True, True, False)
    plain = get_format("retrieval", tasks()["tatoeba"].protocol)
    assert (plain.from_english, plain.special_tokens, plain.centred) == (False, False, True)


def test_directions_are_those_of_the_official_vector():
    vectors = json.loads((Path(__file__).parents[2] / "golden" / "official_metrics.json").read_text())
    case = vectors["tatoeba_similarity_search"]
    foreign, english = np.array(case["index_x_foreign"]), np.array(case["query_y_english"])
    features = [SimpleNamespace(example=i) for i in range(len(foreign))]
    examples = [RetrievalExample(str(i), str(i), "de", "a", "b") for i in range(len(foreign))]
    rows = list(np.stack([foreign, english], axis=1))
    found = {
        way: [int(name) for name in decode_pairs(rows, features, examples, from_english=way, centred=False)]
        for way in (True, False)
    }
    assert found[True] == case["official_pred_foreign_idx_per_english"]
    assert found[False] == case["reverse_direction"]
