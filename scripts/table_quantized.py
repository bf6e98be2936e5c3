"""A real backbone with linear maps in full numbers, in 8 and in 4 bits: size, memory, time and scores.

    python scripts/table_quantized.py --backbone FOLDER --data PATH             # to standard output
    python scripts/table_quantized.py --backbone FOLDER --data PATH --write     # into the page

FOLDER holds an encoder of `transformers`, PATH the treebanks of Universal Dependencies. For each kind one study is run
in a process of its own with one worker: taggers with English training data, adapters (seq_bn/4) and LoRA (rank 8),
tested in other languages. ``layers`` are the bytes of all layers as they are held, ``held`` those with whatever else of
the encoder is in memory; ``peak`` is the largest resident memory of a process of the study, ``CPU s`` user and kernel
time of all of them. ``load`` is the peak of a process that loads the encoder and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "encoders.md"
BEGIN, END = "<!-- quantized backbones -->", "<!-- end of quantized backbones -->"
KINDS = ("", "int8", "nf4")
LOAD = """
import json, sys
from pathlib import Path
from adapterxfer.backbones.loading import load_backbone
from adapterxfer.backbones.measure import stored_bytes
folder, kind = sys.argv[1:]
identity = {"name": "real", "kind": "folder", "dtype": "float32", "attention": "sdpa"}
identity |= {"quantize": kind} if kind else {}
loaded = load_backbone(identity, Path(folder), words=False)
layers = loaded.model.get_submodule(loaded.architecture.layers).state_dict()
print(json.dumps([stored_bytes(layers), stored_bytes(loaded.model.state_dict())]))
"""
RECIPE = """
recipe: 1
name: few-bits
title: Weights in few bits
backbones: [real]
backbone_sources: {{real: {{folder: "{folder}"{quantize}}}}}
intermediate_tasks: [none]
target_tasks: [udpos]
variants: [stack]
adapters: [{{method: seq_bn, reduction_factor: 4}}, {{method: lora, rank: 8}}]
seeds: [{seeds}]
train: {{default: {{batch_size: 16, max_length: 64, steps: {steps}, learning_rate: 1e-3}}}}
tasks: {{udpos: {{dev_examples: 50, test_examples: {test}, languages: [{languages}]}}}}
controls: false
statistics: {{resamples: 100}}
"""
LANGUAGES = ("en", "de", "fi", "te", "tr")


def measured(command: Sequence[str], out: Path) -> tuple[str, float, float]:
    """Standard output of a command that must end well, its CPU seconds, and its largest resident memory in MiB."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TOKENIZERS_PARALLELISM": "false"}
    with out.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    text = out.read_text(encoding="utf-8", errors="replace")
    if status:
        raise SystemExit(f"{' '.join(command)} failed:\n{text[-2000:]}")
    return text, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def row_of(kind: str, asked: argparse.Namespace, place: Path) -> list[str]:
    """The cells of one kind."""
    text, _, load = measured([sys.executable, "-c", LOAD, str(asked.backbone), kind], place / "load.txt")
    layers, held = json.loads(text.splitlines()[-1])
    recipe, store = place / f"few-{kind or 'full'}.yaml", place / f"store-{kind or 'full'}"
    recipe.write_text(
        RECIPE.format(
            folder=asked.backbone,
            quantize=f", quantize: {kind}" if kind else "",
            seeds=", ".join(map(str, range(1, asked.seeds + 1))),
            steps=asked.steps,
            test=asked.test,
            languages=", ".join(asked.languages),
        ),
        encoding="utf-8",
    )
    root = ["--set", f"data_root={asked.data}", "--store", str(store)]
    run = [sys.executable, "-m", "adapterxfer", "run", str(recipe), *root, "--jobs", "1"]
    _, seconds, peak = measured(run, place / "run.txt")
    sizes = [f"{layers / 2**20:.1f}", f"{held / 2**20:.1f}", f"{load:.0f}", f"{peak:.0f}", f"{seconds:.0f}"]
    return [kind or "float32", *sizes, *(f"{value:.1f}" for value in scores(recipe, store, asked.data))]


def scores(recipe: Path, store: Path, data: Path) -> list[float]:
    """English and mean of the other languages, over seeds: of the bottleneck, then of LoRA."""
    from adapterxfer import Results, build_plan, load_recipe

    frame: Any = Results.from_plan(build_plan(load_recipe(str(recipe), [f"data_root={data}"])), str(store)).scores()
    values = []
    for method in ("seq_bn", "lora"):
        rows = frame[frame["adapter"].str.startswith(method)]
        english = rows["language"] == "en"
        values += [float(rows[part]["score"].mean()) for part in (english, ~english)]
    return values


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--data", type=Path, required=True, help="folder with the treebanks")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, metavar="KIND")
    parser.add_argument("--languages", nargs="+", default=LANGUAGES)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=40, help="of a training")
    parser.add_argument("--test", type=int, default=40, help="test sentences of a language")
    parser.add_argument("--write", action="store_true", help="put the table into docs/encoders.md")
    asked = parser.parse_args(argv)
    columns = ["linear maps", "layers MiB", "held MiB", "load MiB", "peak MiB", "CPU s"]
    columns += [f"{method} {which}" for method in ("seq_bn", "LoRA") for which in ("English", "others")]
    lines = ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    with tempfile.TemporaryDirectory() as place:
        for kind in asked.kinds:
            lines.append("| " + " | ".join(row_of(kind, asked, Path(place))) + " |")
            print(lines[-1], file=sys.stderr, flush=True)
    text = "\n".join(lines)
    if not asked.write:
        print(text)
        return 0
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
