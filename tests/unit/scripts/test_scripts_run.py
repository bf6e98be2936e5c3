"""Every script runs to its end, in the smallest size it has; other folders test what some of them compute."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from adapterxfer.plan.generations import require_newest

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "scripts"
Load = Callable[[str], ModuleType]

ELSEWHERE = {
    "compare_rules": "tests/unit/report/test_compare_rules.py",
    "compare_versions": "tests/unit/scripts/test_compare_versions.py",
    "benchmark_statistics": "tests/simulation/test_scripts.py",
    "benchmark_training": "tests/unit/training/test_usual_trainers.py",
    "example_card_studies": "tests/unit/scripts/test_scripts_run.py",
    "list_benchmarks": "tests/unit/house/test_benchmarks.py",
    "make_real_backbone": "tests/unit/scripts/test_real_backbone.py",
    "make_world": "tests/unit/scripts/test_make_world.py",
    "memory_trace": "tests/unit/variants/test_memory_trace.py",
    "planted_effects": "tests/simulation/test_planted_effects.py",
    "q4_weights": "tests/unit/scripts/test_real_backbone.py",
    "significance_report": "tests/unit/report/test_score_files.py",
    "simulate_coverage": "tests/simulation/test_scripts.py",
    "simulate_draws": "tests/simulation/test_draws.py",
    "simulate_laws": "tests/simulation/test_laws.py",
    "simulate_mean_rules": "tests/simulation/test_scripts.py",
    "simulate_pooling": "tests/simulation/test_pooling.py",
    "simulate_verdicts": "tests/simulation/test_verdict_rates.py",
    "benchmark_methods": "tests/parity/test_method_costs.py",
    "engine_trials": "tests/parity/test_peft_types.py",
    "library_adapters": "tests/parity/test_adapters_configs.py",
    "library_peft": "tests/parity/test_peft_types.py",
    "table_adapters": "tests/parity/test_adapters_configs.py",
    "table_peft": "tests/parity/test_peft_types.py",
    "verdict_studies": "tests/simulation/test_verdict_rates.py",
    "encoder_checkpoints": "tests/unit/scripts/test_table_encoders.py",
    "table_encoders": "tests/unit/scripts/test_table_encoders.py",
    "table_installs": "tests/unit/scripts/test_table_installs.py",
    "table_json": "tests/unit/cli/test_outputs.py",
    "resolve_installs": "tests/unit/scripts/test_table_installs.py",
    "torch_build": "tests/unit/scripts/test_torch_build.py",
    "soak_processes": "tests/unit/scripts/test_scripts_run.py",
}
"""Script -> the test file that runs it; those that are not named here have a test ``test_NAME`` below."""


def run(name: str, *arguments: str) -> str:
    """Standard output of a script in a process of its own, where this is how it works; it must end with 0."""
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_script_is_run_by_a_test() -> None:
    names = {path.stem for path in SCRIPTS.glob("*.py")}
    assert set(ELSEWHERE) <= names, "a test of a script that is gone"
    here = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert names - set(ELSEWHERE) <= here, f"no test runs {sorted(names - set(ELSEWHERE) - here)}"
    for name, path in ELSEWHERE.items():
        assert name in (ROOT / path).read_text(encoding="utf-8"), f"{path} does not name {name}"


def test_benchmark_engines() -> None:
    (line,) = run("benchmark_engines", "--engines", "inline", "--stages", "3", "--jobs", "1").splitlines()
    row = json.loads(line)
    assert (row["engine"], row["stages"], row["finished"]) == ("inline", 3, 3)
    assert row["overhead_ms_per_stage"] > 0


def test_benchmark_score() -> None:
    pytest.importorskip("seqeval")
    seconds = json.loads(run("benchmark_score", "--share", "0.01", "--resamples", "20", "--json"))
    assert seconds


@pytest.mark.slow
def test_soak_kill() -> None:
    """One kill of a study of stages that write a few bytes; `soak_processes` looks for its processes."""
    last = run("soak_kill", "--kills", "1", "--small", "--hollow", "--longest", "0.5").splitlines()[-1]
    report = json.loads(last)
    assert sum(report["kills"].values()) == 1
    assert report["stages"] == 16
    assert report["problems"] == 0


@pytest.mark.slow
def test_soak_resume() -> None:
    report = json.loads(run("soak_resume", "--kills", "1", "--steps", "6").splitlines()[-1])
    assert sum(report["kills"].values()) == 1
    assert report["problems"] == 0


def test_soak_resume_trains_what_this_version_makes(script: Load, tmp_path: Path) -> None:
    soak = script("soak_resume").Soak(tmp_path, Namespace(seed=1, steps=6, full=False))
    stages = [soak.stage(number) for number in range(10)]
    assert {stage.kind for stage in stages} == {"pretrain", "train_together", "train_target"}
    for stage in stages:
        require_newest(stage)


def test_table_assertions(script: Load) -> None:
    assert "# What is asserted of every model" in script("table_assertions").page()


def test_table_memory(script: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = script("table_memory")
    monkeypatch.setattr(module, "SHAPES", {"tiny": module.Shape(32, 2, 2, 64)})
    monkeypatch.setattr(module, "VOCABULARY", 60)
    monkeypatch.setattr(module, "VARIANTS", (("fuse", 2),))
    assert module.main(["--backbones", "tiny", "--reduction", "4"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| tiny")]
    assert [row.split(" | ")[1] for row in rows] == ["fuse of 2"]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="asks Linux for resident memory")
def test_measure_memory(script: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own, as the script does: another's freed memory would hide what the training takes."""
    code = (
        "import json, measure_memory as module\n"
        "module.counted.SHAPES = {'tiny': module.counted.Shape(64, 2, 2, 128)}\n"
        "module.counted.VOCABULARY = 100_000\n"
        "print(json.dumps(module.measure('tiny', 'stack', 2, 2, recompute=False)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True, check=True)
    row = json.loads(done.stdout.splitlines()[-1])
    assert row["measured"] > 100_000 * 64 * 4, "the table of words alone"
    module = script("measure_memory")
    monkeypatch.setattr(module.counted, "SHAPES", {"tiny": module.counted.Shape(64, 2, 2, 128)})
    monkeypatch.setattr(module.counted, "VOCABULARY", 100_000)
    lines = module.table([row])
    assert len(lines) == 3
    assert lines[-1].startswith("| tiny | stack | 2 x 128 |")


def test_variant_sizes(script: Load, capsys: pytest.CaptureFixture[str]) -> None:
    script("variant_sizes").main()
    assert capsys.readouterr().out.rstrip("\n") == (ROOT / "docs" / "sizes.md").read_text(encoding="utf-8").rstrip("\n")


def test_make_example_cards(script: Load, tmp_path: Path) -> None:
    """The texts of one card again; its study is in `example_card_studies`."""
    module = script("make_example_cards")
    stored = ROOT / "docs" / "cards" / "quickstart"
    card = tmp_path / "quickstart"
    card.mkdir()
    for name in ("bundle.json", "results.json"):
        (card / name).write_bytes((stored / name).read_bytes())
    module.main(["quickstart", "--render", "--out", str(tmp_path)])
    assert (card / "README.md").read_bytes() == (stored / "README.md").read_bytes()


def test_choose_rates(script: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "rates.yaml"
    recipe.write_text(
        "recipe: 1\nname: rates\nbackbones: [world-nano]\nintermediate_tasks: [none]\ntarget_tasks: [world-xnli]\n"
        "variants: [full-ft]\nseeds: [1]\ncontrols: false\n"
        "train: {default: {batch_size: 4, steps: 2, max_length: 32}}\n"
        "tasks: {world-xnli: {train_examples: 16, dev_examples: 8, test_examples: 8}}\n",
        encoding="utf-8",
    )
    arguments = [str(recipe), "--mode", "full-ft", "--rates", "1e-3", "1e-2", "--store", str(tmp_path / "store")]
    assert script("choose_rates").main(arguments) == 0
    printed = capsys.readouterr().out
    assert [line.split(":")[0] for line in printed.splitlines() if ": mean " in line] == ["1e-3", "1e-2"]


def test_simulate_looks(tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    run("simulate_looks", "--studies", "1", "--json", str(rows), "--page", str(tmp_path / "page.md"))
    ways = {row["judged"] for row in json.loads(rows.read_text(encoding="utf-8"))}
    assert ways == {"declared looks", "0.05 at each look", "once, ten seeds"}


def test_simulate_run_variance(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    run("simulate_run_variance", "--studies", "40", "--page", str(page))
    assert page.read_text(encoding="utf-8").count("\n| ") > 3


OFFICIAL = """
import pathlib
XTREME_VERSIONS_LANG_DICT = {"xtreme": {"pawsx": ["de", "en"]}}
XTREME_VERSIONS_GROUP_DICT = {"xtreme": {}}
def get_suffix(task, groups):
    return "tsv"
def evaluate_one_task(predictions, labels, task, language):
    pairs = list(zip(*(pathlib.Path(path).read_text().split() for path in (predictions, labels))))
    return {"accuracy": 100 * sum(a == b for a, b in pairs) / len(pairs) + SHIFT}
"""
ANSWERS = (
    "def f1_score(found, answer, *_):\n    return 0.0\ndef exact_match_score(found, answer, *_):\n    return False\n"
)


@pytest.mark.parametrize("shift", [0, 1])
def test_compare_with_xtreme(tmp_path: Path, shift: int) -> None:
    """A checkout that scores one task as the benchmark does, or one point more, and knows no right answer."""
    (tmp_path / "evaluate.py").write_text(OFFICIAL.replace("SHIFT", str(shift)))
    for side, lines in (("labels", "0\n1\n1\n"), ("predictions", "0\n1\n0\n")):
        for code in ("de", "en"):
            path = tmp_path / "mock_test_data" / side / "pawsx" / f"test-{code}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(lines)
    (tmp_path / "third_party").mkdir()
    for name in ("evaluate_squad", "evaluate_mlqa"):
        (tmp_path / "third_party" / f"{name}.py").write_text(ANSWERS)
    command = [sys.executable, str(SCRIPTS / "compare_with_xtreme.py"), str(tmp_path), "--pairs", str(40 * shift)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"figures of the mock submission: {0 if shift else 3} of 3 equal" in done.stdout, done.stderr
    assert ("differs: pawsx de accuracy" in done.stdout) == bool(shift)
    assert "of 40 equal" in done.stdout if shift else "pairs of answers: 0 of 0 equal" in done.stdout
    assert done.returncode == shift


def test_benchmark_real(script: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What it prepares and how it sums up; the processes themselves run in `test_benchmark_real_processes`."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    module = script("benchmark_real")
    write_treebanks(tmp_path / "ud")
    inputs = __import__("real_benchmark.inputs", fromlist=["prepare"])
    inputs.prepare(tmp_path / "ud", tmp_path, train=2, test=1)
    examples = json.loads((tmp_path / "examples.json").read_text())
    assert [len(examples["rows"][name]) for name in ("train", "en", "tr")] == [2, 1, 1]
    assert (tmp_path / "pos-b" / "task.json").is_file()
    turns = [
        {"part": "adapter", "side": side, "turn": turn, "cpu_s": seconds}
        for side, times in (("ours", (2.0, 9.0, 1.0)), ("usual", (4.0, 5.0, 6.0)))
        for turn, seconds in enumerate(times)
    ]
    (row,) = module.summary(turns)
    assert (row["ours"], row["usual"], row["ratios"]) == (2.0, 5.0, {"usual": 2.5})
    assert "usual/ours 2.5x" in module.line_of(row)


def small_backbone(folder: Path) -> Path:
    """The smallest backbone of the package, with its tokenizer, as a folder of the library."""
    world = ROOT / "adapterxfer" / "world"
    shutil.copytree(world / "backbones" / "world-nano", folder)
    for file in (world / "tokenizer").iterdir():
        shutil.copy(file, folder)
    return folder


@pytest.mark.slow
def test_benchmark_study(tmp_path: Path) -> None:
    pytest.importorskip("adapters")
    write_treebanks(tmp_path / "ud")
    out = tmp_path / "out.json"
    backbone = small_backbone(tmp_path / "backbone")
    run("benchmark_study", "--backbone", str(backbone), "--data", str(tmp_path / "ud"), "--steps", "1", "--batch", "2",
        "--train", "2", "--test", "1", "--json", str(out))  # fmt: skip
    sides = json.loads(out.read_text())["sides"]
    assert [len(sides[side]["processes"]) for side in ("ours", "usual")] == [2, 1]
    assert all(side["wall_s"] > 0 < side["cpu_s"] for side in sides.values())


@pytest.mark.slow
def test_benchmark_real_processes(tmp_path: Path) -> None:
    """Both sides, every part, one step, on the smallest backbone of the package."""
    pytest.importorskip("adapters")
    write_treebanks(tmp_path / "ud")
    backbone = small_backbone(tmp_path / "backbone")
    out = tmp_path / "out.json"
    run("benchmark_real", "--backbone", str(backbone), "--data", str(tmp_path / "ud"), "--steps", "1", "--turns", "1",
        "--batch", "2", "--train", "2", "--test", "1", "--json", str(out))  # fmt: skip
    turns = json.loads(out.read_text())["turns"]
    assert len(turns) == 11
    assert [turn["side"] for turn in turns if "first_loop_cpu_s" in turn] == ["ours"]
    assert all(turn["cpu_s"] > 0 and turn["peak_mib"] > 0 for turn in turns)


def write_treebanks(folder: Path) -> None:
    """Files of the names and the format of Universal Dependencies, a few sentences each."""
    sentence = "# sent_id = {}\n" + "\n".join(
        f"{i}\tword{i}\t_\t{tag}\t_\t_\t_\t_\t_\t_" for i, tag in enumerate(("NOUN", "VERB"), start=1)
    )
    for name in ("UD_English-EWT", "UD_Arabic-PUD", "UD_German-GSD", "UD_Spanish-GSD", "UD_Finnish-TDT",
                 "UD_Hindi-PUD", "UD_Indonesian-GSD", "UD_Russian-GSD", "UD_Turkish-IMST"):  # fmt: skip
        (folder / name).mkdir(parents=True)
        for split in ("train", "test"):
            text = "\n\n".join(sentence.format(number) for number in range(8)) + "\n\n"
            (folder / name / f"x-ud-{split}.conllu").write_text(text, encoding="utf-8")


def test_benchmark_plan() -> None:
    small, large = json.loads(run("benchmark_plan", "--turns", "1", "--json"))
    assert small["stages"] < large["stages"]
    assert 0 < small["this"] < large["this"]


def test_benchmark_dropout(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    run("benchmark_dropout", "--batch", "2", "--length", "8", "--turns", "2", "--json", str(out))
    assert all(seconds.keys() == {"torch", "ours"} for seconds in json.loads(out.read_text()).values())


def test_benchmark_products(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    run("benchmark_products", "--rows", "8", "--width", "16", "--turns", "1", "--json", str(out))
    rows = json.loads(out.read_text())
    assert [row["product"] for row in rows] == ["forward", "inputs", "weights"] * 3
    assert all(row["torch"] > 0 < row["oneDNN"] for row in rows)


def test_benchmark_threads() -> None:
    small = ("--hidden", "16", "--layers", "1", "--length", "8", "--seconds", "0.05", "--turns", "1")
    rows = json.loads(run("benchmark_threads", *small, "--json"))
    assert set(rows) == {"2 processes x 1 thread", "1 process x 2 threads"}
    assert all(row[way] > 0 for row in rows.values() for way in ("full", "frozen", "predict"))


def test_benchmark_gpu(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    small = ("--steps", "3", "--warm-up", "1", "--examples", "40", "--batch", "4", "--length", "32")
    run("benchmark_gpu", "--device", "cpu", "--tiny", "--sides", "ours", "--parts", "stack", *small, "--json", str(out))
    assert '"stack"' in out.read_text(encoding="utf-8")


@pytest.mark.slow
def test_table_quantized(script: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study in full numbers on made-up treebanks, written between the marks of a page."""
    module = script("table_quantized")
    write_treebanks(tmp_path / "ud")
    sentences = (tmp_path / "ud" / "UD_English-EWT" / "x-ud-train.conllu").read_text(encoding="utf-8")
    for name in ("en_ewt-ud-train", "en_ewt-ud-dev", "en_ewt-ud-test", "de_gsd-ud-test"):
        (tmp_path / "ud" / f"{name}.conllu").write_text(sentences, encoding="utf-8")
    backbone = small_backbone(tmp_path / "backbone")
    page = tmp_path / "page.md"
    page.write_text(f"Before.\n{module.BEGIN}\nold\n{module.END}\nAfter.\n")
    monkeypatch.setattr(module, "PAGE", page)
    arguments = ["--backbone", str(backbone), "--data", str(tmp_path / "ud"), "--kinds", "", "--languages", "en", "de"]
    assert module.main([*arguments, "--seeds", "1", "--steps", "1", "--test", "1", "--write"]) == 0
    first, header, line, row, last = [text for text in page.read_text().splitlines() if text and "<!--" not in text]
    assert (first, last) == ("Before.", "After.")
    cells = row.strip("| ").split(" | ")
    assert len(cells) == len(header.strip("| ").split(" | ")) == line.count("|") - 1
    assert cells[0] == "float32"
    assert all(float(cell) >= 0 for cell in cells[1:])
    assert float(cells[1]) > 0
