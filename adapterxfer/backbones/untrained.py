"""Twins of pretrained backbones with the start values that pretraining would have given them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from adapterxfer.backbones.reading import empty_model, fill, read_json
from adapterxfer.catalog.architectures import PRETRAINED
from adapterxfer.errors import BackboneError

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel


def untrained_twin(config: PretrainedConfig, folder: Path, *, seed: int) -> PreTrainedModel:
    """The twin of the backbone in ``folder``: same configuration and rule of start values, a seed of its own.

    Raises:
        BackboneError: it was not pretrained here, or does not say how.
    """
    from transformers import XLMRobertaConfig

    from adapterxfer.pretraining.initialisation import Initialisation, build_model

    if not isinstance(config, XLMRobertaConfig) or config.model_type != PRETRAINED:
        raise BackboneError(
            f"{folder / 'config.json'}: no untrained twin of a {config.model_type} encoder",
            fix="use an untrained twin of an embedded backbone",
        )
    record = read_json(folder / "pretraining.json")
    try:
        rule = Initialisation(**record["settings"]["initialisation"])
    except (KeyError, TypeError) as error:
        raise BackboneError(
            f"{folder / 'pretraining.json'}: no initialisation rule ({error})", fix="pretrain with this version"
        ) from None
    model = empty_model(config)
    start = build_model(config, rule, seed=seed).roberta.state_dict()
    fill(model, {name: tensor for name, tensor in start.items() if not name.startswith("pooler.")}, str(folder))
    return model
