"""Retrieval with a trained head."""

import numpy as np
import pytest
import torch

from adapterxfer.data.examples import RetrievalExample
from adapterxfer.errors import StageError
from adapterxfer.formats.dual_encoder import DualEncoder
from adapterxfer.formats.registry import FORMATS, get_format

WORDS = ("tom", "anna", "dog", "big", "cat", "saw", "ran", "the")


def test_a_dual_encoder_learns_and_does_not_depend_on_padding(tokenizer):
    fmt = get_format("retrieval", "squad-retrieval/dual-encoder/top-layer/tokens-6-8")
    assert isinstance(fmt, DualEncoder)
    examples = [
        RetrievalExample(str(i), str(i), "en", f"x{word} tom", f"{word} big dog anna") for i, word in enumerate(WORDS)
    ]
    features = fmt.encode(examples, tokenizer, max_length=32, labels=(), train=True)
    assert max(len(f.sequences[0]) for f in features) <= 6
    assert max(len(f.sequences[1]) for f in features) <= 8
    torch.manual_seed(0)
    body = torch.nn.Embedding(200, 16)
    head = fmt.make_head(16, (), generator=torch.Generator().manual_seed(1), std=0.3)
    mix = torch.nn.Linear(16, 16)

    def outputs(chosen):
        batch = fmt.collate(chosen, pad_id=1)
        states = body(batch.input_ids) * batch.attention_mask.unsqueeze(-1)
        mean = states.sum(1, keepdim=True) / batch.attention_mask.sum(1)[:, None, None]
        return head(torch.tanh(mix(states + 3 * mean)), batch), batch

    optimiser = torch.optim.Adam([*body.parameters(), *mix.parameters(), *head.parameters()], lr=0.02)
    first = None
    for _ in range(60):
        loss = fmt.loss(*outputs(features))
        first = first or loss.total.item()
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
    assert loss.units == len(examples)
    assert loss.total.item() < 0.2 * first
    assert head.log_scale.grad is not None
    with torch.inference_mode():
        together = fmt.results(*outputs(features))
        alone = [fmt.results(*outputs([feature]))[0] for feature in features]
    np.testing.assert_allclose(np.stack(together), np.stack(alone), atol=1e-4)
    assert fmt.decode(together, features, examples, ()) == [e.example_id for e in examples]


def test_training_never_cuts_a_batch_that_compares_its_examples():
    assert get_format("retrieval", "dual-encoder").whole_batch
    assert not any(get_format(name).whole_batch for name in FORMATS)


def test_a_batch_stays_whole_whatever_the_memory(tokenizer):
    from types import SimpleNamespace

    from adapterxfer.training.micro import Accumulator
    from adapterxfer.training.parallel import Processes

    fmt = get_format("retrieval", "dual-encoder")
    features = [SimpleNamespace(length=10, rows=2) for _ in range(8)]
    task = SimpleNamespace(format=fmt, name="pairs")
    accumulator = Accumulator.__new__(Accumulator)
    accumulator.token_budget = 1
    assert len(accumulator._parts(task, features)) == 1
    assert len(accumulator._parts(SimpleNamespace(format=get_format("span_qa")), features)) == 8
    Processes(SimpleNamespace(num_processes=1, process_index=0)).check([task])
    with pytest.raises(StageError, match="each of 2 processes"):
        Processes(SimpleNamespace(num_processes=2, process_index=0)).check([task])
