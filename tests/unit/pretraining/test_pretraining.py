"""Corpus, batches, start values, loop and diagnostics on corpora of a few hundred sequences."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import XLMRobertaForMaskedLM, XLMRobertaModel

from adapterxfer.errors import DataError
from adapterxfer.pretraining.attention import use_fp32_product
from adapterxfer.pretraining.batches import Masking, gather, mask_tokens, plan_batches, step_generator
from adapterxfer.pretraining.corpus import Corpus, Sequences, SpecialTokens, Stream
from adapterxfer.pretraining.diagnostics import Heldout, diagnose
from adapterxfer.pretraining.initialisation import OFFSETS, Initialisation, build_config, build_model
from adapterxfer.pretraining.mlm import PretrainingSettings, pretrain, schedule
from adapterxfer.pretraining.module_order import named_parameters
from adapterxfer.pretraining.saving import save_backbone
from adapterxfer.pretraining.speed import tokens_per_second

VOCABULARY = 60


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def counting_row(start: int, length: int) -> list[int]:
    """Tokens that count upwards: a neighbour tells everything, frequencies tell nothing."""
    return [0, *(5 + (start + i) % (VOCABULARY - 5) for i in range(length)), 2]


def counting_corpus(sequences: int = 400) -> Corpus:
    rng = np.random.default_rng(0)

    def rows(count: int) -> list[list[int]]:
        return [counting_row(int(rng.integers(50)), int(rng.integers(6, 14))) for _ in range(count)]

    mono = Sequences.build(rows(sequences), rng.integers(0, 2, sequences))
    pairs = Sequences.build(rows(sequences // 4), [-1] * (sequences // 4))
    heldout = Sequences.build(rows(60), [0, 1] * 30)
    streams = (Stream("mono", 0.7, mono), Stream("parallel", 0.3, pairs))
    return Corpus(("en", "de"), VOCABULARY, SpecialTokens(), streams, heldout)


SETTINGS = PretrainingSettings(
    hidden=32,
    layers=1,
    heads=2,
    tokens=40_000,
    batch_sequences=16,
    learning_rate=5e-3,
    initialisation=Initialisation(kind="relative-offset"),
)


def test_ragged_rows_survive_packing_selecting_padding_and_saving(tmp_path):
    rows = [[0, 7, 2], [0, 9, 8, 7, 2], [0, 2]]
    packed = Sequences.build(rows, [0, 1, -1])
    assert packed.lengths.tolist() == [3, 5, 2]
    chosen = packed.select(np.array([1, 2, 1]))
    assert chosen.tokens.tolist() == [*rows[1], *rows[2], *rows[1]]
    assert packed.padded(np.array([2, 0]), 1).tolist() == [[0, 2, 1], [0, 7, 2]]
    corpus = counting_corpus()
    corpus.save(tmp_path)
    again = Corpus.load(tmp_path)
    assert again.languages == corpus.languages
    assert np.array_equal(again.heldout.tokens, corpus.heldout.tokens)
    assert [s.weight for s in again.streams] == [0.7, 0.3]
    assert np.array_equal(again.streams[1].sequences.offsets, corpus.streams[1].sequences.offsets)


def test_impossible_corpora_are_refused():
    corpus = counting_corpus()
    with pytest.raises(DataError, match="parallell"):
        corpus.with_shares({"parallell": 0.5})
    with pytest.raises(DataError, match="vocabulary of 10"):
        dataclasses.replace(corpus, vocabulary=10)
    with pytest.raises(DataError, match="held-out"):
        dataclasses.replace(corpus, heldout=Sequences.build([[0, 5, 2]], [-1]))
    assert [s.weight for s in corpus.with_shares({"parallel": 0, "mixed": 0}).streams] == [0.7, 0]


@given(st.integers(500, 20_000), st.integers(1, 40), st.floats(0, 0.95), st.integers(0, 99))
def test_planned_batches_are_full_reach_the_budget_and_keep_the_shares(tokens, sequences, share, seed):
    corpus = counting_corpus(200).with_shares({"mono": 1 - share, "parallel": share})
    plan = plan_batches(corpus, tokens=tokens, batch_sequences=sequences, seed=seed)
    assert all(len(batch.rows) == len(batch.streams) == sequences for batch in plan)
    drawn = {
        index: sum(int(corpus.streams[index].sequences.lengths[b.rows[b.streams == index]].sum()) for b in plan)
        for index in (0, 1)
    }
    slack = 40 * 16 + 32
    assert abs(drawn[0] + drawn[1] - tokens) <= slack
    assert abs(drawn[1] - share * tokens) <= slack


def test_the_order_depends_on_the_seed_and_a_pass_precedes_every_repetition():
    corpus = counting_corpus(200).with_shares({"parallel": 0})
    plans = [plan_batches(corpus, tokens=6000, batch_sequences=8, seed=seed) for seed in (1, 1, 2)]
    flat = [np.concatenate([batch.rows for batch in plan]) for plan in plans]
    assert np.array_equal(flat[0], flat[1])
    assert not np.array_equal(flat[0], flat[2])
    counts = np.bincount(flat[0], minlength=200)
    assert counts.max() - counts.min() <= 2


def test_batches_are_bucketed_by_length():
    corpus = counting_corpus(2000)
    plan = plan_batches(corpus, tokens=20_000, batch_sequences=16, seed=1)
    tokens = [gather(corpus, batch) for batch in plan]
    assert np.mean([(block == 1).mean() for block in tokens]) < 0.06


def test_masking_follows_80_10_10_spares_special_tokens_and_boosts():
    rng = np.random.default_rng(3)
    tokens = rng.integers(5, VOCABULARY, size=(400, 50))
    tokens[:, 0], tokens[:, -1], tokens[:, 40:49] = 0, 1, 6
    masked = mask_tokens(tokens, Masking(0.2, boosted=(6,)), SpecialTokens(), VOCABULARY, rng)
    hidden = np.zeros(tokens.size, dtype=bool)
    hidden[masked.positions] = True
    flat, inputs = tokens.reshape(-1), masked.inputs.reshape(-1)
    assert not hidden[flat < 5].any()
    assert np.array_equal(inputs[~hidden], flat[~hidden])
    assert np.array_equal(masked.targets, flat[hidden])
    marker = flat == 6
    assert hidden[marker & (np.arange(flat.size) % 50 >= 40)].mean() == pytest.approx(0.9, abs=0.02)
    assert hidden[~marker & (flat >= 5)].mean() == pytest.approx(0.2, abs=0.01)
    assert (inputs[hidden] == 4).mean() == pytest.approx(0.8, abs=0.02)
    assert (inputs[hidden] == flat[hidden]).mean() == pytest.approx(0.1, abs=0.02)
    assert set(masked.weights[masked.targets == 6]) == {4.0}
    assert masked.tokens == 400 * 49


def test_an_even_count_of_predictions_adds_no_weight():
    tokens = np.random.default_rng(0).integers(5, VOCABULARY, size=(8, 20))
    masked = mask_tokens(tokens, Masking(0.2), SpecialTokens(), VOCABULARY, np.random.default_rng(0))
    even = masked.with_even_count(64)
    assert len(even.positions) == len(even.targets) == len(even.weights) == 64
    assert even.weights.sum() == masked.weights.sum()
    assert np.array_equal(even.positions[: len(masked.positions)], masked.positions)
    assert even.with_even_count(64).positions.shape == even.positions.shape


def test_something_is_always_predicted():
    masked = mask_tokens(np.array([[0, 9, 2]]), Masking(0.0), SpecialTokens(), 20, np.random.default_rng(0))
    assert masked.positions.tolist() == [1]
    assert masked.targets.tolist() == [9]


@pytest.mark.parametrize(("hidden", "heads"), [(64, 4), (48, 3), (96, 2)])
def test_relative_offset_heads_look_at_their_neighbours(hidden, heads):
    config = build_config(hidden=hidden, layers=2, heads=heads, vocabulary=500, longest=40, special=SpecialTokens())
    config._attn_implementation = "eager"
    model = build_model(config, Initialisation(kind="relative-offset"), seed=5).eval()
    tokens = torch.from_numpy(np.random.default_rng(0).integers(5, 500, size=(8, 40)))
    with torch.inference_mode():
        attention = model.roberta(input_ids=tokens, output_attentions=True).attentions[0].mean(dim=0)
    for head, offset in enumerate(OFFSETS[:heads]):
        inner = range(3, 37)
        at_offset = np.mean([float(attention[head, i, i + offset]) for i in inner])
        elsewhere = np.mean([float(attention[head, i, i - offset]) for i in inner])
        assert at_offset > 4 / 40, (head, at_offset)  # four times the uniform weight
        assert at_offset > 4 * elsewhere


def test_start_values_come_from_the_seed_alone():
    config = build_config(hidden=32, layers=1, heads=2, vocabulary=50, longest=16, special=SpecialTokens())
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = build_model(config, Initialisation(), seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    same, other = build_model(config, Initialisation(), seed=1), build_model(config, Initialisation(), seed=2)
    for (name, a), b, c in zip(first.named_parameters(), same.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b), name
        assert torch.equal(a, c) == (a.ndim < 2), name
    assert float(first.roberta.embeddings.word_embeddings.weight[7].detach().std()) == pytest.approx(0.02, rel=0.4)


def test_training_learns_from_context_and_repeats_bit_for_bit(tmp_path):
    corpus, lines = counting_corpus(), []
    first = pretrain(corpus, SETTINGS, lines.append)
    second = pretrain(corpus, SETTINGS, lambda line: None)
    for (name, a), b in zip(first.model.named_parameters(), second.model.parameters(), strict=True):
        assert torch.equal(a, b), name
    heldout = first.record["heldout"]
    assert heldout["unigram"] == pytest.approx(np.log(55), abs=0.1)
    assert heldout["mlm"] < heldout["unigram"] - 1.5
    assert heldout["shuffled"] > heldout["mlm"] + 1.5
    assert heldout["uses_context"]
    assert [point["fraction"] for point in first.record["curve"]] == [0.125, 0.25, 0.5, 1.0]
    assert not any("warning" in line for line in lines)
    json.dumps(first.record)


def test_the_untrained_twin_has_the_start_values_and_uses_no_context():
    corpus = counting_corpus()
    twin = pretrain(corpus, dataclasses.replace(SETTINGS, tokens=0), lambda line: None)
    assert twin.record["steps"] == 0
    assert not twin.record["heldout"]["uses_context"]
    config = build_config(hidden=32, layers=1, heads=2, vocabulary=VOCABULARY, longest=15, special=SpecialTokens())
    start = build_model(config, SETTINGS.initialisation, seed=SETTINGS.seed, output_bias=corpus.mixture_unigram())
    for a, b in zip(twin.model.parameters(), start.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_model_without_context_is_reported():
    rng = np.random.default_rng(1)
    rows = [[0, *rng.integers(5, VOCABULARY, 10), 2] for _ in range(100)]
    part = Sequences.build(rows, [0] * 100)
    corpus = Corpus(("en",), VOCABULARY, SpecialTokens(), (Stream("mono", 1.0, part),), part)
    lines: list[dict[str, object]] = []
    pretrain(corpus, dataclasses.replace(SETTINGS, tokens=2000, learning_rate=1e-4), lines.append)
    assert "uses no context" in str(lines[-1]["warning"])


def test_shuffled_context_keeps_the_hidden_positions_and_the_tokens_of_a_language():
    corpus = counting_corpus()
    heldout = Heldout.build(corpus, share=0.2)
    for language in (0, 1):
        bags = [
            np.sort(np.concatenate([getattr(b, kind).inputs[b.languages == language].ravel() for b in heldout.batches]))
            for kind in ("masked", "shuffled")
        ]
        assert np.array_equal(bags[0], bags[1])
    for batch in heldout.batches:
        assert np.array_equal(
            batch.masked.inputs.ravel()[batch.masked.positions], batch.shuffled.inputs.ravel()[batch.masked.positions]
        )
    model = pretrain(corpus, dataclasses.replace(SETTINGS, tokens=0), lambda line: None).model.train()
    found = diagnose(model, heldout, corpus.unigrams())
    assert model.training
    assert found.positions == sum(len(batch.masked.positions) for batch in heldout.batches)
    assert set(found.by_language) == {"en", "de"}


def test_fp32_product_computes_the_same_function():
    config = build_config(hidden=32, layers=2, heads=2, vocabulary=50, longest=16, special=SpecialTokens())
    model = build_model(config, Initialisation(std=0.2), seed=1).eval()
    tokens = torch.tensor([[0, 9, 8, 2], [0, 7, 2, 1]])
    with torch.inference_mode():
        before = model(input_ids=tokens, attention_mask=(tokens != 1).long()).logits
        names = list(model.state_dict())
        use_fp32_product(model)
        after = model.eval()(input_ids=tokens, attention_mask=(tokens != 1).long()).logits
    assert list(model.state_dict()) == names
    torch.testing.assert_close(before, after)


def test_start_values_and_gradients_have_an_order_of_their_own():
    """The order of transformers 4.57.6, which registers position embeddings early and the head last; 5 does not."""
    config = build_config(hidden=16, layers=2, heads=2, vocabulary=50, longest=16, special=SpecialTokens())
    model = build_model(config, Initialisation(std=0.2), seed=3)
    drawn = [f"roberta.embeddings.{table}_embeddings.weight" for table in ("word", "position", "token_type")]
    layer = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"]
    layer += ["intermediate.dense", "output.dense"]
    drawn += [f"roberta.encoder.layer.{index}.{path}.weight" for index in range(2) for path in layer]
    generator, state = torch.Generator().manual_seed(3), model.state_dict()
    for name in [*drawn, "lm_head.dense.weight"]:
        expected = torch.empty_like(state[name]).normal_(0.0, 0.2, generator=generator)
        if name.endswith(("word_embeddings.weight", "position_embeddings.weight")):
            expected[config.pad_token_id] = 0.0
        assert torch.equal(state[name], expected), name
    ordered = list(named_parameters(model))
    assert ordered[:5] == [*drawn[:3], "roberta.embeddings.LayerNorm.weight", "roberta.embeddings.LayerNorm.bias"]
    assert [name for name in ordered if "layer.1" in name][:3] == [
        f"roberta.encoder.layer.1.attention.self.{end}" for end in ("query.weight", "query.bias", "key.weight")
    ]
    head = ["bias", "dense.weight", "dense.bias", "layer_norm.weight", "layer_norm.bias"]
    assert ordered[-5:] == [f"lm_head.{end}" for end in head]


@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_a_saved_backbone_opens_with_transformers(tmp_path, dtype):
    done = pretrain(counting_corpus(), dataclasses.replace(SETTINGS, tokens=0), lambda line: None)
    save_backbone(tmp_path, done.model, None, done.record, dtype=dtype)
    assert not any("decoder" in name for name in load_file(tmp_path / "model.safetensors"))
    tokens = torch.tensor([[0, 9, 8, 2]])
    encoder = XLMRobertaModel.from_pretrained(tmp_path, add_pooling_layer=False, dtype=torch.float32).eval()
    whole = XLMRobertaForMaskedLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    tolerance = 1e-6 if dtype == "fp32" else 3e-3
    with torch.inference_mode():
        torch.testing.assert_close(
            encoder(tokens).last_hidden_state,
            done.model.roberta(tokens).last_hidden_state,
            atol=tolerance,
            rtol=tolerance,
        )
        torch.testing.assert_close(whole(tokens).logits, done.model(tokens).logits, atol=tolerance, rtol=tolerance)


def test_the_schedule_rises_for_the_warm_up_then_falls_to_zero():
    factors = [schedule(step, 100, 0.08) for step in range(100)]
    assert factors[7] == factors[8] == 1.0
    assert factors[0] == 0.125
    assert factors[-1] == pytest.approx(1 / 92)
    assert np.all(np.diff(factors[8:]) < 0)


def test_the_probe_measures_a_positive_speed_and_steps_have_their_own_masks():
    assert tokens_per_second(SETTINGS, vocabulary=50, sequence_length=8, seconds=0.05) > 100
    draws = [step_generator(1, step).random() for step in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
