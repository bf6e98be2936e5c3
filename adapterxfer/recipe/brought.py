"""Names that people bring from other tools, and what recipes call the same thing: hints in messages, never accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from adapterxfer.catalog.backbones import backbones
from adapterxfer.catalog.methods import METHODS
from adapterxfer.catalog.tasks import task_specs
from adapterxfer.catalog.variants import VARIANTS

TRAIN, ADAPTERS, TOP = "a block of train, e.g. train: {default: {...}}", "an entry of adapters", "the recipe"


class HouseKey(NamedTuple):
    """A key of recipes.

    Attributes:
        key: as recipes write it; empty where nothing corresponds.
        home: where it stands.
        more: what else to know.
    """

    key: str
    home: str
    more: str = ""


def _table(rows: Mapping[HouseKey, str]) -> dict[str, HouseKey]:
    return {word: row for row, words in rows.items() for word in words.split()}


_KEYS = _table(
    {
        HouseKey("learning_rate", TRAIN): "lr learning_rate eta",
        HouseKey("batch_size", TRAIN): "batch_size bs batch train_batch_size per_device_train_batch_size",
        HouseKey("batch_size", TRAIN, "one step takes it whole, in as many passes as memory needs"):
            "gradient_accumulation_steps gradient_accumulation grad_accum accumulate_grad_batches",
        HouseKey("epochs", TRAIN): "epochs epoch num_train_epochs num_epochs n_epochs max_epochs",
        HouseKey("steps", TRAIN): "steps max_steps num_steps n_steps train_steps iterations",
        HouseKey("warmup_fraction", TRAIN, "a share of the steps, 0 to 1"):
            "warmup_fraction warmup warmup_ratio warmup_steps num_warmup_steps warmup_proportion",
        HouseKey("schedule", TRAIN, "linear, cosine or constant"):
            "schedule scheduler lr_scheduler lr_scheduler_type lr_schedule",
        HouseKey("clip", TRAIN): "clip max_grad_norm grad_clip gradient_clipping clip_grad_norm",
        HouseKey("weight_decay", TRAIN): "weight_decay wd",
        HouseKey("dtype", TRAIN, "fp32 or bf16; frozen backbones may be in float16: backbone_sources"):
            "dtype fp16 bf16 half precision mixed_precision amp torch_dtype",
        HouseKey("quantize", "a backbone of backbone_sources", "int8 or nf4"):
            "quantize quantization quantization_config load_in_8bit load_in_4bit bnb_4bit_quant_type bits",
        HouseKey("max_length", TRAIN): "max_length max_len max_seq_length max_seq_len seq_len sequence_length",
        HouseKey("selection", TRAIN, "last, dev or mean"): "selection load_best_model_at_end save_best best_checkpoint",
        HouseKey("early_stopping", TRAIN, "{patience: 3, every: 100}"): "patience early_stopping_patience",
        HouseKey("gradient_checkpointing", TRAIN): "gradient_checkpointing grad_checkpointing activation_checkpointing",
        HouseKey("compile", TRAIN): "torch_compile",
        HouseKey("method", ADAPTERS): "type peft_type adapter_type adapter_config",
        HouseKey("rank", ADAPTERS): "r rank lora_r lora_rank",
        HouseKey("alpha", ADAPTERS): "alpha lora_alpha scaling",
        HouseKey("dropout", ADAPTERS): "dropout lora_dropout adapter_dropout",
        HouseKey("target_modules", ADAPTERS): "target_modules modules lora_target_modules",
        HouseKey("reduction_factor", ADAPTERS): "reduction_factor reduction c_rate down_scale",
        HouseKey("bottleneck_size", ADAPTERS):
            "bottleneck_size bottleneck bottleneck_dim adapter_size adapter_dim adapter_hidden_size",
        HouseKey("prefix_length", ADAPTERS): "prefix_length prefix_len num_virtual_tokens",
        HouseKey("backbones", TOP): "model models model_name model_name_or_path backbone encoder encoders",
        HouseKey("intermediate_tasks", TOP):
            "intermediate intermediates intermediate_task source_task source_tasks source pretraining_tasks",
        HouseKey("target_tasks", TOP): "target targets target_task eval_tasks dataset datasets eval_dataset",
        HouseKey("variants", TOP): "variant mode modes setup setups",
        HouseKey("adapters", TOP): "adapter peft methods adapter_methods",
        HouseKey("seeds", TOP): "seed random_seed num_seeds n_seeds",
        HouseKey("train", TOP): "training training_args training_arguments hyperparameters hparams",
        HouseKey("data_root", TOP): "data data_dir data_path dataset_path",
        HouseKey("languages", "tasks, e.g. tasks: {TASK: {languages: [...]}}"): "languages language langs lang",
        HouseKey("", TOP, "results go to the folder that `run --store FOLDER` names"):
            "output_dir output out_dir results_dir save_dir",
        HouseKey("", TOP, "a run writes its training log for a tracker: `run --track tensorboard`"):
            "report_to wandb tensorboard tracker logger",
        HouseKey("", TOP, "devices are taken as they are; `run --workers` and resources share them"): "device devices",
    }
)  # fmt: skip
"""Words of other tools, in small letters with underscores, and the key that says the same here."""


def _plain(word: object) -> str:
    return str(word).strip().lower().replace("-", "_").replace(" ", "_")


def key_hint(word: object, allowed: Sequence[str]) -> str:
    """The tail of a message about an unknown key: what recipes call it and where it stands; empty if nothing is known.

    Args:
        allowed: the keys of the block in which the word stands.
    """
    row = _KEYS.get(_plain(word))
    if row is None or (row.key and row.key == word and row.key in allowed):
        return ""
    more = f": {row.more}" if row.more else ""
    if not row.key:
        return f" ({row.more})"
    if row.key in allowed:
        return f" (here it is '{row.key}'{more})"
    if row.home == ADAPTERS and "method" in allowed:
        return f" (no such setting here; methods of peft take the library's own: {ADAPTERS} with 'config')"
    return f" (here it is '{row.key}' in {row.home}{more})"


def setting_hint(word: object) -> str:
    """The tail of a message about a setting that stands directly below ``train``, where blocks belong."""
    row = _KEYS.get(_plain(word))
    return (
        f" ('{row.key}' belongs into a block: train: {{default: {{{row.key}: ...}}}})"
        if row and row.home == TRAIN
        else ""
    )


def name_hint(word: object, known: Sequence[str]) -> str:
    """The tail of a message about an unknown name: what this package calls it; empty if nothing is known.

    Args:
        known: names that may stand here.
    """
    plain = _plain(word)
    for table in (_other_names(), _repositories()):
        meant = [name for name in known if plain in table.get(name, ())]
        if len(meant) == 1:
            return f" (here it is '{meant[0]}')"
    return ""


def _other_names() -> dict[str, set[str]]:
    """Name of the catalogue -> what other tools and papers call it."""
    table: dict[str, tuple[str, ...]] = {name: variant.known_as for name, variant in VARIANTS.items()}
    table |= {name: spec.known_as for name, spec in task_specs().items()}
    for name, method in METHODS.items():
        table[name] = (*method.known_as, *(method.adapters.abbreviations if method.adapters else ()))
    return {name: {_plain(word) for word in words} for name, words in table.items()}


def _repositories() -> dict[str, set[str]]:
    """Name of the catalogue -> its repository on the Hub, also without the owner."""
    table = {name: spec.repository for name, spec in task_specs().items()}
    table |= {name: backbone.hub or "" for name, backbone in backbones().items()}
    return {name: {_plain(hub), _plain(hub.rpartition("/")[2])} for name, hub in table.items() if hub}
