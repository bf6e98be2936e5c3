"""Every format: encode, collate, head, loss, results, decode; and the traps of each."""

import hashlib

import numpy as np
import pytest
import torch

from adapterxfer.data.examples import ChoiceExample, PairExample, RetrievalExample, SpanExample, TaggingExample
from adapterxfer.errors import DataError, VariantError
from adapterxfer.formats.registry import FORMATS, get_format
from adapterxfer.formats.retrieval import nearest_neighbours
from adapterxfer.formats.span_qa import answer_tokens, best_spans
from adapterxfer.formats.tagging import untokenized_words

EXAMPLES = {
    "sequence_classification": [
        PairExample("1", "1", "en", "tom saw anna", "tom saw", "yes"),
        PairExample("2", "2", "en", "the big dog", None, "no"),
    ],
    "tagging": [
        TaggingExample("1", "1", "en", ("Tom", "saw", "(", "anna", ")"), ("B", "O", "O", "B", "O")),
        TaggingExample("2", "2", "en", ("the", "dog"), ("O", "O")),
    ],
    "span_qa": [
        SpanExample(
            example_id="1",
            cluster_id="1",
            language="en",
            question="who saw?",
            context="the dog saw Tom.",
            answers=("Tom",),
            answer_starts=(12,),
        ),
        SpanExample(
            example_id="2",
            cluster_id="1",
            language="en",
            question="who saw?",
            context="anna",
            answers=(),
            answer_starts=(),
        ),
    ],
    "multiple_choice": [
        ChoiceExample(
            example_id="1",
            cluster_id="1",
            language="en",
            context="tom saw",
            question="who?",
            choices=("anna", "the big dog"),
            label=1,
        ),
        ChoiceExample(
            example_id="2",
            cluster_id="2",
            language="en",
            context="",
            question="who?",
            choices=("a", "b", "c", "d"),
            label=3,
        ),
    ],
    "retrieval": [
        RetrievalExample("1", "1", "de", "xom", "tom"),
        RetrievalExample("2", "2", "de", "xanna", "anna"),
    ],
}
LABELS = {"sequence_classification": ("no", "yes"), "tagging": ("O", "B")}

PINNED = {
    ("sequence_classification", ""): "09fcfe77b479dfea",
    ("tagging", ""): "6304ccc7ff64f8d9",
    ("span_qa", ""): "0399b2ca3c516c8b",
    ("multiple_choice", ""): "b80800aff7d998ae",
    ("retrieval", ""): "44115c55f464306b",
    ("retrieval", "dual-encoder/tokens-6-8"): "3bddb3656a625d9d",
}
"""Digest of features and batch. Stored runs were trained and predicted on these bytes, so they stay."""


class Backbone(torch.nn.Module):
    """Each position sees its neighbours and itself, and nothing beyond: enough to learn, and padding must not leak."""

    def __init__(self, hidden=24):
        super().__init__()
        self.table = torch.nn.Embedding(200, hidden)
        self.mix = torch.nn.Linear(2 * hidden, hidden)

    def forward(self, ids, mask):
        states = self.table(ids) * mask.unsqueeze(-1)
        mean = states.sum(1, keepdim=True) / mask.sum(1, keepdim=True).unsqueeze(-1)
        return torch.tanh(self.mix(torch.cat([states, mean.expand_as(states)], dim=-1)))


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "retrieval"])
def test_a_format_can_be_learnt_and_decoded(tokenizer, name):
    torch.manual_seed(0)
    fmt, examples, labels = get_format(name), EXAMPLES[name], LABELS.get(name, ())
    features = fmt.encode(examples, tokenizer, max_length=32, labels=labels, train=True)
    batch = fmt.collate(features, pad_id=1).to("cpu")
    body, head = Backbone(), fmt.make_head(24, labels, generator=torch.Generator().manual_seed(1))
    optimiser = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=0.02)
    first = None
    for _ in range(120):
        loss = fmt.loss(head(body(batch.input_ids, batch.attention_mask), batch), batch)
        first = first or loss.total.item() / loss.units
        optimiser.zero_grad()
        (loss.total / loss.units).backward()
        optimiser.step()
    assert loss.total.item() / loss.units < 0.1 * first
    predictions = fmt.decode(
        fmt.results(head(body(batch.input_ids, batch.attention_mask), batch), batch), features, examples, labels
    )
    gold = {
        "sequence_classification": ["yes", "no"],
        "tagging": ["B O O B O", "O O"],
        "multiple_choice": ["1", "3"],
        "span_qa": ["Tom", "anna"],
    }
    assert predictions == gold[name]


@pytest.mark.parametrize("name", FORMATS)
def test_loss_and_results_do_not_depend_on_the_batch(tokenizer, name):
    torch.manual_seed(0)
    fmt, examples, labels = get_format(name), EXAMPLES[name], LABELS.get(name, ())
    features = fmt.encode(examples, tokenizer, max_length=32, labels=labels, train=True)
    body, head = Backbone(), fmt.make_head(24, labels, generator=torch.Generator().manual_seed(1))

    def run(part):
        batch = fmt.collate(part, pad_id=1)
        outputs = head(body(batch.input_ids, batch.attention_mask), batch)
        loss = fmt.loss(outputs, batch) if fmt.trainable else (torch.zeros(()), 0)
        return loss, fmt.results(outputs, batch)

    together, alone = run(features), [run([feature]) for feature in features]
    assert sum(loss[0].item() for loss, _ in alone) == pytest.approx(together[0][0].item(), rel=1e-5)
    assert sum(loss[1] for loss, _ in alone) == together[0][1]
    assert len(together[1]) == len(features)
    joined = [result for _, results in alone for result in results]
    for one, other in zip(together[1], joined, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "protocol"), PINNED)
def test_features_and_batches_stay_what_they_are(tokenizer, name, protocol):
    fmt = get_format(name, protocol)
    features = fmt.encode(EXAMPLES[name], tokenizer, max_length=9, labels=LABELS.get(name, ()), train=True)
    batch = fmt.collate(features, pad_id=1)
    total = hashlib.sha256(repr([(f.sequences, f.target, f.example) for f in features]).encode())
    tensors = {"ids": batch.input_ids, "mask": batch.attention_mask, **batch.fields}
    if batch.reads is not None:
        tensors |= {"places": batch.reads.positions, "slots": batch.reads.slots}
    for key in sorted(tensors):
        total.update(
            f"{key} {tensors[key].dtype} {tuple(tensors[key].shape)}".encode() + tensors[key].numpy().tobytes()
        )
    total.update(repr(batch.sizes).encode())
    assert total.hexdigest()[:16] == PINNED[name, protocol]


def test_heads_are_reproducible_and_leave_the_global_generator_alone():
    before = torch.random.get_rng_state()
    for name in FORMATS:
        fmt = get_format(name)
        one, two = (
            fmt.make_head(8, ("a", "b"), generator=torch.Generator().manual_seed(3)).state_dict() for _ in range(2)
        )
        other = fmt.make_head(8, ("a", "b"), generator=torch.Generator().manual_seed(4)).state_dict()
        assert all(torch.equal(one[key], two[key]) and torch.isfinite(one[key]).all() for key in one)
        assert not one or any(not torch.equal(one[key], other[key]) for key in one)
    assert torch.equal(before, torch.random.get_rng_state())


def test_tagging_skips_a_lone_mark_but_not_the_only_token(tokenizer):
    example = TaggingExample("1", "1", "zh", ("\u5317", ")", "tom", "\u2581"), ("O", "B", "O", "B"))
    (feature,) = get_format("tagging").encode([example], tokenizer, max_length=32, labels=("O", "B"), train=False)
    tokens = [tokenizer.id_to_token(feature.sequences[0][p]) for p in feature.target.positions]
    assert tokens[:3] == ["\u5317", ")", "\u2581tom"]
    assert len(tokens) == 4


def test_tagging_gives_each_word_one_tag_whatever_the_length(tokenizer):
    words = ("tom", "\u200b", "xyzxyzxyzxyz", "saw", "(", "anna", "", "dog", "big")
    tags = ("B", "B", "O", "O", "B", "O", "B", "O", "B")
    example = TaggingExample("1", "1", "en", words, tags)
    fmt = get_format("tagging")
    for length in (6, 7, 9, 12, 64):
        features = fmt.encode([example], tokenizer, max_length=length, labels=("O", "B"), train=False)
        assert max(f.length for f in features) <= length
        assert [w for f in features for w in f.target.words] == [0, 2, 3, 4, 5, 7, 8]
        assert untokenized_words([example], features) == 2
        gold = [np.array(f.target.tags) for f in features]
        assert fmt.decode(gold, features, [example], ("O", "B")) == ["B O O O B O O O B"]
    empty = TaggingExample("2", "2", "en", ("\u200b", ""), ("B", "B"))
    assert fmt.encode([empty], tokenizer, max_length=8, labels=("O", "B"), train=False) == []
    assert fmt.decode([], [], [empty], ("O", "B")) == ["O O"]


def test_unknown_or_repeated_labels_are_refused(tokenizer):
    for labels in ((), ("O",), ("O", "O")):
        with pytest.raises(DataError, match="at least two"):
            get_format("tagging").encode(EXAMPLES["tagging"], tokenizer, max_length=16, labels=labels, train=True)


def qa(context, answer, start):
    return SpanExample(
        example_id="1",
        cluster_id="1",
        language="en",
        question="who?",
        context=context,
        answers=(answer,),
        answer_starts=(start,),
    )


@pytest.mark.parametrize(
    ("context", "answer"),
    [
        ("the dog saw Tom.", "Tom"),
        ("\U0001f600 anna (tom) saw", "(tom)"),
        ("\U0001f600 anna (tom) saw", "tom"),
        ("\u5317\u4eac\u5927 saw", "\u4eac"),
        ("  tom  saw ", "tom"),
        ("tom saw 12, 34", "12, 34"),
    ],
)
def test_gold_tokens_decode_to_the_answer(tokenizer, context, answer):
    fmt, example = get_format("span_qa"), qa(context, answer, context.index(answer))
    (feature,) = fmt.encode([example], tokenizer, max_length=64, labels=(), train=True)
    result = (1.0, feature.target.start, feature.target.end)
    assert fmt.decode([result], [feature], [example], ()) == [answer]


def test_long_contexts_become_windows_that_cover_everything(tokenizer):
    context = " ".join(["tom saw the big dog."] * 12) + " anna"
    example = qa(context, "anna", len(context) - 4)
    fmt = get_format("span_qa")
    features = fmt.encode([example], tokenizer, max_length=24, labels=(), train=True)
    assert len(features) > 3
    assert max(f.length for f in features) <= 24
    spans = [span for f in features for span in f.target.spans if span[0] < span[1]]
    assert set(range(len(context))) - {i for a, b in spans for i in range(a, b)} == {
        i for i, c in enumerate(context) if c == " "
    }
    inside = [f.target.end > 0 for f in features]
    assert inside[-1]
    assert not inside[0]
    results = [(float(i), f.target.first, f.target.first) for i, f in enumerate(features)]
    results[-1] = (99.0, features[-1].target.start, features[-1].target.end)
    assert fmt.decode(results, features, [example], ()) == ["anna"]
    exact = fmt.encode([qa("tom", "tom", 0)], tokenizer, max_length=64, labels=(), train=True)
    assert len(exact) == 1


def test_best_span_is_the_best_valid_one():
    rng = np.random.default_rng(5)
    for _ in range(50):
        width, limit = int(rng.integers(1, 9)), int(rng.integers(1, 12))
        logits, allowed = rng.normal(size=(3, width, 2)), rng.random((3, width)) < 0.7
        found = best_spans(torch.from_numpy(logits), torch.from_numpy(allowed), limit)
        for row in range(3):
            valid = [
                (np.float32(logits[row, i, 0]) + np.float32(logits[row, j, 1]), i, j)
                for i in range(width)
                for j in range(i, min(i + limit, width))
                if allowed[row, i] and allowed[row, j]
            ]
            if valid:
                assert found[row][1:] == max(valid)[1:]
            else:
                assert found[row][0] == -np.inf


def test_a_context_without_tokens_gives_an_empty_answer(tokenizer):
    fmt, example = (
        get_format("span_qa"),
        SpanExample(
            example_id="1",
            cluster_id="1",
            language="en",
            question="who?",
            context=" \u200b",
            answers=(),
            answer_starts=(),
        ),
    )
    features = fmt.encode([example], tokenizer, max_length=32, labels=(), train=False)
    batch = fmt.collate(features, pad_id=1)
    outputs = torch.zeros(*batch.input_ids.shape, 2)
    assert fmt.decode(fmt.results(outputs, batch), features, [example], ()) == [""]
    assert torch.isfinite(fmt.loss(outputs, batch).total)
    assert answer_tokens([(0, 0)], 0, 1) is None


def test_answer_length_limit_comes_from_the_protocol():
    assert get_format("span_qa", "qa/squad-normaliser/max-answer-7").max_answer_tokens == 7
    assert get_format("span_qa", "qa/squad-normaliser").max_answer_tokens == 30
    with pytest.raises(DataError, match="format 'nli'"):
        get_format("nli")


def test_missing_choices_never_win(tokenizer):
    fmt = get_format("multiple_choice")
    features = fmt.encode(EXAMPLES["multiple_choice"], tokenizer, max_length=32, labels=(), train=True)
    batch = fmt.collate(features, pad_id=1)
    assert fmt.results(torch.tensor([[-9.0], [-8.0], [1.0], [2.0], [0.0], [-1.0]]), batch) == [1, 1]
    assert batch.sizes == (2, 4)


def test_retrieval_searches_each_language_apart_and_breaks_ties_by_order(tokenizer):
    fmt = get_format("retrieval")
    examples = [
        RetrievalExample(str(i), str(i), language, f"{language} {word}", word)
        for language in ("de", "fr")
        for i, word in enumerate(["tom", "anna", "anna", "dog"])
    ]
    features = fmt.encode(examples, tokenizer, max_length=16, labels=(), train=False)
    vectors = {"tom": (1.0, 0.0), "anna": (0.0, 1.0), "dog": (-1.0, 0.0)}
    results = [np.array([vectors[e.translation]] * 2) for e in examples]
    assert fmt.decode(results, features, examples, ()) == ["0", "1", "1", "3"] * 2
    with pytest.raises(VariantError, match="no loss"):
        fmt.loss(torch.zeros(1), fmt.collate(features, pad_id=1))


def test_centring_removes_what_a_language_has_in_common():
    rng = np.random.default_rng(0)
    meaning = rng.normal(size=(30, 8))
    queries, candidates = meaning + 0.05 * rng.normal(size=(30, 8)) + 20, meaning - 20
    assert (nearest_neighbours(queries, candidates) == np.arange(30)).all()
    assert (nearest_neighbours(queries, candidates, centred=False) == np.arange(30)).mean() < 0.5


def test_retrieval_pools_over_the_texts_own_tokens(tokenizer):
    fmt = get_format("retrieval")
    features = fmt.encode(EXAMPLES["retrieval"], tokenizer, max_length=16, labels=(), train=False)
    batch = fmt.collate(features, pad_id=1)
    states = batch.input_ids.unsqueeze(-1).float()
    pooled = fmt.make_head(1, (), generator=torch.Generator())(states, batch)
    expected = [np.mean(sequence[1:-1]) for feature in features for sequence in feature.sequences]
    np.testing.assert_allclose(pooled.squeeze(-1).numpy(), expected, rtol=1e-6)
