"""Ask from Python how the gain changes with size; predictions before a run, and their score after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import adapterxfer
from adapterxfer.api.running import DEFAULT_STORE, as_recipe
from adapterxfer.errors import DataError
from adapterxfer.plan import Plan
from adapterxfer.plan.generations import NEWEST
from adapterxfer.plan.superseded import nothing_finished, plan_at
from adapterxfer.recipe import Recipe, resolve_recipe

if TYPE_CHECKING:
    from adapterxfer.report.law import LawOfGain
    from adapterxfer.report.registration import Scored
    from adapterxfer.report.settings import ReportSettings
    from adapterxfer.report.study import Study
    from adapterxfer.store.store import Store


def laws(
    recipe: Recipe | str | Path,
    *,
    store: str | Path = DEFAULT_STORE,
    only: Sequence[str] = (),
    at: Sequence[float] = (),
    languages: Mapping[str, str] | None = None,
    tokens: Mapping[str, float] | None = None,
    level: float = 0.95,
    generation: int = NEWEST,
) -> tuple[list[LawOfGain], dict[str, str]]:
    """Laws of the gains of every variant, and predictions where asked.

    Args:
        only: entries such as ``variant=stack`` that narrow the grid.
        at: parameters of backbones to predict for: non-embedding parameters where the study knows them.
        languages: code -> family of languages that were not measured.
        tokens: code -> amount of text in pretraining; makes a language's level follow its logarithm.
        level: of the intervals.
        generation: reads results as an earlier generation computed them.

    Returns:
        Laws, and variant -> why it has none.

    Raises:
        DataError: no variant has gains at three sizes.
        StatisticsError: the study cannot carry what is asked.
    """
    from adapterxfer.report.law import law_of_gain
    from adapterxfer.report.law_data import gain_series

    _, study, settings, _ = _finished(recipe, store, only, generation)
    series, without = gain_series(study, settings)
    if not series:
        reasons = "; ".join(f"{variant}: {reason}" for variant, reason in without.items()) or "nothing is finished"
        raise DataError(f"law: no variant has a law: {reasons}", fix="train gains at three or more sizes")
    fitted = [law_of_gain(item, at=at, languages=languages, tokens=tokens, level=level) for item in series]
    return fitted, without


def register_laws(recipe: Recipe | str | Path, path: Path, fitted: Sequence[LawOfGain], *, level: float) -> str:
    """Write the predictions of `laws` into a new file; returns its sha256.

    Raises:
        DataError: nothing is predicted, the size is measured already, or the file exists.
    """
    from adapterxfer.report.registration import registration, write_registration

    loaded = as_recipe(recipe)
    content = registration(
        fitted, recipe=loaded.name, recipe_digest=loaded.digest, level=level, version=adapterxfer.__version__,
        now=datetime.now(UTC),
    )  # fmt: skip
    write_registration(path, content)
    return str(content["sha256"])


def score_laws(
    recipe: Recipe | str | Path,
    path: Path,
    *,
    store: str | Path = DEFAULT_STORE,
    only: Sequence[str] = (),
    generation: int = NEWEST,
) -> tuple[list[Scored], list[str], dict[str, Any]]:
    """Compare registered predictions with what is finished now.

    Returns:
        Scores, why other predictions have none, and the registration.

    Raises:
        DataError: the file was changed or is none, or nothing is finished.
    """
    from adapterxfer.report.law_data import gain_series
    from adapterxfer.report.registration import read_registration, score_registration

    content = read_registration(path)
    plan, study, settings, ready = _finished(recipe, store, only, generation)
    pairs = {str(row["variant"]): {(str(a), str(b)) for a, b in row["pairs"]} for row in content["series"]}
    codes = {str(code) for row in content["series"] for code in row["languages"]}
    unseen = {str(item["name"]) for row in content["series"] for item in row["expected"] if item["kind"] == "language"}
    # The mean is over the languages it was registered for; a language that is new is measured beside it.
    series, _ = gain_series(study, settings, pairs=pairs, languages=codes)
    rows, missing = score_registration(content, series, _first_finished(plan, ready), kinds=("mean", "family"))
    if unseen:
        wider, _ = gain_series(study, settings, pairs=pairs)
        more, lacking = score_registration(content, wider, _first_finished(plan, ready), kinds=("language",))
        rows, missing = rows + more, missing + lacking
    return rows, missing, content


def _finished(recipe: Recipe | str | Path, store: str | Path, only: Sequence[str], generation: int) -> tuple[
    Plan, Study, ReportSettings, Store
]:  # fmt: skip
    from adapterxfer.report.results import Results
    from adapterxfer.report.settings import ReportSettings
    from adapterxfer.report.study import build_study
    from adapterxfer.store.store import Store

    plan, _ = plan_at(resolve_recipe(as_recipe(recipe), store), only=only, generation=generation)
    ready = Store(store)
    results = Results.from_plan(plan, ready)
    if plan.report is None or not results.cells:
        raise nothing_finished(plan, ready, only=only)
    return plan, build_study(results), ReportSettings.from_identity(plan.report.identity), ready


def _first_finished(plan: Plan, store: Store) -> dict[str, datetime | None]:
    """Backbone -> when the first model that was trained on it was finished, where its record says so."""
    done = store.completed()
    first: dict[str, datetime | None] = {}
    for cell in plan.cells:
        model = plan.stages[cell.predict].inputs.get("model")
        stage = plan.stages[model] if model is not None else None
        if stage is None or stage.short_key not in done:
            continue
        said = store.read(stage).provenance.get("finished_at")
        when = datetime.fromisoformat(str(said)) if said else None
        known = first.get(cell.backbone)
        first[cell.backbone] = min(known, when) if known is not None and when is not None else known or when
    return first
