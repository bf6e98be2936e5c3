"""Load the backbone that an identity names, once per process.

A worker trains thousands of small models on few backbones. The pristine weights stay in memory; whoever trains them
gets a copy, whoever leaves them frozen shares them, and every hand-out checks that they are still what was loaded.
Of a large word matrix nothing stays: who computes says which rows are needed (`with_words`), and those are read.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from adapterxfer.backbones import rows
from adapterxfer.backbones.describing import TOKENIZER, check_files, tokenizer_name
from adapterxfer.backbones.loaded import LoadedBackbone, with_own_weights, with_words
from adapterxfer.backbones.measure import ParameterCount, count_parameters, state_fingerprint
from adapterxfer.backbones.quantized import quantize
from adapterxfer.backbones.reading import DTYPES, empty_model, fill, read_config, read_weights
from adapterxfer.backbones.rows import WordSource
from adapterxfer.backbones.segments import mark_segments
from adapterxfer.backbones.snapshots import hub_snapshot
from adapterxfer.backbones.special_tokens import too_many
from adapterxfer.backbones.tokenizer import load_tokenizer
from adapterxfer.backbones.untrained import untrained_twin
from adapterxfer.catalog.architectures import architecture_of
from adapterxfer.errors import BackboneError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

KEPT = 8
"""Pristine backbones kept per process; the least recently used goes first."""

WORLD_FOLDER = Path(__file__).parent.parent / "world"
EMBEDDED_FOLDER = WORLD_FOLDER / "backbones"


class _Kept(NamedTuple):
    """A pristine backbone, the fingerprint of what is here of it, and whether its weights were given back."""

    loaded: LoadedBackbone
    carried: str
    away: bool = False


_pristine: OrderedDict[str, _Kept] = OrderedDict()


def load_backbone(
    identity: Mapping[str, Any], folder: Path | None = None, *, own_weights: bool = False, words: bool = True
) -> LoadedBackbone:
    """The backbone of a stage identity.

    Args:
        identity: ``{name, kind, dtype, attention, ...}``; kind is ``embedded``, ``stage``, ``untrained``, ``folder`` or
            ``hub``.
        folder: the committed pretrain stage (kind ``stage``) or the local folder (kind ``folder``); for the other kinds
            it replaces the place inside the package or in the cache of the Hub.
        own_weights: give the caller weights of its own, to be trained. Otherwise the weights are shared and frozen.
        words: with its whole word matrix; otherwise a large one has no rows until `with_words` gives it some.

    Raises:
        BackboneError: the folder is absent or damaged, the architecture or kind is unknown, shared weights were
            changed since they were loaded, or quantized ones are to be trained.
        MissingDependency: the library that quantizes is not installed.
    """
    if own_weights and "quantize" in identity:
        raise BackboneError(
            f"backbone '{identity.get('name')}': weights in {identity['quantize']} cannot be trained",
            fix="leave quantize out, or train adapters or heads alone",
        )
    location = folder_of(identity, folder)
    key = json.dumps([dict(identity), str(location.resolve())], sort_keys=True)
    if (kept := _pristine.get(key)) is not None and kept.away:
        _read_again(kept.loaded, location)
        _pristine[key] = kept._replace(away=False)
    loaded = _unchanged(key, lambda: _load(identity, location))
    if words and loaded.source is not None:
        without = loaded
        loaded = _unchanged(f"all words of {key}", lambda: with_words(without, None))
    return with_own_weights(loaded) if own_weights else loaded


def _unchanged(key: str, load: Callable[[], LoadedBackbone]) -> LoadedBackbone:
    kept = _pristine.get(key)
    if kept is None:
        loaded = load()
        _pristine[key] = _Kept(loaded, loaded.carried)
        while len(_pristine) > KEPT:
            _pristine.popitem(last=False)
        return loaded
    _pristine.move_to_end(key)
    # A model that shares these weights takes them to its device with it; one that loads them now begins on the CPU.
    shared: Any = kept.loaded.model  # the library types its own `to` as if it took the model itself
    shared.to("cpu")
    if state_fingerprint(kept.loaded.model.state_dict()) != kept.carried:
        del _pristine[key]
        raise BackboneError(
            f"backbone '{kept.loaded.name}': its shared weights were changed in this process",
            fix="load with own_weights=True to train the weights",
        )
    return kept.loaded


def give_back_weights(loaded: LoadedBackbone) -> None:
    """Free the shared weights of a backbone whose copy is about to train; whoever loads it next reads them again.

    Only where the word matrix is large: there, reading the rest is little beside any training.

    Args:
        loaded: as `load_backbone` or `with_words` gave it; it cannot compute from now on.
    """
    sharing = [(k, kept) for k, kept in _pristine.items() if loaded.source and kept.loaded.source is loaded.source]
    for key, kept in sharing:
        for _, parameter in _beside_words(kept.loaded):
            parameter.data = parameter.data.new_empty(0)
        if kept.loaded.ids is None:
            del _pristine[key]  # with all words: made anew from the one without
        else:
            _pristine[key] = kept._replace(away=True)


def _read_again(loaded: LoadedBackbone, folder: Path) -> None:
    assert loaded.source is not None
    loaded.source.check()
    model, _ = _read_model(loaded.identity, folder, loaded.config)
    again = dict(model.named_parameters())
    for name, parameter in _beside_words(loaded):
        parameter.data = again[name].data


def _beside_words(loaded: LoadedBackbone) -> Iterator[tuple[str, nn.Parameter]]:
    """Parameters by name, without the lookup of words."""
    assert loaded.source is not None
    return ((name, p) for name, p in loaded.model.named_parameters() if name not in loaded.source.names)


def forget_backbones() -> None:
    """Empty the cache of this process."""
    _pristine.clear()


def folder_of(identity: Mapping[str, Any], folder: Path | None) -> Path:
    """The folder that holds a backbone.

    Raises:
        BackboneError: its kind needs a folder that is not given, or is unknown.
    """
    if folder is not None:
        return folder
    match identity.get("kind"):
        case "embedded":
            return EMBEDDED_FOLDER / str(identity["name"])
        case "untrained":
            return EMBEDDED_FOLDER / str(identity["of"])
        case "folder" if "path" in identity:
            return Path(str(identity["path"])).expanduser()
        case "stage" | "folder":
            raise BackboneError(
                f"backbone '{identity.get('name')}': no folder given for kind '{identity['kind']}'",
                fix="run its pretrain stage first, or give the folder of the backbone",
            )
        case "hub":
            snapshot = hub_snapshot(str(identity.get("repo")), str(identity.get("revision")), fetch=True)
            assert snapshot is not None
            return snapshot
        case kind:
            raise BackboneError(
                f"backbone '{identity.get('name')}': kind {kind!r} cannot be loaded; expected embedded, stage, "
                "untrained, folder or hub",
                fix="name its folder, or repository and revision, in backbone_sources",
            )


def _load(identity: Mapping[str, Any], folder: Path) -> LoadedBackbone:
    dtype = str(identity.get("dtype", "float32"))
    if dtype not in DTYPES:
        raise BackboneError(f"backbone dtype {dtype!r}; expected one of {', '.join(DTYPES)}", fix="change the recipe")
    _check_file(identity, folder)
    config = read_config(folder, attention=str(identity.get("attention", "sdpa")))
    architecture = architecture_of(config.model_type)
    # The embedded backbones share one tokenizer.
    shared = identity["kind"] in ("embedded", "untrained") and not (folder / TOKENIZER).is_file()
    home = WORLD_FOLDER / "tokenizer" if shared else folder
    tokenizer = tokenizer_for(home / tokenizer_name(home, architecture), config, folder / "config.json")
    model, source = _read_model(identity, folder, config)
    if architecture.segments:
        mark_segments(model, tokenizer)
    counts = count_parameters(model)
    if "quantize" in identity:
        quantize(model, str(identity["quantize"]), architecture)
    fingerprint = state_fingerprint(model.state_dict(), source)
    if source is None:
        return LoadedBackbone(
            model=model,
            tokenizer=tokenizer,
            config=config,
            identity=dict(identity),
            fingerprint=fingerprint,
            parameters=counts,
        )
    stump: Any = model.get_input_embeddings()
    counts = ParameterCount(counts.total + (source.vocabulary - len(stump.weight)) * source.width, counts.non_embedding)
    loaded = LoadedBackbone(
        model=model,
        tokenizer=tokenizer,
        config=config,
        identity=dict(identity),
        fingerprint=fingerprint,
        parameters=counts,
    )
    return with_words(replace(loaded, source=source), np.empty(0, dtype=np.int64))


def _read_model(
    identity: Mapping[str, Any], folder: Path, config: PretrainedConfig
) -> tuple[PreTrainedModel, WordSource | None]:
    """The encoder, frozen; a large word matrix has no rows, and the place where they are read."""
    import torch

    dtype = getattr(torch, str(identity.get("dtype", "float32")))
    source: WordSource | None = None
    if identity["kind"] == "untrained":
        model = untrained_twin(config, folder, seed=int(identity.get("seed", 1)))
    else:
        large = config.vocab_size * config.hidden_size >= rows.LARGE
        model = empty_model(config, words=not large)
        state = read_weights(folder, architecture_of(config.model_type))
        if large:
            source = rows.words_apart(model, state, folder, dtype)
        fill(model, state, str(folder))
    # Parameters only: buffers, such as the frequencies of rotary positions, are float32 in the library too.
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    return model.requires_grad_(False).eval(), source


def tokenizer_for(path: Path, config: PretrainedConfig, where: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of an encoder; its padding id goes into the configuration where positions do not hang on it.

    Args:
        path: of the tokenizer.
        config: of the encoder, before the encoder is made.
        where: the file of the configuration, for messages.

    Raises:
        BackboneError: it cannot be read, or does not fit the configuration.
    """
    architecture = architecture_of(config.model_type)
    tokenizer = load_tokenizer(path, max_length=architecture.max_length(config), architecture=architecture)
    if tokenizer.pad_token_id != config.pad_token_id:
        if architecture.positions == "from-pad":
            raise BackboneError(
                f"{path}: padding has id {tokenizer.pad_token_id}, in {where} {config.pad_token_id}",
                fix="put the backbone's own tokenizer beside it",
            )
        # Multilingual E5 and MiniLM are BERTs with XLM-R's tokenizer, whose configuration kept BERT's padding id: the
        # embedding of that id (there "<s>") would never train.
        config.pad_token_id = tokenizer.pad_token_id
    if len(tokenizer) > config.vocab_size:
        raise too_many(path, len(tokenizer), where, config.vocab_size)
    return tokenizer


def _check_file(identity: Mapping[str, Any], folder: Path) -> None:
    """Compare the file an identity pins: the weights of an embedded backbone, the configuration of its twin."""
    if files := identity.get("files"):
        check_files(folder, files, _sha256)
    pinned = {"embedded": "model.safetensors", "untrained": "config.json"}.get(str(identity["kind"]))
    expected = identity.get("fingerprint")
    if pinned is None or not expected:
        return
    path = folder / pinned
    if not path.is_file():
        raise BackboneError(f"{path}: not found", fix="install the package again, with its data")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != expected:
        raise BackboneError(
            f"{path}: sha256 {digest[:16]}, but the plan pins {str(expected)[:16]}",
            fix="plan the recipe again; the package data changed since",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
