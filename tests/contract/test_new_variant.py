"""A variant added as CONTRIBUTING.md says: a function that puts its model together, and one specification of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from contributing import arguments, blocks
from hub_study import METHODS_RECIPE, StudyFiles, make_study

from adapterxfer.catalog.capabilities import capability
from adapterxfer.catalog.variants import VARIANTS, VariantSpec, register, trained_as
from adapterxfer.cli.ls import LISTINGS
from adapterxfer.cli.main import main
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.making import make_bundle
from adapterxfer.plan import build_plan
from adapterxfer.recipe import load_recipe
from adapterxfer.store.store import Store
from adapterxfer.training import starts
from adapterxfer.variants.storage import read_description, read_weights

FUNCTION, ENTRY = blocks("Add a transfer variant")
SPEC = arguments(ENTRY)
ADAPTER = "{method: seq_bn, reduction_factor: 6}"


@pytest.fixture(scope="module")
def added() -> Iterator[str]:
    names = {**vars(starts), "torch": torch}
    exec(FUNCTION, names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starts, "half_adapter", names["half_adapter"], raising=False)
        patch.delitem(VARIANTS, "half", raising=False)  # whoever follows the page has it already
        register(VariantSpec(**SPEC))
        yield "half"
        patch.delitem(VARIANTS, "half")
        trained_as.cache_clear()


@pytest.fixture(scope="module")
def study(added: str, tmp_path_factory: pytest.TempPathFactory) -> StudyFiles:
    torch.set_num_threads(1)
    text = METHODS_RECIPE.replace("[ADAPTERS]", f"[{ADAPTER}]").replace("[sequential, stack]", "[sequential, half]")
    return make_study(tmp_path_factory.mktemp("study"), text, scores=False)


def test_it_is_listed_and_has_its_cells(added: str) -> None:
    assert capability("mt5", "lora", added).works
    assert not capability("mt5", "prefix", added).works
    assert any(added in map(str, line) for line in LISTINGS["variants"]()[1])


def test_the_recipe_of_the_page_is_planned(added: str, tmp_path: Path) -> None:
    (text,) = blocks("Add a transfer variant", "yaml")
    (tmp_path / "half.yaml").write_text(text)
    assert main(["check", str(tmp_path / "half.yaml")]) == 0
    plan = build_plan(load_recipe(tmp_path / "half.yaml"))
    assert {cell.variant for cell in plan.cells if not cell.control} == {"sequential", "half"}


def test_it_is_planned_beside_the_others_and_shares_what_is_the_same(study: StudyFiles) -> None:
    plan = study.plan()
    fresh = [cell for cell in plan.cells if cell.intermediate == "none"]
    assert {cell.variant for cell in fresh} == {"sequential", "half"}
    assert len({cell.predict for cell in fresh}) == 1, "without an intermediate both are an adapter alone"
    after = [s for s in plan.stages.values() if s.kind == "train_target" and s.labels["intermediate"] == "world-nli"]
    assert {(s.labels["variant"], s.identity["composition"]) for s in after} == {
        ("sequential", "sequential"),
        ("half", "half"),
    }
    assert len({s.inputs["intermediate"] for s in after}) == 1


def test_it_trains_under_every_assertion_and_becomes_a_bundle(study: StudyFiles, tmp_path: Path) -> None:
    plan, store = study.plan(), Store(study.store)
    stage = next(s for s in plan.stages.values() if s.labels.get("variant") == "half" and s.kind == "train_target")
    content = read_description(store.folder(stage)).content
    assert content["composition"]["variant"] == "half"
    verdicts = {row["assertion"]: row for row in content["assertions"]}
    assert verdicts["neutral-when-zero"]["because"] == "its adapter was trained before"
    assert verdicts["intermediate-matters"]["value"] > 1e-4
    weights = [
        read_weights(store.folder(s))["adapters.t00.0.up.weight"]
        for s in plan.stages.values()
        if s.kind == "train_target" and s.labels["intermediate"] == "world-nli"
    ]
    assert not torch.equal(*weights)
    (chosen,) = choose(study.plan("variant=half", "intermediate=world-nli"))
    folder, _ = make_bundle(plan, store, chosen, tmp_path, full_weights=True)
    assert open_bundle(folder).difference == 0.0
    card = (folder / "README.md").read_text()
    assert "Half of an adapter (seq_bn) of world-nli on tiny, trained further on world-xnli." in card
    assert "Variant: Nobody 2026, *Halves*." in card


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"builder": ""}, "names a builder exactly where a training makes it"),
        ({"layout": "none"}, "has the adapter that it trains"),
        ({"trains": "fusion"}, "trains a fusion where it has one"),
        ({"joins": True}, "trains nothing where it joins"),
    ],
)
def test_a_specification_that_contradicts_itself_cannot_be_written(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        VariantSpec(**{**SPEC, **change})


def test_stages_tell_variants_apart() -> None:
    with pytest.raises(ValueError, match="registered already"):
        register(VARIANTS["stack"])
    with pytest.raises(ValueError, match="another one has composition 'stack'"):
        register(VariantSpec(**{**SPEC, "name": "third", "composition": "stack"}))
