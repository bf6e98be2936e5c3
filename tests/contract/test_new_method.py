"""A method added as CONTRIBUTING.md says: a module with one layer's class, and one specification that names it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from contributing import arguments, blocks
from hub_study import METHODS_RECIPE, StudyFiles, make_study

from adapterxfer import variants
from adapterxfer.catalog.capabilities import capabilities, capability
from adapterxfer.catalog.methods import METHODS, MethodSpec, register
from adapterxfer.catalog.variants import variants_of
from adapterxfer.cli.ls import LISTINGS
from adapterxfer.cli.main import main
from adapterxfer.errors import RecipeError
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.inspection import inspect_bundle
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.making import make_bundle
from adapterxfer.plan import build_plan
from adapterxfer.recipe import load_recipe, parse_recipe
from adapterxfer.store.store import Store
from adapterxfer.variants.sizes import SHAPES, rows_of
from adapterxfer.variants.storage import read_description

MODULE, ENTRY = blocks("Add an adapter method")
SPEC = arguments(ENTRY)


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("user")
    (folder / "gelu.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(variants, "__path__", [*variants.__path__, str(folder)])
        patch.delitem(METHODS, "gelu_bn", raising=False)  # whoever follows the page has it already
        register(MethodSpec(**SPEC))
        yield "gelu_bn"
        del METHODS["gelu_bn"]  # not by the patch, which would put it back
        sys.modules.pop("adapterxfer.variants.gelu", None)


def recipe(variants: str, adapter: str = "{method: gelu_bn, reduction_factor: 6}", more: str = "") -> str:
    text = METHODS_RECIPE.replace("[ADAPTERS]", f"[{adapter}]").replace("[sequential, stack]", variants)
    return text.replace("schedule: linear", f"schedule: linear{more}")


def test_it_is_listed_counted_and_answers_for_every_composition(added: str) -> None:
    assert capability("rembert", added, "stack").works
    assert capability("mt5", added, "merge").works
    refused = capability("xlm-roberta", added, "fuse")
    assert (refused.because, refused.nearest) == ("AdapterFusion folds rectified bottlenecks", "stack/gelu_bn")
    assert sum(cell.method == added for cell in capabilities().values()) == len(
        variants_of(lambda variant: variant.adapters)
    ) * len({cell.architecture for cell in capabilities().values()})
    row = next(row for row in rows_of(SHAPES[0]) if row.system == "adapter gelu_bn/8")
    assert row.trainable == 12 * (2 * 768 * 96 + 96 + 768)
    assert any(added in map(str, line) for line in LISTINGS["methods"]()[1])


def test_recipes_may_ask_for_what_it_can_do_and_for_nothing_else(added: str) -> None:
    upper = "{method: gelu_bn, reduction_factor: 6, layers: upper-half}"
    both = parse_recipe(recipe("[stack, merge]", upper).replace("seeds: [1]", "seeds: [1, 2]"))
    assert [spec.label for spec in both.adapters] == ["gelu_bn/6/upper-half"]
    parse_recipe(recipe("[stack]", more=", seeds_together: true").replace("seeds: [1]", "seeds: [1, 2]"))
    with pytest.raises(RecipeError, match=r"'gelu_bn' cannot run as 'fuse' .AdapterFusion folds rectified"):
        parse_recipe(recipe("[fuse]"))
    with pytest.raises(RecipeError, match="'gelu_bn' has no rank"):
        parse_recipe(recipe("[stack]", "{method: gelu_bn, rank: 6}"))


def test_the_recipe_of_the_page_is_planned(added: str, tmp_path: Path) -> None:
    (text,) = blocks("Add an adapter method", "yaml")
    (tmp_path / "gelu.yaml").write_text(text)
    assert main(["check", str(tmp_path / "gelu.yaml")]) == 0
    plan = build_plan(load_recipe(tmp_path / "gelu.yaml"))
    assert {cell.adapter for cell in plan.cells if cell.variant == "stack"} == {"gelu_bn/8"}


@pytest.fixture(scope="module")
def study(added: str, tmp_path_factory: pytest.TempPathFactory) -> StudyFiles:
    torch.set_num_threads(1)
    return make_study(tmp_path_factory.mktemp(added), recipe("[sequential, stack, merge]"), scores=False)


@pytest.mark.parametrize("variant", ["sequential", "stack", "merge"])
def test_it_trains_under_every_assertion_and_becomes_a_bundle(study: StudyFiles, variant: str, tmp_path: Path) -> None:
    plan, store = study.plan(), Store(study.store)
    (chosen,) = choose(study.plan(f"variant={variant}", "intermediate=world-nli"))
    folder, _ = make_bundle(plan, store, chosen, tmp_path, full_weights=True)
    manifest = inspect_bundle(folder)
    assert {(part.method, part.layout) for part in manifest.composition.adapters} == {("gelu_bn", "own")}
    assert open_bundle(folder).difference == 0.0
    assert "Nobody 2026, *A Smooth Bottleneck*." in (folder / "README.md").read_text()
    if variant == "stack":
        trained = next(s for s in plan.stages.values() if s.kind == "train_target" and s.labels["variant"] == "stack")
        verdicts = {row["assertion"]: row for row in read_description(store.folder(trained)).content["assertions"]}
        assert verdicts["neutral-when-zero"]["value"] == 0.0
        assert verdicts["start-values"]["kind"] == "at most"
        assert verdicts["intermediate-matters"]["value"] > 1e-4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"merges": ""}, "says in why_unmerged why it does not"),
        ({"why_unfused": ""}, "says in why_unfused why it does not"),
        ({"examples": ()}, "has an example of its size"),
        ({"examples": ({"rank": 2},)}, "has examples of its own sizes"),
        ({"maps": ("query",)}, "names in maps the linear maps that it changes"),
        ({"builder": "gelu.GeluBottleneck"}, "names its builder as module:class"),
    ],
)
def test_a_specification_without_an_answer_cannot_be_written(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        MethodSpec(**{**SPEC, **change})


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="registered already"):
        register(next(iter(METHODS.values())))
