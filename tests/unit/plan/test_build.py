"""Which stages a recipe needs, which cells they fill, and what they share."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from adapterxfer.errors import AdapterxferError, DataError, RecipeError
from adapterxfer.plan import Plan, Sources, build_plan
from adapterxfer.recipe import load_recipe, parse_recipe
from adapterxfer.store.keys import Stage

RECIPES = Path(__file__).parents[3] / "recipes"

BASE = """\
recipe: 1
name: study
backbones: [world-nano, world-mini]
intermediate_tasks: [none, world-nli, world-qa]
target_tasks: [world-xnli, world-retrieval]
variants: [full-ft, sequential, stack, fuse]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2]
controls: false
train:
  default: {learning_rate: 1e-3, steps: 10}
"""


def plan(*set_: str, only: tuple[str, ...] = (), text: str = BASE) -> Plan:
    recipe = parse_recipe(text, "r", set_)
    sources = Sources(
        recipe, files=lambda asked, root: {name: {"kind": "files", "files": {}} for name, _ in asked}, world=lambda: "w"
    )
    return build_plan(recipe, only=only, sources=sources)


def of(plan: Plan, kind: str, **labels: object) -> list[Stage]:
    return [
        stage
        for stage in plan.stages.values()
        if stage.kind == kind and all(stage.labels.get(key) == value for key, value in labels.items())
    ]


def cell_keys(plan: Plan, **labels: object) -> set[str]:
    return {cell.predict for cell in plan.cells if all(getattr(cell, key) == value for key, value in labels.items())}


def test_every_stage_stands_after_its_inputs_and_keys_match() -> None:
    made = plan("intermediate_tasks=[none, world-nli, world-qa, multi, pool]", "controls=true")
    seen: set[str] = set()
    for key, stage in made.stages.items():
        assert seen.issuperset(stage.inputs.values())
        assert Stage.from_json(stage.as_json()).key == key
        seen.add(key)
    assert made.report is not None
    assert {cell.predict for cell in made.cells} <= set(made.report.inputs.values())


def test_counts_follow_from_sharing() -> None:
    counts = plan().counts()
    backbones, intermediates, seeds = 2, 2, 2
    assert counts["prepare"] == 4
    assert counts["train_intermediate"] == backbones * intermediates * seeds * 2  # one full, one adapter
    # full-ft: none and two; adapters: one fresh baseline, two sequential, two stacked
    assert counts["train_target"] == backbones * seeds * (3 + 1 + 2 + 2)
    assert counts["train_fusion"] == backbones * seeds * intermediates
    # retrieval: the untouched backbone once, and every intermediate model
    assert counts["predict"] == counts["train_target"] + counts["train_fusion"] + backbones + backbones * seeds * 4


def test_the_adapter_baseline_is_one_stage_of_three_variants() -> None:
    made = plan()
    shared = {
        variant: cell_keys(
            made, variant=variant, intermediate="none", target="world-xnli", seed=1, backbone="world-nano"
        )
        for variant in ("sequential", "stack", "fuse", "full-ft")
    }
    assert shared["sequential"] == shared["stack"] == shared["fuse"]
    assert shared["full-ft"].isdisjoint(shared["stack"])


def test_one_intermediate_adapter_serves_sequential_stack_and_fuse() -> None:
    made = plan()
    (adapter,) = of(
        made, "train_intermediate", backbone="world-nano", variant="adapter", intermediate="world-nli", seed=1
    )
    users = [stage for stage in made.stages.values() if adapter.key in stage.inputs.values()]
    assert Counter(stage.labels["variant"] for stage in users if stage.kind != "predict") == {
        "sequential": 1, "stack": 1, "fuse": 1,
    }  # fmt: skip
    fusion = next(stage for stage in users if stage.kind == "train_fusion")
    assert set(fusion.inputs) == {"data", "target", "intermediate.world-nli"}
    assert made.stages[fusion.inputs["target"]].identity["composition"] == "fresh"


def test_full_fine_tuning_after_an_intermediate_task_is_sequential() -> None:
    made = plan()
    stages = of(made, "train_target", variant="full-ft", intermediate="world-nli")
    assert {stage.identity["composition"] for stage in stages} == {"sequential"}
    assert all(made.stages[stage.inputs["intermediate"]].identity["mode"] == "full" for stage in stages)


def test_retrieval_has_no_target_training() -> None:
    made = plan()
    assert not of(made, "train_target", target="world-retrieval")
    cells = [cell for cell in made.cells if cell.target == "world-retrieval"]
    assert {cell.variant for cell in cells} == {"full-ft", "stack", "fuse"}, "sequential and stack are one cell"
    assert {cell.intermediate for cell in cells if cell.variant == "fuse"} == {"none"}
    untouched = cell_keys(made, backbone="world-nano", target="world-retrieval", intermediate="none")
    assert len(untouched) == 1, "one prediction for all variants and seeds"
    assert made.stages[untouched.pop()].identity["system"] == {"kind": "backbone", "layer": "middle"}
    assert {(r.variant, r.intermediate) for r in made.refused} == {("fuse", "world-nli"), ("fuse", "world-qa")}
    alone = plan("variants=[full-ft, sequential]")
    assert cell_keys(alone, target="world-retrieval", variant="sequential")


def test_pool_fusion_on_retrieval_needs_a_task_to_train_on() -> None:
    made = plan("intermediate_tasks=[none, world-nli, world-qa, pool]", "fusion_task=world-xqa")
    keys = cell_keys(made, target="world-retrieval", intermediate="pool")
    assert len(keys) == 4
    model = made.stages[made.stages[keys.pop()].inputs["model"]]
    assert model.kind == "train_fusion"
    assert model.identity["task"] == "world-xqa"
    assert model.identity["fused"] == ["world-nli", "world-qa"]


def test_multi_is_one_training_on_several_tasks() -> None:
    made = plan("intermediate_tasks=[none, world-nli, world-qa, multi]", "multi.sampling={kind: capped, cap: 9}")
    stage = of(made, "train_intermediate", intermediate="multi", variant="full-ft")[0]
    assert [part["task"] for part in stage.identity["tasks"]] == ["world-nli", "world-qa"]
    assert stage.identity["sampling"] == {"kind": "capped", "cap": 9, "order": "even"}
    assert {"data.world-nli", "data.world-qa"} <= set(stage.inputs)


def test_exclusions_are_counted_by_reason() -> None:
    made = plan('exclude=[{variant: stack, seed: 2, because: "too dear"}]')
    assert made.excluded == {"too dear": 2 * 2 * 3}
    assert not cell_keys(made, variant="stack", seed=2)


def test_only_narrows_cells_and_keeps_keys() -> None:
    whole = plan()
    part = plan(only=("variant=stack", "target=world-xnli", "seed=1"))
    assert {cell.variant for cell in part.cells} == {"stack"}
    assert {cell.seed for cell in part.cells} == {1}
    kept = {key for key, stage in part.stages.items() if stage.kind != "report"}
    assert kept <= set(whole.stages)
    assert not of(part, "train_intermediate", variant="full-ft")


@pytest.mark.parametrize(
    ("entry", "part"),
    [
        ("variant=stak", "did you mean 'stack'"),
        ("varian=stack", "did you mean 'variant'"),
        ("seed=3", "seed '3' is not one of: 1, 2"),
        ("stack", "axis 'stack'"),
    ],
)
def test_wrong_only(entry: str, part: str) -> None:
    with pytest.raises(RecipeError, match="--only") as caught:
        plan(only=(entry,))
    assert part in str(caught.value)


def test_controls_by_format_and_by_name() -> None:
    every = {(cell.control, cell.target, cell.backbone) for cell in plan("controls=true").cells if cell.control}
    assert ("hypothesis-only", "world-xnli", "") in every
    assert ("embedding-layer", "world-retrieval", "world-mini") in every
    assert not any(name == "random-span" for name, _, _ in every)
    named = {cell.control for cell in plan("controls=[majority]").cells if cell.control}
    assert named == {"majority"}


def test_untrained_twins_and_own_series() -> None:
    text = (RECIPES / "real-text.yaml").read_text(encoding="utf-8")
    made = plan("pretrain.tokens=1000", "pretrain.dtype=fp32", text=text)
    pretrained = {stage.labels["backbone"]: stage.identity["tokens"] for stage in of(made, "pretrain")}
    assert pretrained == {"small": 1000, "mid": 1000, "small-untrained": 0, "mid-untrained": 0}
    assert not made.needs_measurement
    assert plan(text=text).needs_measurement
    target = of(made, "train_target", backbone="mid-untrained")[0]
    assert made.stages[target.inputs["backbone"]].identity["tokens"] == 0
    report = made.report
    assert report is not None
    assert {"pretrain.small", "pretrain.mid-untrained"} <= set(report.inputs)
    twin = of(plan("backbones=[world-mini-untrained]"), "train_target")[0].identity["backbone"]
    assert (twin["kind"], twin["of"]) == ("untrained", "world-mini")


def test_only_what_changes_numbers_changes_keys() -> None:
    keys = set(plan().stages)
    assert keys == set(plan("data_root=/elsewhere", "tokens_per_second={world-nano: 5}").stages)
    changed = set(plan("train.target={batch_size: 16}").stages)
    stages = plan().stages
    gone = {stages[key].kind for key in keys - changed}
    assert gone == {"train_target", "train_fusion", "predict", "report"}


def test_overlapping_data_are_flagged() -> None:
    text = (RECIPES / "real-text.yaml").read_text(encoding="utf-8")
    flagged = {(cell.intermediate, cell.target) for cell in plan(text=text).cells if cell.overlap}
    assert flagged == {
        ("squad-gold-sentence", target) for target in ("xquad-gold-sentence", "tydiqa-xquad-gold-sentence")
    }


def test_unavailable_names_are_counted_and_refused() -> None:
    made = plan("backbones=[xlm-r-base]", "variants=[full-ft, merge]", "target_tasks=[xnli]")
    assert made.unavailable["xlm-r-base"] == len(made.cells) == 12
    with pytest.raises(AdapterxferError, match="backbone xlm-r-base: 12 cells need it") as caught:
        made.require_runnable()
    assert caught.value.exit_code == 2


def test_missing_files_stop_a_run_and_not_a_count() -> None:
    recipe = parse_recipe((RECIPES / "real-text.yaml").read_text(encoding="utf-8"))
    made = build_plan(recipe)
    assert made.counts()["train_target"] > 50
    with pytest.raises(DataError, match="data_root is not set") as caught:
        made.require_runnable()
    assert "en_ewt-ud-train.conllu" in str(caught.value)
    assert "xquad.de.json" in str(caught.value)


def test_head_only_is_a_control_without_intermediate() -> None:
    made = plan("variants=[full-ft, head-only]", "backbones=[world-nano]", "train.head-only={steps: 3}")
    cells = [cell for cell in made.cells if cell.control == "head-only"]
    assert [(cell.variant, cell.intermediate, cell.target, cell.seed) for cell in cells] == [
        ("control", "none", "world-xnli", 1),
        ("control", "none", "world-xnli", 2),
    ]
    (first, second) = of(made, "train_target", variant="head-only")
    assert first.identity["mode"] == "head"
    assert first.identity["composition"] == "fresh"
    assert first.identity["adapter"] is None
    assert first.identity["settings"]["steps"] == 3
    assert set(first.inputs) == {"data"}
    assert first.key != second.key
    assert [(r.variant, r.target) for r in made.refused] == [("head-only", "world-retrieval")]
    assert not made.unavailable


def test_equal_numbers_of_different_sizes_are_different_adapters() -> None:
    """Under one label, the second size of the study would silently have been the first one's trainings."""
    made = plan("adapters=[{method: seq_bn, reduction_factor: 8}, {method: seq_bn, bottleneck_size: 8}]")
    found = {(c.adapter, c.predict) for c in made.cells if c.variant == "stack" and c.intermediate == "world-nli"}
    assert len({key for _, key in found}) == len(found) == 16
    assert {label for label, _ in found} == {"seq_bn/8", "seq_bn/size8"}


def test_merges_join_the_models_of_other_cells() -> None:
    setup = ("variants=[stack, merge]", "backbones=[world-nano]", "target_tasks=[world-xnli, world-retrieval]")
    made = plan(
        *setup, "intermediate_tasks=[none, world-nli, world-qa, pool]", "merge={kind: average, intermediate: 0.4}"
    )
    fresh = {s.labels["seed"]: s.key for s in of(made, "train_target", variant="adapter")}
    single = of(made, "merge", intermediate="world-nli", seed=2)[0]
    assert single.identity["weights"] == [0.6, 0.4]
    assert single.inputs["model.00"] == fresh[2]
    assert made.stages[single.inputs["model.01"]].labels["intermediate"] == "world-nli"
    pool = of(made, "merge", intermediate="pool", seed=1)[0]
    assert pool.identity["weights"] == [0.6, 0.2, 0.2]
    assert len(of(made, "merge")) == 2 * 3
    # Without an intermediate there is nothing to merge: the baseline is that of stack.
    none = {
        variant: cell_keys(made, variant=variant, intermediate="none", target="world-xnli")
        for variant in ("stack", "merge")
    }
    assert none["stack"] == none["merge"]
    assert {(r.variant, r.target) for r in made.refused} == {("merge", "world-retrieval")}
    assert not made.unavailable


def test_soups_of_different_seeds_share_no_run() -> None:
    made = plan("variants=[stack, merge]", "backbones=[world-nano]", "merge={kind: soup, of: stack, members: 2}",
                "target_tasks=[world-xnli]")  # fmt: skip
    soups = of(made, "merge", intermediate="world-nli")
    seeds = [
        [made.stages[key].labels["seed"] for role, key in s.inputs.items() if role.startswith("model.")] for s in soups
    ]
    assert seeds == [[1, 1_000_001], [2, 1_000_002]]
    assert all(s.identity["weights"] == [0.5, 0.5] for s in soups)
    assert len(of(made, "merge", intermediate="none")) == 2
    full = plan("variants=[merge]", "adapters=[]", "merge={kind: soup, of: full-ft, members: 2}")
    assert {s.labels["adapter"] for s in of(full, "merge")} == {""}


def test_fusion_options_change_only_fusions() -> None:
    plain, joint = plan(), plan("fusion={rank: 8, target: jointly}")
    others = {key for key, stage in plain.stages.items() if stage.kind in ("train_target", "train_intermediate")}
    assert others <= set(joint.stages)
    stage = of(joint, "train_fusion")[0]
    assert (stage.identity["rank"], stage.identity["joint"]) == (8, True)
    assert "target" not in stage.inputs
    assert not {"rank", "joint"} & of(plain, "train_fusion")[0].identity.keys()


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ("{kind: soup, of: stack}", "'members' is the number of runs"),
        ("{kind: average, members: 3}", "'members' is the number of runs"),
        ("{kind: soup, members: 2}", "of is one of: full-ft, sequential, stack, fuse"),
        ("{kind: average, of: stack}", "of is one of: adapters, full-ft"),
        ("{kind: average, intermediate: 1.5}", "share from 0 to 1"),
        ("{kind: arithmetic, intermediate: 0.5}", "needs both weights"),
    ],
)
def test_merges_that_say_too_little_or_too_much(change: str, part: str) -> None:
    with pytest.raises(RecipeError, match=part):
        plan("variants=[merge]", f"merge={change}")


def test_a_folder_is_known_by_its_content(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    numpy = pytest.importorskip("numpy")
    folder = tmp_path / "encoder"
    folder.mkdir()
    tensors = {"roberta.embeddings.word_embeddings.weight": (9, 4), "roberta.encoder.x": (3, 5), "lm_head.bias": (9,)}
    save_file(
        {name: numpy.zeros(shape, numpy.float32) for name, shape in tensors.items()}, folder / "model.safetensors"
    )
    (folder / "config.json").write_text('{"model_type": "xlm-roberta", "hidden_size": 4, "num_hidden_layers": 1}')
    (folder / "tokenizer.json").write_text("{}")
    setup = ("backbones=[mine]", "intermediate_tasks=[none]")
    made = plan(*setup, f"backbone_sources={{mine: {{folder: {folder}}}}}")
    (cell, *_) = made.cells
    assert (cell.parameters, cell.non_embedding_parameters) == (51, 15)
    moved = folder.rename(tmp_path / "elsewhere")
    again = plan(*setup, f"backbone_sources={{mine: {{folder: {moved}}}}}")
    assert again.stages.keys() == made.stages.keys()
    assert again.recipe.digest == made.recipe.digest
    assert not again.unavailable
    (moved / "tokenizer.json").write_text("{ }")
    changed = plan(*setup, f"backbone_sources={{mine: {{folder: {moved}}}}}")
    trained = {key for key, stage in made.stages.items() if stage.kind == "train_target"}
    assert trained
    assert not trained & changed.stages.keys()
    gone = plan(*setup, "backbone_sources={mine: {folder: gone}}")
    with pytest.raises(AdapterxferError, match=r"gone/config\.json"):
        gone.require_runnable()
    pinned = plan("backbones=[xlm-r-base]", f"backbone_sources={{xlm-r-base: {{revision: {'a' * 40}}}}}")
    assert not pinned.unavailable
    identity = of(pinned, "train_target")[0].identity["backbone"]
    assert (identity["repo"], identity["revision"]) == ("FacebookAI/xlm-roberta-base", "a" * 40)
    for wrong, text in (
        ("{mine: {hub: a/b}}", "folder, or from the revision"),
        ("{mine: {folder: x, hub: a/b}}", "two places"),
        (f"{{mine: {{revision: {'a' * 40}}}}}", "add hub: ORG/NAME"),
        ("{world-nano: {folder: x}}", "has its own weights"),
    ):
        with pytest.raises(RecipeError, match=text):
            plan("backbones=[world-nano]", f"backbone_sources={wrong}")


def test_the_whole_grid_reuses_the_stages_of_the_quickstart() -> None:
    small, whole = (build_plan(load_recipe(RECIPES / f"{name}.yaml")) for name in ("quickstart", "world-full"))
    apart = [small.stages[key] for key in set(small.stages) - set(whole.stages)]
    # The quickstart trains XNLI on a hundred examples, the whole grid on all.
    assert {stage.identity["task"] for stage in apart if stage.kind != "report"} == {"world-xnli"}
    assert sum(stage.kind == "report" for stage in apart) == 1


def test_what_no_repository_holds_stops_a_run_before_it_starts(tmp_path):
    text = """\
recipe: 1
name: pools
backbones: [world-nano]
intermediate_tasks: [none]
target_tasks: [lareqa, bucc2018, tatoeba]
variants: [full-ft]
seeds: [1]
train: {default: {learning_rate: 1e-3, steps: 5}}
"""
    recipe = parse_recipe(text, "r", ())
    plan = build_plan(recipe, sources=Sources(recipe))
    assert plan.missing_data is not None
    for part in ("lareqa: no repository", "xquad?r/", "bucc2018: no repository", "zh-en.sample.zh", "protocol: cross-"):
        assert part in plan.missing_data.what
    assert "tatoeba" not in plan.missing_data.what
    with pytest.raises(DataError, match="no repository on the Hub"):
        plan.require_runnable()
    # With a folder, what is missing there is said; the other protocol needs no file.
    (tmp_path / "train-v1.1.json").write_text("{}", encoding="utf-8")
    chosen = (f"data_root={tmp_path}", "tasks={bucc2018: {protocol: cross-fitted}}")
    recipe = parse_recipe(text, "r", chosen)
    missing = build_plan(recipe, sources=Sources(recipe)).missing_data
    assert missing is not None
    assert "test de (lareqa): missing" in missing.what
    assert "squad-retrieval" not in missing.what
    assert "bucc2018" not in missing.what
