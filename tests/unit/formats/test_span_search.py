"""Search of answers: against the list of the n best starts and ends, and the empty answer of SQuAD 2.0."""

import numpy as np
import pytest
import torch

from adapterxfer.catalog import tasks
from adapterxfer.data.examples import SpanExample
from adapterxfer.formats.registry import get_format
from adapterxfer.metrics import METRICS, count_predictions

CONTEXT = "tom saw anna. the big dog ran, tom ran. anna saw the cat"


def n_best(starts, ends, spans, context, count, limit):
    """The usual decoding: the best of all pairs among the ``count`` best starts and ends, by characters."""
    best, text = -np.inf, ""
    for i in np.argsort(-starts, kind="stable")[:count]:
        for j in np.argsort(-ends, kind="stable")[:count]:
            if (
                i <= j < i + limit
                and spans[i][0] < spans[i][1]
                and spans[j][0] < spans[j][1]
                and starts[i] + ends[j] > best
            ):
                best, text = starts[i] + ends[j], context[spans[i][0] : spans[j][1]]
    return best, text


def answered(fmt, tokenizer, seed, *, max_length=64):
    example = SpanExample(
        example_id="1",
        cluster_id="1",
        language="en",
        question="who saw?",
        context=CONTEXT,
        answers=(),
        answer_starts=(),
    )
    features = fmt.encode([example], tokenizer, max_length=max_length, labels=(), train=False)
    batch = fmt.collate(features, pad_id=1)
    outputs = torch.from_numpy(np.random.default_rng(seed).normal(size=(*batch.input_ids.shape, 2)))
    return example, features, batch, outputs


@pytest.mark.parametrize("seed", range(25))
def test_no_list_of_n_best_finds_more(tokenizer, seed):
    fmt = get_format("span_qa", "max-answer-5")
    example, features, batch, outputs = answered(fmt, tokenizer, seed)
    (feature,) = features
    found = fmt.decode(fmt.results(outputs, batch), features, [example], ())[0]
    spans, first = feature.target.spans, feature.target.first
    sides = [outputs[0, first : first + len(spans), side].float().numpy() for side in (0, 1)]
    assert n_best(*sides, spans, CONTEXT, len(spans), 5)[1] == found
    score = fmt.results(outputs, batch)[0][0]
    assert n_best(*sides, spans, CONTEXT, 3, 5)[0] <= score + 1e-6
    assert found in CONTEXT


def test_the_empty_answer_wins_by_more_than_the_threshold(tokenizer):
    for threshold, expected in ((-0.5, ""), (0.5, "tom")):
        fmt = get_format("span_qa", f"qa/null-threshold-{threshold}")
        example = SpanExample(
            example_id="1",
            cluster_id="1",
            language="en",
            question="who?",
            context="tom ran",
            answers=(),
            answer_starts=(),
        )
        features = fmt.encode([example], tokenizer, max_length=32, labels=(), train=False)
        batch = fmt.collate(features, pad_id=1)
        outputs = torch.full((*batch.input_ids.shape, 2), -9.0)
        spans, first = features[0].target.spans, features[0].target.first
        ends = [i for i, (begin, stop) in enumerate(spans) if stop == 3 and begin < stop]
        starts = [i for i, (begin, stop) in enumerate(spans) if begin == 0 and begin < stop]
        outputs[0, first + starts[0], 0] = outputs[0, first + ends[-1], 1] = 1.0
        outputs[0, 0] = 1.0  # the empty answer scores the same: 2
        assert fmt.decode(fmt.results(outputs, batch), features, [example], ()) == [expected]
    plain = get_format("span_qa", "qa/squad-normaliser")
    assert plain.decode(plain.results(outputs, batch), features, [example], ()) == ["tom"]


def test_one_window_with_an_answer_is_enough(tokenizer):
    fmt = get_format("span_qa", tasks()["squad-v2"].protocol)
    example, features, batch, outputs = answered(fmt, tokenizer, 0, max_length=30)
    assert len(features) > 1
    outputs[:] = 0.0
    outputs[:, 0] = 5.0  # every window: empty by far
    empty = fmt.decode(fmt.results(outputs, batch), features, [example], ())
    outputs[-1, 0] = -5.0  # but the last is sure of an answer
    sure = fmt.decode(fmt.results(outputs, batch), features, [example], ())
    assert empty == [""]
    assert sure[0]
    assert sure[0] in CONTEXT


def test_empty_answers_score_as_in_squad_2():
    counts = count_predictions(METRICS["qa2_f1"], ["", "tom", "", "tom"], ["[]", "[]", '["tom"]', '["tom"]'])
    assert counts[:, 0].tolist() == [1.0, 0.0, 0.0, 1.0]
