"""Examples of a stored task as features, encoded once per worker.

A worker trains and evaluates many models on the same task with the same tokenizer. Encoding costs as much as a short
training, so features are kept by what decides them: the data, the tokenizer and the settings; never by the model.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapterxfer.data.examples import Example
from adapterxfer.data.storage import StoredTask
from adapterxfer.formats.base import Encoding, Feature, Format
from adapterxfer.formats.inputs import describe_inputs
from adapterxfer.formats.tokenization import encoder_for

KEPT_FEATURES = 400_000
"""Features kept per process over all entries (some 100 MB of short sentences); the least recently used go first."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Examples with their features; shared between calls, so never to be changed.

    Attributes:
        examples: in the order of the languages asked for, then of the reader.
        features: see `Format.encode`; ``Feature.example`` points into ``examples``.
        pad_id: padding id of the tokenizer.
        inputs: what the tokenizer made of the texts (see `describe_inputs`); empty for training data.
    """

    examples: Sequence[Example]
    features: Sequence[Feature]
    pad_id: int
    inputs: Mapping[str, Any] = field(default_factory=dict)


_CACHE: OrderedDict[tuple[Any, ...], Encoded] = OrderedDict()


def encode_split(
    fmt: Format,
    task: StoredTask,
    split: str,
    languages: Sequence[str],
    tokenizer: Any,
    *,
    max_length: int,
    train: bool,
) -> Encoded:
    """Features of one split of a stored task, from memory where they were made before.

    Args:
        fmt: the task's format.
        languages: whose examples, in this order.
        max_length: tokens of the longest sequence, special tokens included.
        train: whether the features are for training (see `Format.encode`).

    Raises:
        DataError: the task lacks the split in one of the languages.
    """
    encoder = encoder_for(tokenizer)
    key = (fmt, task.fingerprint, split, tuple(languages), encoder.fingerprint, max_length, train)
    if key in _CACHE:
        _CACHE.move_to_end(key)
        return _CACHE[key]
    examples = [example for language in languages for example in task.split(split, language)]
    # Texts are counted with the pieces that were just made of them: tokenizing them again would double the time.
    counting = encoder if train else encoder.remembering()
    features = list(fmt.features(examples, Encoding(counting, max_length, task.labels, train)))
    inputs = {} if train else describe_inputs(examples, features, counting, limit_of(fmt, max_length))
    _CACHE[key] = encoded = Encoded(examples, features, encoder.pad_id, inputs)
    while len(_CACHE) > 1 and sum(len(kept.features) for kept in _CACHE.values()) > KEPT_FEATURES:
        _CACHE.popitem(last=False)
    return encoded


def limit_of(fmt: Format, max_length: int) -> int:
    """Most tokens of the text of an example; some formats have a limit of their own."""
    lengths = getattr(fmt, "lengths", None)
    return min(max_length, lengths[0]) if lengths else max_length
