"""Which files a bundle has, where, and how large they may be. Torch-free.

    README.md                                   the card, generated from results.json
    bundle.json                                 what the bundle is (`Manifest`); lists every other file with its sha256
    results.json                                scores and gains with intervals, training data, licences
    recipe.json                                 the resolved recipe of the study
    tokenizer.json, tokenizer_config.json, special_tokens_map.json
    probes.json, probes.safetensors             inputs, and what the model answered when the bundle was made
    heads.safetensors                           all heads, by the names of the model
    adapter_setup.json                          composition, as the `adapters` library writes it, where it has all parts
    ID/adapter_config.json, ID/adapter.safetensors         an adapter that the `adapters` library reads
    ID/adapter_config.json, ID/adapter_model.safetensors   one that peft reads
    ID/own.safetensors                                     one that only adapterxfer reads
    IDS/adapter_fusion_config.json, IDS/model_adapter_fusion.safetensors      IDS: the fused ids joined by commas
    encoder/config.json, encoder/model.safetensors                            where the bundle holds a whole encoder
    figures/NAME.svg
    counts/TARGET.parquet                       per-item counts of all runs of the study (`counts.py`); none in old ones

A bundle has exactly the files its composition asks for: whatever else lies in the folder is refused, by name, before
anything is opened. So there is no place for a pickle or a script.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Literal

Layout = Literal["adapters", "peft", "own"]
"""Which library reads an adapter's folder."""

CARD = "README.md"
MANIFEST = "bundle.json"
RESULTS = "results.json"
RECIPE = "recipe.json"
PROBES = "probes.json"
PROBE_OUTPUTS = "probes.safetensors"
HEADS = "heads.safetensors"
SETUP = "adapter_setup.json"
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
COUNTS = "counts"
ENCODER = "encoder"
ENCODER_FILES = (f"{ENCODER}/config.json", f"{ENCODER}/model.safetensors")
ADAPTER_FILES: Mapping[Layout, tuple[str, ...]] = {
    "adapters": ("adapter_config.json", "adapter.safetensors"),
    "peft": ("adapter_config.json", "adapter_model.safetensors"),
    "own": ("own.safetensors",),
}
"""Files of an adapter's folder; the weights are the last one."""
FUSION_FILES = ("adapter_fusion_config.json", "model_adapter_fusion.safetensors")

IGNORED = frozenset({".gitattributes"})
"""The Hub puts it into every repository."""

EVAL_RESULTS = ".eval_results"
"""Folder of scores for the Hub's leaderboards; published beside a bundle, no part of it, and never fetched."""

PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".h5", ".msgpack"})
"""Endings of files that can hold code, or are loaded by readers that run code."""

_FIGURE = re.compile(r"figures/[a-z0-9][a-z0-9-]{0,99}\.svg\Z")
_EVAL_RESULTS = re.compile(re.escape(EVAL_RESULTS) + r"/[a-z0-9][a-z0-9-]{0,199}\.yaml\Z")
_COUNTS = re.compile(COUNTS + r"/[a-z0-9][a-z0-9-]{0,99}\.parquet\Z")

MIB = 1024 * 1024
LIMITS = {CARD: 2 * MIB, "tokenizer.json": 64 * MIB, ".json": 16 * MIB, ".svg": 8 * MIB, ".parquet": 64 * MIB}
"""Largest size in bytes by file name, then by ending; weights have none of their own: `read_header` checks them."""


def fusion_folder(ids: Sequence[str]) -> str:
    """Folder of a fusion, as the `adapters` library names it."""
    return ",".join(ids)


def has_setup(layouts: Collection[Layout]) -> bool:
    """Whether the `adapters` library can read the composition: all of its parts are adapters of that library."""
    return bool(layouts) and set(layouts) == {"adapters"}


def expected_files(adapters: Mapping[str, Layout], *, fused: bool, encoder: bool) -> set[str]:
    """Relative paths of all files that a bundle of this composition must have, figures and counts aside.

    Args:
        adapters: id -> layout, bottom first.
    """
    files = {CARD, MANIFEST, RESULTS, RECIPE, PROBES, PROBE_OUTPUTS, HEADS, *TOKENIZER}
    files |= {f"{part_id}/{name}" for part_id, kind in adapters.items() for name in ADAPTER_FILES[kind]}
    native = has_setup(adapters.values())
    files |= {SETUP} if native else set()
    if fused:
        names = FUSION_FILES if native else FUSION_FILES[-1:]
        files |= {f"{fusion_folder(list(adapters))}/{name}" for name in names}
    return files | set(ENCODER_FILES) if encoder else files


def is_figure(name: str) -> bool:
    """Whether a relative path is that of a figure."""
    return _FIGURE.match(name) is not None


def is_counts(name: str) -> bool:
    """Whether a relative path is that of per-item counts."""
    return _COUNTS.match(name) is not None


def is_beside(name: str) -> bool:
    """Whether a file may lie beside a bundle in its repository without belonging to it."""
    return name in IGNORED or _EVAL_RESULTS.match(name) is not None


def size_limit(name: str) -> int | None:
    """Largest allowed size of a file in bytes; None for weights."""
    path = PurePosixPath(name)
    return LIMITS.get(path.name, LIMITS.get(path.suffix))


def unsafe_names(names: Iterable[str]) -> list[str]:
    """Why names must not be written to or read from a disk, one line each: traversal, odd characters, pickles."""
    problems = []
    for name in sorted(names):
        parts = name.split("/")
        if is_beside(name):
            continue
        if name.startswith(("/", "~")) or "\\" in name or ":" in name or {"", ".", ".."} & set(parts):
            problems.append(f"{name!r}: leads out of the bundle")
        elif not name.isascii() or not name.isprintable() or len(name) > 300:
            problems.append(f"{name!r}: not a plain file name")
        elif PurePosixPath(name).suffix.lower() in PICKLES:
            problems.append(f"{name}: a format that can hold code; bundles hold safetensors, JSON and Parquet only")
    return problems
