"""Meta-analysis over real bundles of a small study with planted answers: parts, whole, labs, copies, bad folders."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hub_study import Make, StudyFiles
from meta_bundles import ITEMS, MetaStudy, make_laboratory, plant
from test_hostile import reseal

from adapterxfer.cli.main import main
from adapterxfer.errors import BundleError, DataError
from adapterxfer.hub import layout
from adapterxfer.hub.counts import read_counts, write_counts
from adapterxfer.hub.inspection import inspect_bundle
from adapterxfer.hub.meta import MetaEffect, meta


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> StudyFiles:
    return make_laboratory(tmp_path_factory.mktemp("meta-study"))


@pytest.fixture(scope="module")
def lab(trained: StudyFiles, tmp_path_factory: pytest.TempPathFactory) -> MetaStudy:
    return plant(trained, tmp_path_factory.mktemp("first-lab"), gain=12.0, noise=1)


@pytest.fixture(scope="module")
def other_lab(trained: StudyFiles, tmp_path_factory: pytest.TempPathFactory) -> MetaStudy:
    return plant(trained, tmp_path_factory.mktemp("second-lab"), gain=2.0, noise=2)


def one(folders: list[Path], **options: Any) -> MetaEffect:
    effects, _ = meta(folders, **options)
    assert len(effects) == 1
    return effects[0]


def whole(lab: MetaStudy) -> MetaEffect:
    return one([lab.bundle("whole", 1, 2, 3, 4, 5, 6)])


@pytest.mark.parametrize("parts", [((1, 2), (3, 4), (5, 6)), ((1,), (2, 3), (4, 5, 6)), ((1, 2, 3), (4, 5, 6))])
def test_parts_of_a_study_pool_to_its_estimate(lab: MetaStudy, parts: tuple[tuple[int, ...], ...]) -> None:
    folders = [lab.bundle("-".join(map(str, seeds)), *seeds) for seeds in parts]
    pooled = one(folders).pooled
    (study,) = whole(lab).studies
    assert pooled is not None
    assert pooled.estimate == pytest.approx(study.estimate, rel=0.02)
    assert abs(study.estimate - 12.0) < 3.0


def test_the_estimate_is_that_of_the_study(lab: MetaStudy) -> None:
    """The gain in results.json comes through the report, and the one here from the counts in the bundle."""
    folder = lab.bundle("whole", 1, 2, 3, 4, 5, 6)
    (row,) = json.loads((folder / layout.RESULTS).read_text())["gains"]
    (study,) = whole(lab).studies
    assert study.estimate == pytest.approx(row["estimate"], abs=1e-5)
    assert study.scope == "items+runs"
    assert study.seeds == (1, 2, 3, 4, 5, 6)


def test_common_items_are_not_averaged_away(lab: MetaStudy) -> None:
    effect = one([lab.bundle("1-2-3", 1, 2, 3), lab.bundle("4-5-6", 4, 5, 6)])
    assert effect.pooled is not None
    (study,) = whole(lab).studies
    assert effect.pooled.standard_error >= effect.pooled.common_error
    assert effect.pooled.standard_error == pytest.approx(study.standard_error, rel=0.35)
    assert effect.clusters == ITEMS // 2
    assert any("150 clusters of test items" in note for note in effect.notes)


def test_items_that_are_hard_for_all_make_a_common_part(trained: StudyFiles, tmp_path: Path) -> None:
    """A gain that the same items have in every run: its error does not fall with more studies."""
    lab = plant(trained, tmp_path, gain=12.0, noise=1)
    effect = one([lab.bundle(str(seed), seed) for seed in (1, 2, 3, 4, 5, 6)], quantity="score")
    assert effect.pooled is not None
    # Difficulty sd .25 over 150 clusters of two items: each language's score has an error of 100 * .25 / sqrt(300).
    assert effect.pooled.common_error == pytest.approx(25.0 / math.sqrt(ITEMS), rel=0.35)
    assert any("single training run" in note for note in effect.notes)
    assert math.isnan(effect.run_sd)


def test_bundles_with_the_same_runs_are_one_study(lab: MetaStudy, tmp_path: Path) -> None:
    first, second, third = lab.bundle("123", 1, 2, 3), lab.bundle("234", 2, 3, 4), lab.bundle("5-6", 5, 6)
    effect = one([first, third, second])
    assert [study.seeds for study in effect.studies] == [(1, 2, 3, 4), (5, 6)]
    assert any("hold the same training runs: one study" in note for note in effect.notes)
    copy = shutil.copytree(third, tmp_path / "copy")
    assert one([third, copy]).pooled is None
    assert one([first, third, second, copy]).runs == 6


def test_the_same_seeds_in_two_places_are_named(lab: MetaStudy, other_lab: MetaStudy) -> None:
    effect = one([lab.bundle("1-2-3", 1, 2, 3), other_lab.bundle("1-2-3", 1, 2, 3)])
    assert effect.pooled is not None
    assert any(note.startswith("3 runs of the system have the same recipe and seed") for note in effect.notes)
    assert effect.pooled.tau > 2.0, "gains of 12 and 2 points differ by more than their runs do"
    assert effect.pooled.low < 7.0 < effect.pooled.high


def test_intervals_end_where_gains_end(lab: MetaStudy, other_lab: MetaStudy) -> None:
    effect = one([lab.bundle("1-2-3", 1, 2, 3), other_lab.bundle("1-2-3", 1, 2, 3)], level=0.9999)
    assert effect.pooled is not None
    assert (effect.pooled.low, effect.pooled.high) == pytest.approx((-100.0, 100.0)), "two studies, almost certain"
    assert math.isnan(effect.pooled.prediction_low), "what is not known stays unknown"
    for study in effect.studies:
        assert -100.0 - 1e-9 <= study.low < study.high <= 100.0 + 1e-9


def test_a_relabelled_copy_is_named(lab: MetaStudy, tmp_path: Path) -> None:
    folder = lab.bundle("1-2", 1, 2)
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    path = copy / "counts" / "world-xnli.parquet"
    counts = read_counts(path)
    runs = tuple(
        replace(run, facts=run.facts.model_copy(update={"stage": "0" * 63 + str(number), "seed": run.facts.seed}))
        for number, run in enumerate(counts.runs)
    )
    facts = counts.facts.model_copy(update={"runs": [run.facts for run in runs]})
    write_counts(path, replace(counts, facts=facts, runs=runs))
    reseal(copy)
    notes = one([folder, copy]).notes
    assert any("2 runs of the system gave the same answers to every item" in note for note in notes)


def test_other_test_data_are_not_pooled(lab: MetaStudy, trained: StudyFiles, tmp_path: Path) -> None:
    other = plant(trained, tmp_path, gain=12.0, noise=3, gold="no")
    effects, remarks = meta([lab.bundle("1-2", 1, 2), other.bundle("3-4", 3, 4)])
    assert [len(effect.studies) for effect in effects] == [1, 1]
    assert any("not pooled because test items or right answers differ" in remark for remark in remarks)


def test_each_language_and_scores(lab: MetaStudy) -> None:
    folders = [lab.bundle("1-2-3", 1, 2, 3), lab.bundle("4-5-6", 4, 5, 6)]
    effects, _ = meta(folders, each_language=True)
    assert [effect.languages for effect in effects] == [("a1",), ("c1",)]
    assert all(effect.pooled is not None for effect in effects)
    mean = np.mean([effect.pooled.estimate for effect in effects if effect.pooled is not None])
    pooled = one(folders).pooled
    assert pooled is not None
    assert mean == pytest.approx(pooled.estimate, abs=0.2)
    assert one(folders, quantity="score").studies[0].estimate > 50.0


def test_counts_hold_ids_and_numbers_only(lab: MetaStudy) -> None:
    folder = lab.bundle("1-2", 1, 2)
    counts = read_counts(folder / "counts" / "world-xnli.parquet")
    assert counts.languages == ("a1", "c1", "en")
    assert len(counts.of("model")) == len(counts.of("baseline")) == 2
    assert set(counts.item) == {f"p{i}" for i in range(ITEMS)}
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "counts" / "world-xnli.parquet")
    texts = [name for name in table.column_names if str(table.schema.field(name).type) == "string"]
    assert texts == ["language", "item", "cluster"]
    assert "total" in table.column_names, "what all runs share stands once"
    manifest = inspect_bundle(folder)
    assert manifest.files["counts/world-xnli.parquet"].bytes < 20_000
    assert "per-item counts" in (folder / layout.CARD).read_text()


def test_a_bundle_without_counts_stays_valid_and_is_refused(
    lab: MetaStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = Path(shutil.copytree(lab.bundle("1-2", 1, 2), tmp_path / "old"))
    shutil.rmtree(old / "counts")
    reseal(old)
    inspect_bundle(old)
    made = lab.bundle("no-counts", 1, 2, counts=False)
    inspect_bundle(made)
    assert main(["meta", str(lab.bundle("3-4", 3, 4)), str(old), str(made), str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "3 of 4 bundles cannot be used" in said
    assert said.count("holds no per-item counts") == 2
    assert f"{tmp_path / 'bundle.json'}: not found" in said


@pytest.mark.parametrize("place", ["./nowhere", "/nowhere/at/all", "not a place"])
def test_a_wrong_folder(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["meta", place]) == 2
    assert place.strip("./") in capsys.readouterr().err


def test_a_baseline_has_no_gain(lab: MetaStudy) -> None:
    baseline = lab.bundle("1-2", 1, 2, intermediate="none")
    effects, remarks = meta([baseline, lab.bundle("1-2", 1, 2), lab.bundle("3-4", 3, 4)])
    assert len(effects) == 1
    assert remarks == [f"{baseline}: no gain in it: no run of the system and its baseline with the same seed"]
    with pytest.raises(DataError, match="no gain to pool"):
        meta([baseline])
    with pytest.raises(DataError, match="no such target"):
        meta([lab.bundle("1-2", 1, 2)], targets=["world-pos"])


def test_the_command(lab: MetaStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(lab.bundle("1-2-3", 1, 2, 3)), str(lab.bundle("4-5-6", 4, 5, 6))]
    figure = tmp_path / "forest.svg"
    assert main(["meta", *folders, "--figure", str(figure)]) == 0
    said = capsys.readouterr().out
    assert "gain of world-nli, stack seq_bn/4 on tiny, world-xnli" in said
    assert "synthetic demonstration" in said
    assert "pooled +1" in said
    assert "1-2-3" in figure.read_text()
    assert "pooled" in figure.read_text()
    assert main(["meta", *folders, "--json", "--level", "0.9", "--across", "backbone"]) == 0
    (effect,) = json.loads(capsys.readouterr().out)["effects"]
    assert effect["pooled"]["level"] == 0.9
    assert effect["pooled"]["prediction_low"] is None, "two studies cannot say"
    assert effect["contrast"]["backbone"] == ""
    assert sum(effect["pooled"]["weights"]) == pytest.approx(1.0)
    assert main(["meta", *folders, "--figure", str(tmp_path / "no" / "forest.svg")]) == 2
    assert main(["meta", *folders, "--level", "95"]) == 2


def test_damaged_and_hostile_counts(lab: MetaStudy, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = Path(shutil.copytree(lab.bundle("1-2", 1, 2), tmp_path / "bundle"))
    path = folder / "counts" / "world-xnli.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    with pytest.raises(BundleError, match="sha256 does not match"):
        meta([folder])
    table = pq.read_table(lab.bundle("1-2", 1, 2) / path.relative_to(folder))
    metadata = table.schema.metadata
    changes = {
        "not a file of per-item counts": content[:100],
        "other columns": table.drop_columns(["item"]),
        "is of type": table.set_column(2, "cluster", pa.array(range(len(table)))),
        "more than is read": pa.table({"a": pa.array(np.zeros(5_000_001, dtype=np.uint8))}),
        "an id of more than": table.set_column(1, "item", pa.array(["x" * 1001] * len(table))),
        "an empty field": table.set_column(1, "item", pa.array([None] * len(table), type=pa.string())),
        "negative": table.set_column(3, table.column_names[3], pa.array([-1] * len(table))),
    }
    for reason, change in changes.items():
        if isinstance(change, bytes):
            path.write_bytes(change)
        else:
            with pq.ParquetWriter(path, change.schema, store_schema=False) as file:
                file.write_table(change)
                file.add_key_value_metadata(metadata)
        reseal(folder)
        with pytest.raises(BundleError, match=reason):
            meta([folder])


def test_ids_that_name_a_machine_are_not_pushed(trained: StudyFiles, tmp_path: Path) -> None:
    from adapterxfer.hub.pushing import refuse_secrets

    lab = plant(trained, tmp_path, gain=1.0, noise=1, item=lambda i: f"/home/somebody/data/{i}")
    with pytest.raises(BundleError, match="holds a path of a machine"):
        refuse_secrets(lab.bundle("1", 1))


def test_a_retrieval_target_has_one_baseline_for_all_seeds(bundle: Make) -> None:
    counts = read_counts(bundle("stack", "world-retrieval") / "counts" / "world-retrieval.parquet")
    (baseline,) = counts.of("baseline")
    assert baseline.facts.seed is None, "the backbone as it is was not trained"
    assert counts.of("model")[0].facts.seed == 1
