"""A study in the Every Eval Ever format: one file per system and training run, a result for each target and language.

The format is the schema of https://github.com/evaleval/every_eval_ever, version 0.3.0. Fields whose values nobody here
knows stay out; all values of ``additional_details`` are texts, as the schema asks.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import DataError
from adapterxfer.metrics import Metric
from adapterxfer.report.display import NONE, Cell
from adapterxfer.report.results import Results
from adapterxfer.report.target_results import TargetResults
from adapterxfer.statistics import FEWEST_CLUSTERS

SCHEMA_VERSION = "0.3.0"
Relationship = Literal["first_party", "third_party", "collaborative", "other"]

RESAMPLES = 2000
"""Resamples behind a standard error: its own error is then 1.6 % of it (one over the root of twice as many)."""

LEVEL = 0.95
_SLUG = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Who says what is written.

    Attributes:
        organization: whose data these are; also the first half of the models' names.
        relationship: between whoever evaluated and whoever trained the models.
        version: of this framework.
        written_at: seconds since 1970, when the files are written.
    """

    organization: str
    relationship: Relationship
    version: str
    written_at: int


def write_every_eval_ever(
    results: Results, folder: Path, *, study: str, synthetic: bool, publisher: Publisher
) -> tuple[Path, ...]:
    """Write ``data/STUDY/ORGANIZATION/MODEL/UUID.json`` for every system and training run that has predictions.

    Args:
        folder: made if absent.
        study: name of the recipe.
        synthetic: whether the data are made up, which every result then says.

    Raises:
        DataError: nothing is finished, or the name of the organization is not usable in a path.
    """
    if _SLUG.search(publisher.organization) or not publisher.organization.strip("."):
        raise DataError(
            f"organization {publisher.organization!r}", fix="use letters, digits and . _ - as in a name on the Hub"
        )
    systems: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in results.cells:
        key = (cell.backbone, cell.variant, cell.adapter, cell.intermediate, cell.seed, cell.control)
        systems.setdefault(key, []).append(cell)
    if not systems:
        raise DataError("no cell is finished, so there is nothing to write", fix="run the recipe first")
    paths = []
    for cells in systems.values():
        record = _record(results, cells, study=study, synthetic=synthetic, publisher=publisher)
        digest = hashlib.sha256("".join(sorted(cell.predict for cell in cells)).encode()).digest()
        model = record["model_info"]["id"].split("/", 1)[1]
        target = folder / "data" / _slug(study) / publisher.organization / model
        target.mkdir(parents=True, exist_ok=True)
        path = target / f"{uuid.UUID(bytes=digest[:16], version=4)}.json"
        path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        paths.append(path)
    return tuple(paths)


def _record(
    results: Results, cells: Sequence[Cell], *, study: str, synthetic: bool, publisher: Publisher
) -> dict[str, Any]:
    first = cells[0]
    words = [first.backbone, first.control or first.variant, first.adapter]
    words += ["" if first.intermediate == NONE else f"after {first.intermediate}", f"seed {first.seed}"]
    name = " ".join(word for word in words if word)
    identifier = f"{publisher.organization}/{_slug(name)}"
    facts = {
        "deployment_type": "self_deployed",
        "model_availability": "unknown",
        **{key: str(value) for key, value in first.values().items() if key != "target" and value not in ("", None)},
        "control": first.control,
        "parameters": str(first.parameters or ""),
    }
    listed = [
        _result(results.target(cell.target), cell, code, synthetic=synthetic)
        for cell in cells
        for code in results.target(cell.target).frame.languages
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{study}/{identifier}/{publisher.written_at}",
        "retrieved_timestamp": str(publisher.written_at),
        "source_metadata": {
            "source_name": study,
            "source_type": "evaluation_run",
            "source_organization_name": publisher.organization,
            "evaluator_relationship": publisher.relationship,
        },
        "eval_library": {"name": "adapterxfer", "version": publisher.version},
        "model_info": {
            "name": name,
            "id": identifier,
            "additional_details": {key: value for key, value in facts.items() if value},
        },
        "evaluation_results": [result for result in listed if result is not None],
    }


def _result(target: TargetResults, cell: Cell, language: str, *, synthetic: bool) -> dict[str, Any]:
    rows = target.frame.language == target.frame.languages.index(language)
    counts, clusters = target.counts[cell.predict][rows], target.frame.cluster[rows]
    sums = _by_cluster(counts, clusters)
    score = float(np.asarray(target.metric.score(sums.sum(axis=0))))
    return {
        "evaluation_result_id": f"{cell.predict[:16]}/{language}",
        "evaluation_name": f"{cell.target}/{language}",
        "source_data": {
            "dataset_name": cell.target,
            "source_type": "other",
            "additional_details": {
                "language": language,
                "gold_sha256": target.gold_fingerprint,
                **({"synthetic": "true: an invented language"} if synthetic else {}),
            },
        },
        "metric_config": {
            "metric_id": target.metric.name.replace(" ", "_"),
            "metric_name": target.metric.name,
            "evaluation_description": str(target.protocol or target.metric.protocol),
            "metric_unit": "points",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": target.metric.lowest,
            "max_score": 100,
        },
        "score_details": {
            "score": score,
            "details": {"test_items": str(int(rows.sum())), "clusters": str(len(sums))},
            **_uncertainty(target.metric, sums, cell.predict),
        },
    }


def _by_cluster(counts: npt.NDArray[np.float64], clusters: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    """Sums of the counts of each cluster, shape ``(clusters, columns)``."""
    names, index = np.unique(clusters.astype(str), return_inverse=True)
    sums = np.zeros((len(names), counts.shape[1]))
    np.add.at(sums, index, counts)
    return sums


def _uncertainty(metric: Metric, sums: npt.NDArray[np.float64], key: str) -> Mapping[str, Any]:
    """Standard error over test items for the model as trained; none where it would rest on too few clusters."""
    count = len(sums)
    if count < FEWEST_CLUSTERS:
        return {}
    rng = np.random.default_rng(int(key[:16], 16))
    draws = rng.multinomial(count, np.full(count, 1.0 / count), size=RESAMPLES)
    scores = np.asarray(metric.score(draws @ sums), dtype=np.float64)
    tail = 100.0 * (1.0 - LEVEL) / 2.0
    low, high = np.percentile(scores, [tail, 100.0 - tail])
    method = "bootstrap over clusters of test items, percentile; the training run held fixed"
    return {
        "uncertainty": {
            "standard_error": {"value": float(scores.std(ddof=1)), "method": "bootstrap over clusters of test items"},
            "confidence_interval": {
                "lower": float(low),
                "upper": float(high),
                "confidence_level": LEVEL,
                "method": method,
            },
            "num_samples": count,
            "num_bootstrap_samples": RESAMPLES,
        }
    }


def _slug(text: str) -> str:
    return _SLUG.sub("-", text).strip("-.")
