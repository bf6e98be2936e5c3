"""A rung is never more certain than the rungs below it, and cannot be had where they cannot."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from adapterxfer import statistics as st

ACCURACY = st.ratio_metric("accuracy", (1, 0), (0, 1))
LANGUAGES = ("a", "b", "c", "d")


def table_of(seeds: int, *, backbones: int = 1, spread: float = 0.1, random_seed: int = 0) -> st.ScoreTable:
    """Equal systems whose runs scatter much more than languages do."""
    rng = np.random.default_rng(random_seed)
    ids = [f"{number:03d}" for number in range(200)]
    cells = []
    for backbone in range(backbones):
        for name in ("none", "nli"):
            for seed in range(seeds):
                share = 0.5 + rng.normal(0, spread)
                for language in LANGUAGES:
                    right = (rng.random(200) < share).astype(int)
                    counts = np.stack([right, np.ones(200, dtype=int)], axis=1)
                    system = {"backbone": str(backbone), "name": name}
                    cells.append(
                        st.CellCounts(
                            system=system,
                            seed=seed,
                            target="t",
                            language=language,
                            domain="t",
                            cluster_ids=ids,
                            counts=counts,
                            run_group=str(backbone),
                        )
                    )
    return st.build_table(cells, {"t": ACCURACY})


def gain_of(table: st.ScoreTable, backbone: int, languages: tuple[str, ...] = LANGUAGES) -> st.Contrast:
    (treated,), (baseline,) = (table.find(backbone=str(backbone), name=name) for name in ("nli", "none"))
    return st.gain(treated, baseline, "t", languages)


def ladder_of(table: st.ScoreTable, *, slope: bool = False) -> tuple[st.Rung, ...]:
    sizes = [gain_of(table, number) for number in range(3)] if slope else []
    parameters = [1e5, 3e5, 1e6] if slope else []
    question = st.slope(sizes, parameters) if slope else gain_of(table, 0)
    parts = [gain_of(table, 0, (code,)) for code in LANGUAGES] if not slope else []
    return st.ladder(table, question, languages=parts, sizes=sizes, parameters=parameters, resamples=199, seed=1)


@pytest.mark.parametrize("slope", [False, True])
@pytest.mark.parametrize("random_seed", range(6))
def test_every_rung_holds_what_the_rungs_below_hold(slope: bool, random_seed: int) -> None:
    ladder = ladder_of(table_of(3, backbones=3 if slope else 1, random_seed=random_seed), slope=slope)
    known = [rung for rung in ladder if not rung.missing]
    assert len(known) == 3
    for below, above in pairwise(known):
        assert above.p >= below.p
        assert above.low <= below.low
        assert above.high >= below.high
        assert above.detectable >= below.detectable


def test_one_run_per_system_leaves_the_rungs_above_it_missing_for_the_same_reason() -> None:
    for slope in (False, True):
        ladder = ladder_of(table_of(1, backbones=3 if slope else 1), slope=slope)
        assert not ladder[0].missing
        upper = ladder[3] if slope else ladder[2]
        assert upper.missing == ladder[1].missing == "a single training run per system: repeat with more seeds"
        assert (upper.p, upper.low, upper.detectable) == (None, None, None)


def test_three_sizes_are_said_not_to_decide_and_no_end_lies_beyond_what_a_slope_can_be() -> None:
    rung = ladder_of(table_of(2, backbones=3, spread=0.3), slope=True)[3]
    assert "three sizes cannot decide" in rung.assumes
    steepest = 100.0 * sum(map(abs, st.slope_weights([1e5, 3e5, 1e6])))
    assert -steepest - 1e-9 <= rung.low < rung.high <= steepest + 1e-9
