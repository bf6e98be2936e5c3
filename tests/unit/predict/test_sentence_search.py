"""Sentence search: direction, layer and pooling are those that the protocol names."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from pool_files import IDENTITY, save_model

from adapterxfer.backbones.loading import load_backbone
from adapterxfer.catalog import protocols_of, tasks
from adapterxfer.data.examples import RetrievalExample, TaskData
from adapterxfer.data.storage import read_task
from adapterxfer.formats.encoded import encode_split
from adapterxfer.formats.registry import format_of_head, get_format
from adapterxfer.formats.retrieval import decode_pairs
from adapterxfer.formats.tokenization import encoder_for
from adapterxfer.predict.systems import predict_backbone
from adapterxfer.predict.table import read_predictions
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.predict import execute
from adapterxfer.store.keys import Stage
from adapterxfer.variants.composition import Composition, HeadPart
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import write_description, write_weights


def sentences(task_folders, backbone_folder, tmp_path, protocol, model=None):
    """Predictions of the small retrieval task under a protocol."""
    system = {"kind": "trained"} if model else {"kind": "backbone", "layer": "middle"}
    identity = {"backbone": IDENTITY, "task": "retrieval", "protocol": protocol, "system": system}
    inputs = {"data": task_folders["retrieval"], "backbone": backbone_folder} | ({"model": model} if model else {})
    scratch = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
    scratch.mkdir()
    execute(
        StageContext(
            stage=Stage(kind="predict", version=1, identity=identity, inputs={}),
            inputs=inputs,
            scratch=scratch,
            log=lambda line: None,
            settings={},
        )
    )
    return read_predictions(scratch)


def test_a_trained_pooling_is_used_where_the_protocol_asks(task_folders, backbone_folder, tmp_path):
    model = save_model(tmp_path / "model", backbone_folder, "squad-retrieval", std=3.0)
    text = protocols_of("tatoeba")["xtreme-r"].text
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
    chosen = iter(found.prediction.tolist())
    for code in ("xx", "yy"):
        examples = task.split("test", code)
        english, foreign = embed([e.translation for e in examples]), embed([e.text for e in examples])
        ids = [e.example_id for e in examples]
        for row in english @ foreign.T:
            # Some sentences are as near as rounding can tell: which of them is first differs between libraries.
            assert row[ids.index(next(chosen))] >= row.max() - 3e-7
            assert row.max() - row.min() > 1e-6, "any sentence would do"
    assert next(chosen, None) is None
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
