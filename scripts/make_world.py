"""Make the package data of the embedded world: tokenizer, pretrained backbones, index, fingerprint.

    python scripts/make_world.py                        everything (about an hour on one core)
    python scripts/make_world.py --only world-nano      one backbone (again), and the index
    python scripts/make_world.py --check                compare the generator with its stored fingerprint
    python scripts/make_world.py --health               what guessers reach on the generated tasks
    python scripts/make_world.py --only world-nano --tokens 20000 --out FOLDER      a quick trial beside the package

The rate of a size is chosen on a shortened schedule with seed 1 and shared by its other seeds. Two processes may make
different backbones at the same time; each writes its own folder, and the last one to end writes the whole index.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from tokenizers import Tokenizer

from adapterxfer.pretraining.corpus import Corpus
from adapterxfer.pretraining.mlm import pretrain
from adapterxfer.pretraining.saving import save_backbone
from adapterxfer.world import recipe
from adapterxfer.world.alignment import layer_retrieval
from adapterxfer.world.cloze import marker_cloze
from adapterxfer.world.corpus import all_lines, build_corpus, marker_ids, train_tokenizer
from adapterxfer.world.fingerprint import stored_fingerprint
from adapterxfer.world.health import inference_cues, informed_guess, mean_zero_shot
from adapterxfer.world.languages import LANGUAGES, ZERO_SHOT
from adapterxfer.world.sample import fingerprint
from adapterxfer.world.tasks import load_task

WORLD = Path(__file__).parent.parent / "adapterxfer" / "world"


def main(argv: Sequence[str] | None = None) -> int:
    """Make what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(recipe.BACKBONES), help="a backbone; may be repeated")
    parser.add_argument("--check", action="store_true", help="only compare the fingerprint; 1 if it differs")
    parser.add_argument("--health", action="store_true", help="only print the health checks of the tasks")
    parser.add_argument("--index", action="store_true", help="only write the index and the fingerprint again")
    parser.add_argument("--tokens", type=int, default=recipe.TOKENS, help="budget of a backbone")
    parser.add_argument("--out", type=Path, default=WORLD, metavar="DIR", help="instead of the package's own folder")
    chosen = parser.parse_args(argv)
    torch.set_num_threads(1)
    if chosen.check:
        now, stored = fingerprint(), stored_fingerprint()
        print(f"generator {now}\nstored    {stored}\n{'same' if now == stored else 'DIFFERENT'}")
        return 0 if now == stored else 1
    if chosen.health:
        task_health()
        return 0
    if not chosen.index:
        lines = all_lines()
        tokenizer = train_tokenizer(lines)
        (chosen.out / "tokenizer").mkdir(parents=True, exist_ok=True)
        tokenizer.save(str(chosen.out / "tokenizer" / "tokenizer.json"))
        corpus = build_corpus(tokenizer, lines)
        for stream in corpus.streams:
            print(f"stream {stream.name}: {len(stream.sequences)} lines, {stream.sequences.lengths.mean():.1f} tokens")
        grids: dict[str, dict[str, float]] = {}
        for name in chosen.only or recipe.BACKBONES:
            make_backbone(name, corpus, tokenizer, grids, tokens=chosen.tokens, world=chosen.out)
        if chosen.tokens == recipe.TOKENS:
            task_health()
    write_index(chosen.out)
    return 0


def make_backbone(
    name: str, corpus: Corpus, tokenizer: Tokenizer, grids: dict[str, dict[str, float]], *, tokens: int, world: Path
) -> None:
    """Choose the rate (once for each size), pretrain, check and store one backbone.

    Args:
        grids: size -> rate -> held-out loss; what is missing is added.
        tokens: budget of the pretraining.
        world: its folder gets ``backbones/NAME``.
    """
    share = tokens / recipe.TOKENS
    size, seed = recipe.BACKBONES[name]
    markers = tuple(sorted({token for labels in marker_ids(tokenizer).values() for token in labels.values()}))
    grid = grids.setdefault(size, {})
    for rate in () if grid else recipe.RATES:
        short = pretrain(corpus, recipe.settings(size, 1, rate, markers, fraction=share * recipe.GRID_FRACTION), quiet)
        grid[f"{rate:g}"] = short.record["heldout"]["mlm"]
        print(f"{name}: rate {rate:g}, held-out loss {grid[f'{rate:g}']:.4f} after a quarter of the budget", flush=True)
    best = float(min(grid, key=lambda rate: grid[rate]))
    trained = pretrain(corpus, recipe.settings(size, seed, best, markers, fraction=share), quiet)
    model, record = trained.model, trained.record
    middle = recipe.SIZES[size].layers // 2
    health = {
        "marker_cloze": marker_cloze(model, tokenizer),
        "retrieval_embeddings": layer_retrieval(model, tokenizer, 0),
        "retrieval_middle": layer_retrieval(model, tokenizer, middle),
    }
    record |= {"name": name, "size": size, "learning_rate_grid": grid, "middle_layer": middle, "health": health}
    folder = world / "backbones" / name
    folder.mkdir(parents=True, exist_ok=True)
    save_backbone(folder, model, None, record, dtype="fp16")
    heldout = record["heldout"]
    print(f"{name}: rate {best:g}, {record['steps']} steps, {record['provenance']['seconds']} s")
    print(f"  held-out loss {heldout['mlm']}, unigram {heldout['unigram']}, shuffled context {heldout['shuffled']}")
    for check, scores in health.items():
        print(f"  {check}: {by_tier(scores)}", flush=True)


def quiet(line: Any) -> None:
    """Print warnings only."""
    if "warning" in line:
        print(line["warning"], flush=True)


def by_tier(scores: dict[str, float]) -> dict[str, float]:
    """English, the mean over the other languages, and the mean of each tier."""
    means = {"en": scores["en"]} if "en" in scores else {}
    means["zero-shot"] = mean_zero_shot(scores)
    for tier in ("high", "mid", "low"):
        mine = [scores[code] for code in ZERO_SHOT if LANGUAGES[code].tier == tier]
        means[tier] = sum(mine) / len(mine)
    return {name: round(score, 1) for name, score in means.items()}


def task_health() -> None:
    """Print what guessers reach; each should be near its chance, or be shown beside the scores."""
    for name, score in inference_cues().items():
        print(f"NLI, {name}: {score:.1f} (chance 33.3)")
    print(f"span QA, informed guess: {by_tier(informed_guess(load_task('world-xqa')))}")


def write_index(world: Path) -> None:
    """Collect the stored backbones in ``index.json`` and the generator's fingerprint in ``generator.json``."""
    entries = []
    for name, (size, seed) in recipe.BACKBONES.items():
        folder = world / "backbones" / name
        if not (folder / "model.safetensors").is_file():
            continue
        record = json.loads((folder / "pretraining.json").read_text(encoding="utf-8"))
        shape = recipe.SIZES[size]
        health = {check: by_tier(scores) for check, scores in record["health"].items()}
        entries.append(
            {
                "name": name,
                "size": size,
                "seed": seed,
                "hidden": shape.hidden,
                "layers": shape.layers,
                "heads": shape.heads,
                "vocabulary": json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"],
                "middle_layer": record["middle_layer"],
                "parameters": record["parameters"]["total"],
                "non_embedding_parameters": record["parameters"]["non_embedding"],
                "fingerprint": sha256(folder / "model.safetensors"),
                "config_fingerprint": sha256(folder / "config.json"),
                "learning_rate": record["settings"]["learning_rate"],
                "learning_rate_grid": record["learning_rate_grid"],
                "tokens": record["tokens"],
                "steps": record["steps"],
                "heldout_mlm": record["heldout"]["mlm"],
                "heldout_unigram": record["heldout"]["unigram"],
                "heldout_shuffled": record["heldout"]["shuffled"],
                "pretraining_seconds": record["provenance"]["seconds"],
                **health,
            }
        )
    tokenizer = sha256(world / "tokenizer" / "tokenizer.json")
    write_json(
        world / "backbones" / "index.json", {"schema": 1, "tokenizer_fingerprint": tokenizer, "backbones": entries}
    )
    write_json(world / "generator.json", {"fingerprint": fingerprint()})
    total = sum(path.stat().st_size for folder in ("backbones", "tokenizer") for path in (world / folder).rglob("*.*"))
    print(f"{len(entries)} backbones and the tokenizer: {total / 1e6:.2f} MB")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
