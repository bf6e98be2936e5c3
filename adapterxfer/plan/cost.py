"""How much work a stage is, in floating-point operations; an estimate for ordering and for `plan`, never for results.

Per token a transformer layer stack of N parameters costs 2 N forward and 4 N backward; with frozen weights the backward
pass computes no weight gradients, which halves it. Attention adds 4 L h S forward per token.

Source: Kaplan et al. 2020, section 2.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adapterxfer.backbones.describing import Description
from adapterxfer.catalog import UNTRAINED, backbones
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.recipe.series import Pretrain, SeriesShape

LENGTH_SHARE = 0.5
"""Assumed mean length of a text as a share of ``max_length``."""

DEFAULT_TEST_EXAMPLES = 1000
"""Assumed where a task's number of test examples is not known before it is read."""


def non_embedding_parameters(hidden: int, layers: int) -> int:
    """Weights, biases and norms of the layers of an XLM-R encoder with inner size 4 x hidden."""
    return layers * (12 * hidden * hidden + 13 * hidden)


def embedding_parameters(hidden: int, vocabulary: int, positions: int) -> int:
    """Token, position and type tables of an XLM-R encoder, with their norm."""
    return (vocabulary + positions + 1 + 2) * hidden


def _most_steps(settings: dict[str, Any]) -> int:
    """Steps of a training; the most it may have where development data choose them."""
    steps = settings["steps"]
    return int(max(steps["choose"]) if isinstance(steps, dict) else steps)


class CostModel:
    """Operations of the stages of one recipe.

    Attributes:
        sizes: task -> (training examples, test examples per language, languages), filled while planning.
        shapes: backbone -> width and layers, of those that are known.
    """

    def __init__(self, recipe: Recipe, described: Callable[[str], Description | None]) -> None:
        self.sizes: dict[str, tuple[int | None, int | None, int]] = {}
        self.shapes: dict[str, tuple[int, int]] = {}
        for name in recipe.backbones:
            if recipe.pretrain is not None and recipe.is_own(name):
                shape = recipe.pretrain.series[name.removesuffix(UNTRAINED)]
                self.shapes[name] = (shape.hidden, shape.layers)
            elif (folder := described(name)) is not None:
                self.shapes[name] = (folder.hidden, folder.layers)
            elif (spec := backbones().get(name)) is not None:
                self.shapes[name] = (spec.hidden or 0, spec.layers or 0)

    def forward(self, backbone: str, length: float) -> float:
        """Operations per token of one forward pass."""
        hidden, layers = self.shapes.get(backbone, (0, 0))
        return 2 * non_embedding_parameters(hidden, layers) + 4 * layers * hidden * length

    def training(
        self, backbone: str, settings: dict[str, Any], tasks: Sequence[str], *, frozen: bool, width: int = 1,
        examples: int | None = None,
    ) -> float:  # fmt: skip
        """Operations of one training in GFLOP; 0.0 where a number is unknown.

        Args:
            examples: how many there are where it is not the whole training set.
            width: adapters that run side by side (fusion); each adds about a tenth of the layers.
        """
        seen: float
        if "steps" in settings:
            seen = float(_most_steps(settings) * settings["batch_size"])
        else:
            known = [self.sizes[task][0] for task in tasks] if examples is None else [examples]
            if any(size is None for size in known):
                return 0.0
            seen = float(settings["epochs"]) * sum(size or 0 for size in known)
        length = float(settings["max_length"]) * LENGTH_SHARE
        passes = (2.0 if frozen else 3.0) * (1 + 0.1 * (width - 1))
        return passes * self.forward(backbone, length) * length * seen / 1e9

    def language(self, backbone: str, settings: dict[str, Any], lines: int) -> float:
        """Operations of one language's training in GFLOP, as if it had all the lines it may have."""
        examples = float(
            _most_steps(settings) * settings["batch_size"] if "steps" in settings else settings["epochs"] * lines
        )
        length = float(settings["max_length"]) * LENGTH_SHARE
        return 2.0 * self.forward(backbone, length) * length * examples / 1e9

    def prediction(self, backbone: str, task: str) -> float:
        """Operations of one prediction over all languages in GFLOP."""
        if not backbone:
            return 0.0
        _, test, languages = self.sizes[task]
        length = 128 * LENGTH_SHARE
        return self.forward(backbone, length) * length * (test or DEFAULT_TEST_EXAMPLES) * languages / 1e9

    @staticmethod
    def pretrain(setup: Pretrain, size: str, tokens: int | str) -> float:
        """Operations of one pretraining in GFLOP; 0.0 while the token budget is not measured."""
        if isinstance(tokens, str):
            return 0.0
        shape: SeriesShape = setup.series[size]
        layers = non_embedding_parameters(shape.hidden, shape.layers)
        output = setup.mask * setup.corpus.vocabulary * shape.hidden
        attention = 2 * shape.layers * shape.hidden * setup.corpus.sequence_length
        return 6 * (layers + output + attention) * tokens / 1e9
