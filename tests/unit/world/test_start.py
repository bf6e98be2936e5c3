"""The start values of the world's recipe: some heads of layer 1 look at tokens equal to their own."""

import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize("size", recipe.SIZES)
def test_matching_heads_look_at_equal_tokens(size: str) -> None:
    shape = recipe.SIZES[size]
    model = initial_model(CORPUS, recipe.settings(size, 1, 1e-3, ())).eval()
    part = model.roberta.encoder.layer[0].attention.self
    rng = np.random.default_rng(1)
    tokens = np.stack([rng.permutation(np.arange(10, 190))[:12] for _ in range(20)])
    tokens[:, 8] = tokens[:, 2]
    with torch.inference_mode():
        inputs = model.roberta.embeddings(input_ids=torch.from_numpy(tokens))
        query, key = (m(inputs).view(20, 12, shape.heads, -1).transpose(1, 2) for m in (part.query, part.key))
        scores = query @ key.transpose(2, 3) / (shape.hidden / shape.heads) ** 0.5
        attention = scores.softmax(dim=-1).numpy()  # (texts, heads, queries, keys)
    matching = attention[:, 2:, 2]
    elsewhere = [at for at in range(12) if at not in (2, 8)]
    assert matching[..., 8].mean() > 0.25  # a half at best: the other half is the token itself
    assert matching[..., 8].mean() > 10 * matching[..., elsewhere].mean()
