"""`backbone_sources: quantize`: what `check` refuses with place, cause and fix, and which keys it moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapterxfer.backbones.quantized import LIBRARIES
from adapterxfer.cli.main import main
from adapterxfer.errors import MissingDependency, RecipeError
from adapterxfer.plan import build_plan, limits
from adapterxfer.recipe import parse_recipe

RECIPE = """
recipe: 1
name: few
title: Weights in few bits
backbones: [xlm-r-base]
backbone_sources: {xlm-r-base: {revision: REVISION, quantize: nf4}}
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [stack, fuse]
adapters: [{method: seq_bn, reduction_factor: 4}]
seeds: [1]
train: {default: {batch_size: 8, steps: 3, learning_rate: 1e-3}}
""".replace("REVISION", "a" * 40)


def said(text: str) -> str:
    with pytest.raises(RecipeError) as refused:
        parse_recipe(text)
    return str(refused.value)


@pytest.mark.parametrize(
    ("before", "after", "messages"),
    [
        (
            "[stack, fuse]",
            "[full-ft, stack]",
            ("'full-ft' trains the backbone", "stay as they are", "leave quantize out"),
        ),
        (
            "variants: [stack, fuse]",
            "variants: [merge]\nmerge: {of: full-ft, kind: average}",
            ("'merge' trains the backbone", "leave quantize out"),
        ),
        ("[stack, fuse]", "[stack]\n", ()),
        (
            "[stack, fuse]\nadapters: [{method: seq_bn, reduction_factor: 4}]",
            "[stack]\nadapters: [{method: dora, rank: 4}]",
            ("'dora' reads the numbers of frozen maps, which nf4 packs", "take lora, rslora"),
        ),
        (
            "[stack, fuse]\nadapters: [{method: seq_bn, reduction_factor: 4}]",
            "[stack]\nadapters: [{method: 'peft:LORA'}]",
            ("'peft:LORA' is built by its library around plain maps",),
        ),
        ("steps: 3,", "steps: 3, compile: true,", ("compile traces plain products",)),
        ("quantize: nf4", "quantize: int4", ("quantize", "int8", "nf4")),
        ("quantize: nf4", "load_in_4bit: true", ("here it is 'quantize'", "int8 or nf4")),
    ],
)
def test_what_cannot_work_is_refused(before: str, after: str, messages: tuple[str, ...]) -> None:
    assert before in RECIPE
    text = RECIPE.replace(before, after)
    if not messages:
        parse_recipe(text)
        return
    says = said(text)
    for message in ("recipe:6:", *messages):  # line and column of the value
        assert message in says


def test_merged_adapters_and_heads_are_no_backbones() -> None:
    assert parse_recipe(RECIPE.replace("[stack, fuse]", "[merge, head-only, stack]")).name == "few"


def keys(text: str) -> dict[str, str]:
    plan = build_plan(parse_recipe(text))
    return {f"{stage.kind} {stage.slug}": key for key, stage in plan.stages.items()}


def test_keys_move_with_the_kind_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_is_installed", lambda _: True)
    plain, int8, nf4 = (
        keys(RECIPE.replace("quantize: nf4", value)) for value in ("attention: sdpa", "quantize: int8", "quantize: nf4")
    )
    assert plain.keys() == int8.keys() == nf4.keys()
    for name in plain:
        different = len({plain[name], int8[name], nf4[name]})
        if name.startswith(("prepare", "train")):
            assert different == (1 if name.startswith("prepare") else 3), name


def test_the_identity_and_the_report_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_is_installed", lambda _: True)
    plan = build_plan(parse_recipe(RECIPE))
    backbones: list[Any] = [s.identity["backbone"] for s in plan.stages.values() if s.kind == "train_target"]
    assert backbones
    assert all(backbone["quantize"] == "nf4" for backbone in backbones)
    (report,) = (stage for stage in plan.stages.values() if stage.kind == "report")
    assert report.labels["quantized"] == {"xlm-r-base": "nf4"}
    plan = build_plan(parse_recipe(RECIPE.replace(", quantize: nf4", "")))
    assert all("quantize" not in (stage.identity.get("backbone") or {}) for stage in plan.stages.values())
    assert "quantized" not in next(stage for stage in plan.stages.values() if stage.kind == "report").labels


@pytest.mark.parametrize("kind", LIBRARIES)
def test_a_missing_library_is_said_before_anything_runs(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(limits, "_is_installed", lambda library: library != LIBRARIES[kind])
    recipe = parse_recipe(RECIPE.replace("nf4", kind))
    (missing,) = limits.missing_libraries(recipe)
    assert isinstance(missing, MissingDependency)
    assert f"quantize: {kind} needs the extra 'quantized'" in str(missing)
    assert "adapterxfer[quantized]" in missing.fix
    path = tmp_path / "few.yaml"
    path.write_text(RECIPE.replace("nf4", kind))
    assert main(["plan", str(path), "--store", str(tmp_path / "store")]) == 2
    assert "adapterxfer[quantized]" in capsys.readouterr().err
