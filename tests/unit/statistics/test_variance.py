from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adapterxfer import statistics as st


def test_bootstrap_and_analytic_errors_agree(make_table, make_gain) -> None:
    table = make_table(items=300)
    questions = [make_gain(table, "xnli"), make_gain(table, "panx"), make_gain(table, "panx", "sw"),
                 st.macro([make_gain(table, "xnli"), make_gain(table, "panx")])]  # fmt: skip
    found = st.resample(table, questions, resamples=4000, seed=2)
    np.testing.assert_allclose(found.replicates.std(axis=0), np.sqrt(found.components.items), rtol=0.06)
    assert all("standard-errors-differ" not in row.flags for row in st.estimates(table, found))


def test_numerical_gradients_equal_the_closed_form(make_cells, make_gain) -> None:
    exact = st.ratio_metric("span_f1", (2, 0, 0), (0, 1, 1))
    cells = make_cells(targets=("panx",))
    variances = []
    for metric in (exact, exact.score):
        table = st.build_table(cells, {"panx": metric})
        variances.append(st.resample(table, [make_gain(table, "panx")], resamples=2, seed=0).components)
    assert variances[1].items == pytest.approx(variances[0].items, rel=1e-8)
    assert variances[1].residual == pytest.approx(variances[0].residual, rel=1e-8)


def test_parallel_languages_are_more_correlated_than_separate_ones(make_cells, make_gain) -> None:
    cells = make_cells(targets=("xnli",), seeds=(1,), items=400)
    apart = [replace(cell, domain=f"xnli/{cell.language}") for cell in cells]
    variances = []
    for version in (cells, apart):
        table = st.build_table(version, {"xnli": st.ratio_metric("accuracy", (1, 0), (0, 1))})
        mean = st.macro([st.score(table.find(name="nli")[0], "xnli", lang) for lang in ("de", "en", "sw")])
        variances.append(float(st.resample(table, [mean], resamples=2, seed=0).components.items[0]))
    assert variances[0] > 1.2 * variances[1]


def test_runs_of_one_trained_model_move_together(make_cells) -> None:
    """Two targets served by one model: its run variance is that of the sum, not the sum of variances."""
    rng = np.random.default_rng(0)
    ids = [f"{index:03d}" for index in range(100)]
    cells = []
    for seed, share in enumerate((0.3, 0.5, 0.9)):
        correct = (rng.random(100) < share).astype(int)
        counts = np.stack([correct, np.ones(100, dtype=int)], axis=1)
        cells += [
            st.CellCounts(
                system={"name": "a"},
                seed=seed,
                target=t,
                language="en",
                domain=t,
                cluster_ids=ids,
                counts=counts,
                run_group="shared",
            )
            for t in ("t", "u")
        ]
    metric = st.ratio_metric("accuracy", (1, 0), (0, 1))
    runs = []
    for group in ("shared", ""):
        table = st.build_table([replace(cell, run_group=group) for cell in cells], {"t": metric, "u": metric})
        mean = st.macro([st.score(table.systems[0], target, "en") for target in ("t", "u")])
        runs.append(float(st.resample(table, [mean], resamples=2, seed=0).components.runs[0]))
    spread = table.scores[[0, 1, 2]].var(ddof=1) / 3
    assert runs == pytest.approx([spread, spread / 2])


def test_degrees_of_freedom_add_up_over_trained_systems(make_cells) -> None:
    """With no variation over items, four equally noisy systems of three runs have 4 * 2 degrees of freedom."""
    ids = [f"{index:03d}" for index in range(100)]
    cells = []
    for name in "abcd":
        for seed, right in enumerate((40, 50, 60)):
            counts = np.stack([np.full(100, right), np.full(100, 100)], axis=1)
            cells.append(
                st.CellCounts(
                    system={"name": name},
                    seed=seed,
                    target="t",
                    language="en",
                    domain="t",
                    cluster_ids=ids,
                    counts=counts,
                )
            )
    table = st.build_table(cells, {"t": st.ratio_metric("share", (1, 0), (0, 1))})
    a, b, c, d = (st.score(system, "t", "en") for system in table.systems)
    found = st.resample(table, [(a - b) - (c - d), a], resamples=2, seed=0).components
    assert found.items.tolist() == [0.0, 0.0]
    assert found.total_df == pytest.approx([8.0, 2.0])
    assert found.total == pytest.approx([4 * 100 / 3, 100 / 3])


def test_unequal_seeds_are_flagged_and_use_residuals(make_cells, make_gain) -> None:
    cells = [c for c in make_cells(targets=("xnli",)) if not (c.language == "sw" and c.seed == 3)]
    table = st.build_table(cells, {"xnli": st.ratio_metric("accuracy", (1, 0), (0, 1))})
    found = st.resample(table, [make_gain(table, "xnli"), make_gain(table, "xnli", "en")], resamples=99, seed=0)
    mixed, equal = st.estimates(table, found, scope="items+runs")
    assert "unequal-seeds" in mixed.flags
    assert "unequal-seeds" not in equal.flags
    assert found.components.runs[0] < 4 * found.components.runs[1] + 10
    assert (mixed.runs, equal.runs) == (2, 3)


def test_runs_whose_errors_cancel_on_every_item_still_vary() -> None:
    """Three models, each always with one of three answers: their mean is 1/3 on every item, but a new model is not."""
    rng = np.random.default_rng(0)
    gold, ids = rng.integers(0, 3, 300), [f"{number:03d}" for number in range(300)]
    cells = [
        st.CellCounts(
            system={"name": "a"},
            seed=seed,
            target="t",
            language="en",
            domain="t",
            cluster_ids=ids,
            counts=np.stack([gold == seed, gold >= 0], axis=1).astype(int),
        )
        for seed in range(3)
    ]
    table = st.build_table(cells, {"t": st.ratio_metric("accuracy", (1, 0), (0, 1))})
    contrast = [st.score(table.systems[0], "t", "en")]
    parts = st.resample(table, contrast, resamples=50, seed=0).components
    assert parts.items[0] == pytest.approx(0.0, abs=1e-9)
    assert parts.residual[0] > 1.0, "so the two-way sum alone is below the variance over runs"
    assert parts.total[0] == parts.runs[0] > 1.0
    assert parts.total_df[0] == pytest.approx(2.0, rel=1e-6)
