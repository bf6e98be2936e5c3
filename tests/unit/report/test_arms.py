"""Arms of intermediate training in a report: a row for each, each against English, and the shares they drew."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from adapterxfer.plan import Sources, build_plan
from adapterxfer.recipe import load_recipe
from adapterxfer.report.cautions import find_cautions
from adapterxfer.report.content import Findings
from adapterxfer.report.default_hypotheses import compared_arms
from adapterxfer.report.findings import find
from adapterxfer.report.results import Results
from adapterxfer.report.sampling import Sampled, read_sampling
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.tables import build_tables
from adapterxfer.training.batches import task_choices, task_weights

from planted_study import plant  # isort: skip

GAINS = {"mnli": 4.0, "mnli+mlm": 10.0, "mnli+translated": 18.0, "multi": 0.0}
NAMES = ("none", *GAINS)


def sampled(intermediate: str, share_of: str, part: str, shares: tuple[float, float, float], trainings: int) -> Sampled:
    declared, low, high = shares
    return Sampled(
        intermediate=intermediate, share_of=share_of, part=part, declared=declared, low=low, high=high,
        trainings=trainings,
    )  # fmt: skip


SHARES = (
    sampled("mnli+mlm", "steps", "mlm", (0.2, 0.2, 0.204), 4),
    sampled("multi", "steps", "squad-v1", (1 / 3, 0.3, 0.34), 4),
)


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    study = plant(
        tmp_path_factory.mktemp("arms"),
        lambda backbone, variant, intermediate, target, code: GAINS[intermediate] * (0.5 if target == "tatoeba" else 1),
        intermediates=NAMES, variants=("full-ft", "stack"), targets=("xnli", "panx", "tatoeba"), examples=600,
        seeds=(1, 2, 3),
        sizes={"tiny-1": (200_000, 60_000)},
    )  # fmt: skip
    results = Results.from_folders(study.cells, study.folders, languages=study.languages)
    return find(results, ReportSettings(resamples=200), sampling=SHARES)


def test_every_arm_has_a_row_of_its_own(findings):
    rows = [e for e in findings.effects if e.kind == "intermediate gain" and e.variant == "full-ft"]
    trained = {e.intermediate: e for e in rows if not e.pair_kind}
    retrieval = {e.intermediate: e for e in rows if e.pair_kind == "no target training"}
    assert set(trained) == set(retrieval) == set(GAINS)
    assert {e.pairs for e in trained.values()} == {2}
    assert {e.pairs for e in retrieval.values()} == {1}
    for name, planted in GAINS.items():
        assert trained[name].estimate == pytest.approx(planted, abs=3.0)
        assert retrieval[name].estimate == pytest.approx(planted / 2, abs=3.5)
        cells = [
            e.estimate for e in findings.effects
            if (e.kind, e.variant, e.intermediate, e.group) == ("gain", "full-ft", name, "zero-shot")
            and e.target in ("xnli", "panx")
        ]  # fmt: skip
        assert trained[name].estimate == pytest.approx(np.mean(cells), abs=1e-9)


def test_arms_are_set_against_the_training_they_add_to(findings):
    rows = {
        (e.intermediate, e.against): e for e in findings.effects
        if e.kind == "arm difference" and e.variant == "stack" and not e.pair_kind
    }  # fmt: skip
    assert set(rows) == {("mnli+mlm", "mnli"), ("mnli+translated", "mnli"), ("multi", "mnli")}
    for (name, other), effect in rows.items():
        assert effect.estimate == pytest.approx(GAINS[name] - GAINS[other], abs=4.0)
    assert len({e.hypotheses for e in rows.values()}) == 1
    assert rows["mnli+translated", "mnli"].p_adjusted is not None
    assert compared_arms(("a", "a+mlm", "b+mlm", "pool")) == [("a+mlm", "a"), ("pool", "a")]


def test_the_table_names_the_arms_and_the_pooled_kinds_stay_as_they_are(findings):
    tables = {table.name: table for table in build_tables(findings)}
    arms = tables["arms"]
    labels = [column.label for column in arms.columns]
    shown = {row[labels.index("intermediate")] for row in arms.rows}
    assert shown == set(GAINS)
    kinds = [row[0] for row in tables["kind-gains"].rows]
    assert set(kinds) == {"same kind", "other kind", "several tasks", "no target training"}
    assert all(effect.kind in ("gain", "trend") for effect in findings.effects if effect.pair_kind in ("same kind",))


def test_shares_are_shown_and_a_large_difference_is_a_caution(findings):
    table = next(table for table in build_tables(findings) if table.name == "sampling")
    assert table.texts() == [
        ["mnli+mlm", "steps", "mlm", "20.0%", "20.0% to 20.4%", "0.4%", "4"],
        ["multi", "steps", "squad-v1", "33.3%", "30.0% to 34.0%", "3.3%", "4"],
    ]
    (caution,) = [c for c in findings.cautions if c.check == "sampling shares"]
    assert caution.text.startswith("1 of 2 shares")
    assert "squad-v1 in multi" in caution.text
    assert findings.as_json()["sampling"][0]["high"] == 0.204
    kept = find_cautions.__kwdefaults__
    assert kept is not None
    assert kept["sampling"] == ()


def test_shares_come_from_the_descriptions_of_the_trainings(tmp_path: Path):
    inputs = {}
    for number, drawn in enumerate((0.21, 0.19)):
        share = {"declared": 0.2, "realised": drawn}
        sampling = {"tasks": {"mlm": share}, "languages": {"mlm": {"de": {"declared": 0.5, "realised": 0.5}}}}
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "model.json").write_text(json.dumps({"training": {"sampling": sampling}}), encoding="utf-8")
        inputs[f"mixed.{number}.anli+mlm"] = folder
    inputs["predict.0"] = tmp_path
    assert read_sampling(inputs) == (
        sampled("anli+mlm", "steps", "mlm", (0.2, 0.19, 0.21), 2), sampled("anli+mlm", "mlm", "de", (0.5, 0.5, 0.5), 2),
    )  # fmt: skip
    assert read_sampling(inputs)[0].off == pytest.approx(0.01)


def test_the_report_of_the_arms_gets_all_mixed_trainings():
    recipe = load_recipe(Path(__file__).parents[3] / "recipes" / "world-arms.yaml")
    plan = build_plan(recipe, sources=Sources(recipe, world=lambda: "w"))
    assert plan.report is not None
    mixed = {role: plan.stages[key] for role, key in plan.report.inputs.items() if role.startswith("mixed.")}
    names = sorted(role.partition(".")[2].partition(".")[2] for role in mixed)
    assert names == sorted(6 * ["multi", "world-nli+mlm", "world-nli+translated"])  # two variants, three seeds
    plain = build_plan(recipe, only=["intermediate=none,world-nli"], sources=Sources(recipe, world=lambda: "w"))
    assert plain.report is not None
    assert not any(role.startswith("mixed.") for role in plain.report.inputs)


@pytest.mark.parametrize(
    "sampling",
    [
        {"kind": "proportional"}, {"kind": "uniform"}, {"kind": "temperature", "temperature": 2.0},
        {"kind": "capped", "cap": 3000},
    ],
)  # fmt: skip
@pytest.mark.parametrize("steps", [100, 400, 800])
def test_realised_shares_are_within_one_percent(sampling, steps):
    """Of four tasks as large as those of recipes/world-arms.yaml, for every kind of sampling and seed."""
    weights = task_weights([6000, 6000, 4000, 2000], sampling)
    for seed in range(5):
        drawn = np.bincount(list(islice(task_choices(weights, np.random.default_rng(seed)), steps)), minlength=4)
        assert np.abs(drawn / steps - weights).max() <= 0.01
