"""The start values of the world's recipe: heads that look at neighbours, and heads that look at equal tokens."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from adapterxfer.pretraining.corpus import Corpus, Sequences, SpecialTokens, Stream
from adapterxfer.pretraining.mlm import initial_model
from adapterxfer.world import recipe

CORPUS = Corpus(
    ("en",),
    200,
    SpecialTokens(),
    (Stream("mono", 1.0, Sequences.build([[0, *range(10, 30), 2]], [0])),),
    Sequences.build([[0, *range(10, 30), 2]], [0]),
)


def first_layer_attention(size: str, tokens: list[int]) -> NDArray[np.float32]:
    """Attention of layer 1 before training, shape (heads, tokens, tokens)."""
    shape = recipe.SIZES[size]
    model = initial_model(CORPUS, recipe.settings(size, 1, 1e-3, ())).eval()
    part = model.roberta.encoder.layer[0].attention.self
    with torch.inference_mode():
        inputs = model.roberta.embeddings(input_ids=torch.tensor([tokens]))[0]
        width = shape.hidden // shape.heads
        heads = [m(inputs).view(len(tokens), shape.heads, width).transpose(0, 1) for m in (part.query, part.key)]
        return ((heads[0] @ heads[1].transpose(1, 2)) / width**0.5).softmax(dim=-1).numpy()


@pytest.mark.parametrize("size", recipe.SIZES)
def test_heads_look_at_neighbours_and_at_equal_tokens(size: str) -> None:
    rng = np.random.default_rng(1)
    near: dict[int, list[float]] = {-1: [], 1: []}
    equal, other = [], []
    for _ in range(20):
        tokens = rng.permutation(np.arange(10, 190))[:12]
        tokens[8] = tokens[2]
        attention = first_layer_attention(size, [0, *tokens.tolist(), 2])
        for head, offset in ((0, -1), (1, 1)):
            near[offset] += [attention[head, at, at + offset] for at in range(1, 13)]
        for head in range(2, recipe.SIZES[size].heads):
            equal += [attention[head, 3, 9], attention[head, 9, 3]]
            other += [attention[head, 3, at] for at in range(1, 13) if at not in (3, 9)]
    assert np.mean(near[-1]) > 3 / 14  # three times what an even spread over 14 tokens gives
    assert np.mean(near[1]) > 3 / 14
    assert np.mean(equal) > 10 * np.mean(other)
