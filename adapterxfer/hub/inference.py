"""A loaded bundle: ask it about raw text in any language its backbone reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from adapterxfer.data.examples import FormatName
from adapterxfer.errors import BundleError
from adapterxfer.formats.base import Batch, Feature, Format
from adapterxfer.formats.encoded import Encoded
from adapterxfer.formats.inference import BATCH_TOKENS, predict_encoded, token_batches
from adapterxfer.formats.registry import get_format
from adapterxfer.formats.tokenization import encoder_for
from adapterxfer.hub.loading import Opened, open_bundle
from adapterxfer.hub.manifest import HeadEntry, Manifest
from adapterxfer.hub.probes import as_example
from adapterxfer.predict.systems import middle_layer
from adapterxfer.variants.model import TransferModel

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerFast

Text = str | tuple[str, str]
"""A text, or a pair of texts."""


class Classified(NamedTuple):
    """The best label, and the probability of every label."""

    label: str
    probabilities: dict[str, float]


class Tagged(NamedTuple):
    """One word with its tag."""

    word: str
    tag: str


class Answered(NamedTuple):
    """An answer as a substring of the context, and where it starts, in code points; -1 for an empty answer."""

    text: str
    start: int


@dataclass(frozen=True)
class Bundle:
    """A model ready for inference; see `load_bundle`.

    Attributes:
        manifest: what it is.
        model: in evaluation mode, on the CPU unless moved with `to`.
        folder: where it was read from.
    """

    manifest: Manifest
    model: TransferModel
    folder: Path

    @property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The tokenizer of the backbone."""
        return self.model.loaded.tokenizer

    def to(self, device: str) -> Bundle:
        """Move the model; returns the bundle."""
        self.model.to(device)
        return self

    def classify(self, texts: Text | Sequence[Text], *, task: str | None = None) -> list[Classified]:
        """Label texts or pairs of texts (premise and hypothesis, in the order of the training data).

        Args:
            texts: a text, a pair of texts as a tuple, or a list of either.
            task: which head, where the bundle has several of this format.

        Returns:
            One answer for each text or pair, in a list also for one alone.

        Raises:
            BundleError: the bundle has no such head, or something is neither a text nor a pair.
        """
        head = self._head("sequence_classification", task)
        examples = []
        for text in _several(texts, "classify"):
            first, second = (text, None) if isinstance(text, str) else _pair(text)
            examples.append({"text": first, "text_pair": second})
        answers: list[Classified] = [Classified("", {})] * len(examples)
        for indices, outputs, _ in self._outputs(head, examples):
            for index, row in zip(indices, torch.softmax(outputs.float(), dim=-1).tolist(), strict=True):
                label = head.labels[int(np.argmax(row))]
                answers[index] = Classified(label, dict(zip(head.labels, row, strict=True)))
        return answers

    def tag(
        self, sentences: str | tuple[str, ...] | Sequence[str | Sequence[str]], *, task: str | None = None
    ) -> list[list[Tagged]]:
        """Tag every word; a text is cut at white space, so give languages without spaces as words.

        Args:
            sentences: a text, the words of one sentence as a tuple, or a list of texts, of tuples or of lists of words.
            task: which head, where the bundle has several of this format.

        Returns:
            The words of each sentence, in a list also for one sentence alone.

        Raises:
            BundleError: the bundle has no such head, or something is neither a text nor words.
        """
        head = self._head("tagging", task)
        words = [tuple(s.split()) if isinstance(s, str) else _words(s) for s in _several(sentences, "tag")]
        filled = [index for index, sentence in enumerate(words) if sentence]
        tags = dict(zip(filled, self._decoded(head, [{"words": words[i]} for i in filled]), strict=True))
        return [
            [Tagged(word, tag) for word, tag in zip(sentence, tags.get(index, "").split(" "), strict=False)]
            for index, sentence in enumerate(words)
        ]

    def answer(self, question: str, context: str, *, task: str | None = None) -> Answered:
        """The part of ``context`` that answers ``question``; long contexts are read in overlapping windows.

        Raises:
            BundleError: the bundle has no such head, or one of the two is no text: one question is asked at a time.
        """
        head = self._head("span_qa", task)
        _texts("answer", question=question, context=context)
        (text,) = self._decoded(head, [{"question": question, "context": context}])
        return Answered(text, context.find(text) if text else -1)

    def choose(self, context: str, choices: Sequence[str], *, question: str = "", task: str | None = None) -> int:
        """Position of the choice that continues ``context`` (or answers ``question``) best.

        Raises:
            BundleError: the bundle has no such head, there is no choice, or the choices are one text.
        """
        head = self._head("multiple_choice", task)
        _texts("choose", context=context, question=question)
        if isinstance(choices, str) or not all(isinstance(choice, str) for choice in choices):
            raise BundleError(f"choose: choices are {choices!r:.60}", fix='give a list of texts, as ["one", "another"]')
        if not choices:
            raise BundleError("choose: no choices given", fix="give at least one")
        (best,) = self._decoded(head, [{"context": context, "question": question, "choices": list(choices)}])
        return int(best)

    def embed(self, texts: str | Sequence[str], *, layer: int | None = None) -> NDArray[np.float32]:
        """Sentence embeddings: mean of one layer's hidden states over a text's own tokens.

        Compare within one language pair, and subtract the mean of each side first: the study does so, because the
        language itself dominates the similarity of small encoders.

        Args:
            texts: one text, or several.
            layer: 0 is the embedding layer; the middle layer if absent, as in the study's retrieval protocol.

        Returns:
            Shape ``(texts, hidden)``; of one text ``(1, hidden)``.

        Raises:
            BundleError: something is no text.
        """
        texts = [texts] if isinstance(texts, str) else list(texts)
        for number, text in enumerate(texts):
            _texts("embed", **{f"texts[{number}]": text})
        encoder = encoder_for(self.tokenizer)
        before, after = map(len, encoder.single)
        features = []
        for index, ids in enumerate(encoder.texts(texts)):
            sequence = encoder.build_single(ids, self.model.loaded.max_length)
            features.append(Feature([sequence], [(before, len(sequence) - after)], index))
        fmt = get_format("retrieval")
        pooling = fmt.make_head(0, (), generator=torch.Generator())
        until = middle_layer(self.model.loaded.layers) if layer is None else layer
        rows = np.zeros((len(texts), self.model.loaded.hidden_size), dtype=np.float32)
        with torch.inference_mode():
            for indices in token_batches(features, BATCH_TOKENS):
                batch = fmt.collate([features[i] for i in indices], pad_id=encoder.pad_id).to(self.model.device)
                hidden = self.model.hidden_states(batch.input_ids, batch.attention_mask, layer=until)
                rows[indices] = pooling(hidden, batch).float().cpu().numpy()
        return rows

    def _head(self, format_name: FormatName, task: str | None) -> HeadEntry:
        heads = self.manifest.composition.heads
        fitting = [head for head in heads if head.format == format_name and task in (None, head.task, *head.also)]
        if len(fitting) == 1:
            return fitting[0]
        has = ", ".join(f"{head.task} ({head.format})" for head in heads)
        raise BundleError(
            f"{self.manifest.name}: {'several heads' if fitting else 'no head'} for {format_name}"
            f"{f' and task {task!r}' if task else ''}; it has {has}",
            fix="name one with task=" if fitting else "load a bundle of that format",
        )

    def _encoded(self, head: HeadEntry, examples: Sequence[Mapping[str, Any]]) -> tuple[Format, Encoded]:
        fmt = get_format(head.format, head.protocol)
        typed_examples = [as_example(head.format, values, head.labels) for values in examples]
        features = fmt.encode(
            typed_examples, self.tokenizer, max_length=self.model.loaded.max_length, labels=head.labels, train=False
        )
        return fmt, Encoded(typed_examples, features, encoder_for(self.tokenizer).pad_id)

    def _outputs(
        self, head: HeadEntry, examples: Sequence[Mapping[str, Any]]
    ) -> Iterator[tuple[list[int], Tensor, Batch]]:
        """Head outputs in batches, with the examples they belong to; one feature per example."""
        fmt, encoded = self._encoded(head, examples)
        with torch.inference_mode():
            for indices in token_batches(encoded.features, BATCH_TOKENS):
                batch = fmt.collate([encoded.features[i] for i in indices], pad_id=encoded.pad_id)
                batch = batch.to(self.model.device)
                hidden = self.model(batch.input_ids, batch.attention_mask, batch.reads)
                yield [encoded.features[i].example for i in indices], self.model.heads[head.id](hidden, batch), batch

    def _decoded(self, head: HeadEntry, examples: Sequence[Mapping[str, Any]]) -> list[str]:
        if not examples:
            return []
        fmt, encoded = self._encoded(head, examples)
        return predict_encoded(
            self.model, self.model.heads[head.id], fmt, encoded, head.labels, device=self.model.device
        )


def _several(value: Any, call: str) -> list[Any]:
    """What was given as a list: a text, or a tuple of texts, is one thing to be asked about."""
    if isinstance(value, str) or (isinstance(value, tuple) and value and all(isinstance(x, str) for x in value)):
        return [value]
    if not isinstance(value, Sequence):
        raise BundleError(f"{call}: {value!r:.60} is no text", fix="give a text, or a list of texts")
    return list(value)


def _pair(value: Any) -> tuple[str, str]:
    if not isinstance(value, Sequence) or len(value) != 2 or not all(isinstance(text, str) for text in value):
        raise BundleError(
            f"classify: {value!r:.60} is neither a text nor a pair",
            fix='a pair is a tuple of two texts; give several texts as a list, as ["one", "two", "three"]',
        )
    return value[0], value[1]


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or not all(isinstance(word, str) for word in value):
        raise BundleError(f"tag: {value!r:.60} is neither a text nor words", fix='give words as ("one", "two")')
    return tuple(value)


def _texts(call: str, **texts: Any) -> None:
    for name, value in texts.items():
        if not isinstance(value, str):
            raise BundleError(f"{call}: {name} is {value!r:.60}, no text", fix="give one text; ask once for each")


def load_bundle(source: str | Path, *, backbone: str | Path | None = None) -> Bundle:
    """A model and its tokenizer, checked and ready to be asked.

    Args:
        source: folder of a bundle, or ``ORG/NAME[@revision]`` on the Hub, which is pulled first. Without a revision the
            newest commit is taken; name a commit where results must be reproducible.
        backbone: folder of the backbone, where neither the bundle nor adapterxfer holds it.

    Raises:
        BundleError: it is incomplete, damaged, or made for another backbone.
        HubError: it could not be pulled.
    """
    from adapterxfer.hub.pulling import local_folder

    folder = local_folder(source)
    opened: Opened = open_bundle(folder, backbone=None if backbone is None else Path(backbone))
    return Bundle(opened.manifest, opened.model, folder)
