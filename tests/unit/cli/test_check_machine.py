"""`check` refuses what `run` would refuse on this machine: all of it at once, with exit code 2, as JSON too."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterxfer.catalog import backbones
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.cli.main import main
from adapterxfer.errors import AdapterxferError, BackboneError, DataError, joined
from adapterxfer.plan import build_plan
from adapterxfer.plan.limits import folder_limit
from adapterxfer.recipe import load_recipe

WORLD = Path(__file__).parents[3] / "adapterxfer" / "world"
RECIPE = """
recipe: 1
name: machine
backbones: [b]
intermediate_tasks: [none]
target_tasks: [world-xnli]
variants: [full-ft, stack]
adapters: [{method: seq_bn, reduction_factor: 4}]
seeds: [1]
backbone_sources: {b: {folder: FOLDER}}
train: {default: {steps: 2, learning_rate: 1e-3}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole backbone, as a user has it."""
    place = tmp_path / "b"
    place.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(WORLD / "backbones" / "world-nano" / name, place / name)
    shutil.copy(WORLD / "tokenizer" / "tokenizer.json", place / "tokenizer.json")
    return place


@pytest.fixture
def recipe(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE.replace("FOLDER", str(folder)))
    return path


def checked(recipe: Path, capsys: pytest.CaptureFixture[str], *changes: str) -> tuple[int, dict[str, Any]]:
    arguments = [part for change in changes for part in ("--set", change)]
    code = main(["check", str(recipe), *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_whole_backbone_passes(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = checked(recipe, capsys)
    assert (code, found["ok"], found["problems"]) == (0, True, [])


def test_a_plan_refuses_a_backbone_that_is_none_and_counts_without_data(
    recipe: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = ["plan", str(recipe), "--store", str(tmp_path / "store")]
    assert main([*whole, "--set", "target_tasks=[udpos]", "--set", f"data_root={tmp_path}"]) == 0
    assert "keys are provisional" in capsys.readouterr().out
    for broken in (tmp_path / "nowhere", tmp_path):
        assert main([*whole, "--set", f"backbone_sources.b.folder={broken}"]) == 2
        shown = capsys.readouterr()
        assert str(broken) in shown.err
        assert "keys are provisional" in shown.out
    (folder / "tokenizer.json").unlink()
    assert main(whole) == 2
    assert str(folder) in capsys.readouterr().err


def test_everything_that_is_missing_is_said_in_one_round(
    recipe: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tokenizer_config.json").write_text('{"cls_token": "<s>"}')
    changes = [
        "backbones=[b, c, world-nano]",
        f"backbone_sources.c={{folder: {tmp_path / 'nowhere'}}}",
        "target_tasks=[udpos]",
        f"data_root={tmp_path / 'no-data'}",
        "train.default.max_length=1000",
    ]
    code, found = checked(recipe, capsys, *changes)
    assert (code, found["ok"]) == (2, False)
    message = "\n".join(problem["message"] for problem in found["problems"])
    for part in (
        "no padding token is named",
        str(tmp_path / "nowhere"),
        str(tmp_path / "no-data"),
        "backbone 'b' reads 126 tokens at most",
        "backbone 'world-nano' reads 126 tokens at most",
    ):
        assert part in message, part
    arguments = [part for change in changes for part in ("--set", change)]
    assert main(["check", str(recipe), *arguments]) == 2
    shown = capsys.readouterr()
    assert "cannot run here" in shown.out
    assert main(["run", str(recipe), *arguments, "--store", str(tmp_path / "store")]) == 2
    assert capsys.readouterr().err == shown.err, "the run says the same"
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (["train.default.max_length=127"], "max_length 127, but backbone 'b' reads 126 tokens"),
        (["train.target={max_length: 500}"], "max_length 500, but backbone 'b' reads 126"),
        (["train.world-xnli={adapters: {max_length: 128}}"], "max_length 128, but backbone 'b' reads 126"),
        (["train.default.max_length=126"], ""),
        (["train.target={max_length: 500}", "train.b={max_length: 100}"], ""),
        ([], ""),  # the default of 128 is a ceiling that nobody wrote
    ],
)
def test_a_length_that_the_backbone_cannot_read(
    recipe: Path, capsys: pytest.CaptureFixture[str], changes: list[str], reason: str
) -> None:
    code, found = checked(recipe, capsys, *changes)
    assert code == (2 if reason else 0)
    assert all(reason in problem["message"] for problem in found["problems"])
    arguments = [part for change in changes for part in ("--set", change)]
    assert main(["plan", str(recipe), *arguments]) == code


def test_a_catalogued_backbone_has_its_limit_without_files(
    recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    source = "backbone_sources={xlm-r-base: {revision: 0123456789abcdef0123456789abcdef01234567}}"
    for length, code in ((1000, 2), (512, 0)):
        found = checked(recipe, capsys, "backbones=[xlm-r-base]", source, f"train.default.max_length={length}")
        assert found[0] == code, found
    assert "max_length 1000" in str(build_plan(load_recipe(
        recipe, ["backbones=[xlm-r-base]", source, "train.default.max_length=1000"])).unfit)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("xlm-r-large", 512), ("xlm-r-xl", 512), ("me5-small", 512), ("mdeberta-v3-base", 512), ("rembert", 512),
        ("mmbert-small", 8192), ("mmbert-base", 8192), ("mt5-small-encoder", 1024),
    ],
)  # fmt: skip
def test_every_public_backbone_has_a_limit(
    recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str,
    limit: int,
) -> None:  # fmt: skip
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    source = f"backbone_sources={{{name}: {{revision: 0123456789abcdef0123456789abcdef01234567}}}}"
    for length, code in ((limit + 1, 2), (limit, 0)):
        found = checked(recipe, capsys, f"backbones=[{name}]", source, f"train.default.max_length={length}")
        assert found[0] == code, found
        named = (f"max_length {limit + 1}, but backbone '{name}' reads {limit} tokens", "equal to 8192")
        assert any(text in str(found[1]["problems"]) for text in named) == (code == 2)
    assert all(spec.longest for spec in backbones().values() if spec.series in ("world", "xlm-r", "mt5", "mmbert"))


@pytest.mark.parametrize("model_type", ["mt5", "umt5"])
def test_the_check_knows_the_limit_at_which_a_run_would_cut(tmp_path: Path, model_type: str) -> None:
    """Relative positions have no limit in the files; the loader cuts all the same."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type, "d_model": 8, "num_layers": 1}))
    config = SimpleNamespace(model_type=model_type)
    assert folder_limit(tmp_path) == ARCHITECTURES[model_type].max_length(config) == 1024


@pytest.mark.parametrize("variant", ["stack", "full-ft", "head-only"])
@pytest.mark.parametrize("weights", ["bfloat16", "float16"])
@pytest.mark.parametrize("train", ["fp32", "bf16"])
def test_weights_in_half_precision_are_refused_where_they_train(
    recipe: Path, folder: Path, capsys: pytest.CaptureFixture[str], variant: str, weights: str, train: str
) -> None:
    source = f"backbone_sources.b={{folder: {folder}, dtype: {weights}}}"
    code, found = checked(recipe, capsys, f"variants=[{variant}]", f"train.default.dtype={train}", source)
    assert code == (2 if variant == "full-ft" else 0)
    for problem in found["problems"]:
        assert problem["message"].startswith(
            f"'{variant}' trains the backbone, whose small steps are lost in {weights}"
        )
    assert checked(recipe, capsys, f"variants=[{variant}]", f"train.default.dtype={train}")[0] == 0


def test_mistakes_of_the_recipe_are_json_too(recipe: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, found = checked(recipe, capsys, "variants=[stak]", "seeds=[]")
    assert (code, found["ok"]) == (2, False)
    assert len(found["problems"]) >= 2
    assert all(problem["line"] >= 1 and problem["column"] >= 1 for problem in found["problems"])
    code, found = checked(tmp_path / "absent.yaml", capsys)
    assert (code, found["ok"]) == (2, False)
    (tmp_path / "broken.yaml").write_text("recipe: [1\n")
    assert checked(tmp_path / "broken.yaml", capsys)[0] == 2


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, ""),  # XLM-R's own names hold where the folder says nothing
        ({"cls_token": "<s>"}, "no padding token is named"),
        ({"pad_token": "<pad>"}, ""),
        ({"pad_token": {"content": "<pad>"}}, ""),
        ({"pad_token": "[PAD]"}, r"lacks [PAD]"),
        ({"pad_token": None, "eos_token": "</s>"}, "no padding token is named"),
        ("no json", "not valid JSON"),
    ],
)
def test_the_tokenizer_is_looked_at_as_the_run_does(folder: Path, facts: Any, reason: str) -> None:
    from adapterxfer.backbones.special_tokens import tokenizer_problems
    from adapterxfer.backbones.tokenizer import load_tokenizer
    from adapterxfer.catalog.architectures import architecture_of

    text = facts if isinstance(facts, str) else json.dumps(facts)
    (folder / "tokenizer_config.json").write_text(text)
    problems = tokenizer_problems(folder)
    assert [reason in str(problem) for problem in problems] == ([True] if reason else [])
    with pytest.raises(BackboneError) if reason else nullcontext() as caught:
        load_tokenizer(folder / "tokenizer.json", max_length=20, architecture=architecture_of("xlm-roberta"))
    assert [str(problem) for problem in problems] == ([str(caught.value)] if caught is not None else [])


def test_a_vocabulary_is_read_once_and_again_where_the_file_changed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapterxfer.backbones import special_tokens
    from adapterxfer.data.files import HashCache

    read: list[str] = []
    content = special_tokens._content
    monkeypatch.setattr(special_tokens, "_content", lambda path: (read.append(path.name), content(path))[1])
    path, hashes = folder / "tokenizer.json", HashCache(tmp_path / "hashes.json")
    assert special_tokens.tokenizer_problems(folder, hashes.fact) == []
    assert read.count(path.name) == 1
    hashes.save()
    again = HashCache(tmp_path / "hashes.json")
    assert special_tokens.tokenizer_problems(folder, again.fact) == []
    assert read.count(path.name) == 1, "remembered by path, size and time, as its hash is"
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "[PAD]"}))
    assert "lacks [PAD]" in str(special_tokens.tokenizer_problems(folder, again.fact)[0]), "other tokens are asked for"
    (folder / "tokenizer_config.json").unlink()
    tokenizer = json.loads(path.read_text())
    path.write_text(json.dumps({**tokenizer, "post_processor": None}))
    assert "puts no special token before a text" in str(special_tokens.tokenizer_problems(folder, again.fact)[0])
    path.write_text("{}")
    assert "not a tokenizer" in str(special_tokens.tokenizer_problems(folder, again.fact)[0])


KINDS = st.sampled_from([DataError, BackboneError, AdapterxferError])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(KINDS, st.sampled_from(["a", "b"]), st.sampled_from(["", "do x", "do y"])), max_size=4))
def test_joined_errors_lose_nothing(parts: list[tuple[type[AdapterxferError], str, str]]) -> None:
    error = joined([kind(what, fix=fix) for kind, what, fix in parts])
    if not parts:
        assert error is None
        return
    assert error is not None
    assert error.what.split("\n") == [what for _, what, _ in parts]
    assert {fix for fix in error.fix.split("\n       ") if fix} == {fix for _, _, fix in parts if fix}
    if len({kind for kind, _, _ in parts}) == 1:
        assert type(error) is parts[0][0]
