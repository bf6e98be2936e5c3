"""Each kind of mistake that a run stops at is named by `check` beforehand, with exit code 2, all at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from adapterxfer.cli.main import main

WORLD = Path(__file__).parents[3] / "adapterxfer" / "world"
RECIPE = """\
recipe: 1
name: mistakes
backbones: [b, world-nano]
intermediate_tasks: [none, squad-v1]
target_tasks: [panx, xnli, udpos]
variants: [stack]
adapters: [{method: seq_bn, reduction_factor: 4}]
seeds: [1]
data_root: data
backbone_sources: {b: {folder: b}}
tasks:
  panx: {languages: [de, fi]}
  udpos: {languages: [fi]}
  xnli:
    languages: [de, tr]
    layout:
      train: {path: train.csv, layout: csv, columns: {text: a, text_pair: b, label: y, id: n}}
      dev: {path: train.csv, layout: csv, columns: {text: a, text_pair: b, label: y, id: n}}
      test: {path: "test-{lang}.csv", layout: csv, columns: {text: a, text_pair: b, label: y, id: n}}
controls: false
train: {default: {steps: 2, learning_rate: 1e-3}}
"""
LABELS = ("entailment", "neutral", "contradiction")


def put(name: str, content: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(content, encoding="utf-8")


def rows(header: str = "n,a,b,y", label: Callable[[int], str] = lambda n: LABELS[n % 3], first: int = 0) -> str:
    return header + "\n" + "".join(f"{n},text {n},and,{label(n)}\n" for n in range(first, first + 30))


def treebank(*names: str) -> str:
    return "".join(f"# sent_id = {name}\n1\tw{n}\t_\tNOUN" + "\t_" * 6 + "\n\n" for n, name in enumerate(names))


def question(answer: str = "text", start: int = 2) -> str:
    paragraph = {"context": "a text here", "qas": [
        {"id": f"q{n}", "question": "what?", "answers": [{"text": answer, "answer_start": start}]} for n in range(3)
    ]}  # fmt: skip
    return json.dumps({"version": "1.1", "data": [{"title": "", "paragraphs": [paragraph]}]})


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study whose files and backbone are whole."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    put("recipe.yaml", RECIPE)
    for name in ("train-en", "dev-en", "test-de", "test-fi"):
        put(f"data/panx/{name}.tsv", "".join(f"w{n}\tB-PER\nx\tO\n\n" for n in range(30)))
    for name in ("train", "test-de", "test-tr"):
        put(f"data/{name}.csv", rows())
    for name in ("en_ewt-ud-train", "en_ewt-ud-dev", "fi_tdt-ud-test"):
        put(f"data/{name}.conllu", treebank(*(f"s{n}" for n in range(5))))
    for name in ("train", "dev"):
        put(f"data/{name}-v1.1.json", question())
    Path("b").mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(WORLD / "backbones" / "world-nano" / name, Path("b") / name)
    shutil.copy(WORLD / "tokenizer" / "tokenizer.json", Path("b") / "tokenizer.json")


def config(**changes: object) -> None:
    facts = json.loads(Path("b/config.json").read_text())
    put("b/config.json", json.dumps({**facts, **changes}))


def more_tokens() -> None:
    facts = json.loads(Path("b/tokenizer.json").read_text())
    vocabulary = facts["model"]["vocab"]
    vocabulary |= {f"new{n}": len(vocabulary) + n for n in range(4000)}
    put("b/tokenizer.json", json.dumps(facts))


def layout(role: str, **changes: object) -> str:
    """A change of one key of the layout of xnli."""
    ((key, value),) = changes.items()
    return f"tasks.xnli.layout.{role}.{key}={json.dumps(value)}"


class Mistake(NamedTuple):
    """A mistake.

    Attributes:
        make: breaks something in the folder.
        named: what the message says.
        changes: of the recipe.
    """

    make: Callable[[], object]
    named: str
    changes: tuple[str, ...] = ()


def nothing() -> None:
    """The mistake is in the recipe."""


MISTAKES = {
    # files
    "no such folder": Mistake(lambda: shutil.move("data", "elsewhere"), "no folder 'data'"),
    "a language is missing": Mistake(lambda: Path("data/panx/test-fi.tsv").unlink(), "test fi (panx): missing"),
    "two candidates": Mistake(
        lambda: put("data/old/panx/test-fi.tsv", "x\tO\n\n"), "2 files match (old/panx/test-fi.tsv, panx/test-fi.tsv)"
    ),
    "a wrong name": Mistake(
        lambda: shutil.move("data/panx/test-fi.tsv", "data/panx/test_fi.tsv"), "panx/test_fi.tsv is not read"
    ),
    "a file behind a dead link": Mistake(
        lambda: (Path("data/panx/test-fi.tsv").unlink(), Path("data/panx/test-fi.tsv").symlink_to("/nowhere/x")),
        "test-fi.tsv: cannot be read",
    ),
    "a folder behind a dead link": Mistake(
        lambda: (shutil.rmtree("data/panx"), Path("data/panx").symlink_to("/nowhere")), "lead nowhere"
    ),
    "no treebank": Mistake(lambda: Path("data/fi_tdt-ud-test.conllu").unlink(), "test fi (udpos): missing"),
    "no training questions": Mistake(lambda: Path("data/train-v1.1.json").unlink(), "train en (squad-v1): missing"),
    # contents
    "a line without a tag": Mistake(lambda: put("data/panx/test-fi.tsv", "x\tO\n\ny\n"), "test-fi.tsv:3: 'y' has no"),
    "tags removed": Mistake(lambda: put("data/panx/test-de.tsv", "x\ny\n\n"), "has no tag; XTREME's download folder"),
    "an unknown tag": Mistake(lambda: put("data/panx/test-de.tsv", "x\tB-MISC\n"), "test-de.tsv:1: tag 'B-MISC'"),
    "an empty file": Mistake(lambda: put("data/panx/test-de.tsv", "\n"), "test-de.tsv: no sentence"),
    "not UTF-8": Mistake(lambda: Path("data/panx/test-de.tsv").write_bytes(b"\xff\xfe\tO\n"), "cannot be read"),
    "a repeated id of a treebank": Mistake(
        lambda: put("data/fi_tdt-ud-test.conllu", treebank("s1", "s1")), "id 'fi_tdt-ud-test/s1' is used twice"
    ),
    "a treebank of other columns": Mistake(
        lambda: put("data/fi_tdt-ud-test.conllu", "1\tw\tNOUN\n\n"), "3 columns; CoNLL-U has 10"
    ),
    "no SQuAD": Mistake(lambda: put("data/train-v1.1.json", "[1]"), "train-v1.1.json"),
    "an answer of another text": Mistake(lambda: put("data/train-v1.1.json", question("nowhere")), "train"),
    # layouts
    "a repeated id of a table": Mistake(
        lambda: put("data/test-tr.csv", rows() + "3,text,and,neutral\n"), "id '3' is used twice"
    ),
    "an unknown label": Mistake(lambda: put("data/test-tr.csv", rows(label=lambda n: "maybe")), "label 'maybe'"),
    "one label for all": Mistake(lambda: put("data/test-tr.csv", rows(label=lambda n: "neutral")), "test-tr.csv"),
    "no such column": Mistake(lambda: put("data/test-tr.csv", rows("n,a,b,gold")), "no column 'y'"),
    "no file of the pattern": Mistake(lambda: Path("data/test-tr.csv").unlink(), "test tr: no file test-tr.csv"),
    "one file for two languages": Mistake(
        nothing, "is one file for 2 languages", (layout("test", path="test-de.csv"),)
    ),
    "an unknown kind": Mistake(nothing, "xlsx", (layout("test", layout="xlsx"),)),
    "an unknown key of a layout": Mistake(nothing, "sheet", (layout("test", sheet="1"),)),
    "no file of layouts": Mistake(nothing, "nowhere.yaml", ("layouts=nowhere.yaml",)),
    "a layout without a folder": Mistake(
        nothing, "data_root is not set, but files below it are described by tasks.xnli.layout", ("data_root=null",)
    ),
    # backbones
    "no folder of a backbone": Mistake(lambda: shutil.move("b", "c"), "b/config.json: cannot be read"),
    "no config.json": Mistake(lambda: Path("b/config.json").unlink(), "config.json: cannot be read"),
    "a damaged config.json": Mistake(lambda: put("b/config.json", "{"), "config.json: cannot be read"),
    "an unknown architecture": Mistake(lambda: config(model_type="gpt-17"), "gpt-17"),
    "no weights": Mistake(lambda: Path("b/model.safetensors").unlink(), "no model.safetensors"),
    "pickles only": Mistake(
        lambda: shutil.move("b/model.safetensors", "b/pytorch_model.bin"), "pytorch_model.bin is a pickle"
    ),
    "damaged weights": Mistake(lambda: put("b/model.safetensors", "x" * 100), "model.safetensors: cannot be read"),
    "no tokenizer": Mistake(lambda: Path("b/tokenizer.json").unlink(), "no tokenizer.json"),
    "no padding token": Mistake(
        lambda: put("b/tokenizer_config.json", '{"cls_token": "<s>"}'), "no padding token is named"
    ),
    "a padding token that is no token": Mistake(
        lambda: put("b/tokenizer_config.json", '{"pad_token": "[NONE]"}'), "lacks [NONE]"
    ),
    "more tokens than embeddings": Mistake(more_tokens, "6821 tokens, but b/config.json has room for 2821"),
    "texts beyond the positions": Mistake(
        nothing, "backbone 'b' reads 126 tokens at most", ("train.default.max_length=200",)
    ),
    "a backbone of the Hub without a commit": Mistake(
        nothing, "backbone xlm-r-base: ", ("backbones=[xlm-r-base]", "backbone_sources={}")
    ),
    # what a recipe names beside tasks
    "no texts for masking": Mistake(
        nothing, "texts", ("mlm_mix={share: 0.2, texts: texts}", "intermediate_tasks=[none, squad-v1+mlm]")
    ),
    "no file of hypotheses": Mistake(nothing, "nowhere.yaml", ("statistics.include=nowhere.yaml",)),
}  # fmt: skip


def check(*changes: str) -> list[str]:
    arguments = [word for change in changes for word in ("--set", change)]
    return ["check", "recipe.yaml", *arguments]


def test_the_study_without_mistakes_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(check()) == 0, capsys.readouterr().err
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", MISTAKES)
def test_check_names_the_mistake(capsys: pytest.CaptureFixture[str], name: str) -> None:
    mistake = MISTAKES[name]
    mistake.make()
    assert main(check(*mistake.changes)) == 2
    shown = capsys.readouterr()
    assert mistake.named in shown.err, shown.err
    assert main([*check(*mistake.changes), "--json"]) == 2
    printed = json.loads(capsys.readouterr().out)
    assert mistake.named in "\n".join(problem["message"] for problem in printed["problems"])


def test_a_layout_without_a_folder_is_never_read_from_the_hub_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    """The Hub has another data set than the one that the layout describes."""
    for command in ("plan", "run"):
        assert main([command, *check("data_root=null")[1:], "--store", "store"]) == 2
        error = capsys.readouterr().err
        assert error.count("described by tasks.xnli.layout") == 1, error
        assert "--set tasks.xnli.layout=null" in error
    Path("store").mkdir()
    assert main(["store", "gc", "recipe.yaml", "--set", "data_root=null", "--store", "store"]) == 2
    assert "its stages cannot be named: mistakes: data_root is not set" in capsys.readouterr().err
    for read_from_the_hub in ("tasks.xnli.layout=null", "tasks.xnli.source=hub"):
        assert main(check("data_root=null", read_from_the_hub)) == 0, capsys.readouterr().err
    assert main(check("data_root=null", "target_tasks=[panx]")) == 0, "a task that is not used asks for nothing"
    assert main(check("data_root=null", "world=true", "backbones=[world-nano]")) == 0, capsys.readouterr().err


def test_all_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    together = [
        "a language is missing", "a repeated id of a treebank", "a repeated id of a table", "no padding token",
        "texts beyond the positions", "no SQuAD",
    ]  # fmt: skip
    changes: list[str] = []
    for name in together:
        MISTAKES[name].make()
        changes += MISTAKES[name].changes
    assert main(check(*changes)) == 2
    error = capsys.readouterr().err
    for name in together:
        assert MISTAKES[name].named in error, f"{name}\n{error}"


def test_two_damaged_files_of_a_task_are_both_named(capsys: pytest.CaptureFixture[str]) -> None:
    put("data/panx/test-de.tsv", "x\tB-MISC\n")
    put("data/panx/test-fi.tsv", "x\n")
    put("data/panx/train-en.tsv", "x\tB-FOO\n")
    assert main(check()) == 2
    error = capsys.readouterr().err
    assert all(name in error for name in ("test-de.tsv:1", "test-fi.tsv:1", "train-en.tsv:1"))


def test_files_are_read_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(check()) == 0
    monkeypatch.setattr("adapterxfer.data.readable.read_original", lambda *_, **__: pytest.fail("read again"))
    assert main(check()) == 0
    put("data/panx/test-de.tsv", "y\tO\nz\tB-LOC\n\n")
    with pytest.raises(pytest.fail.Exception, match="read again"):
        main(check())
