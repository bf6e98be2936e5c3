"""Bundles as studies of one effect: which of them are comparable, which are the same study, and what they share.

Torch-free; of a bundle only its manifest and its per-item counts are opened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from adapterxfer.errors import AdapterxferError, BundleError
from adapterxfer.hub import layout
from adapterxfer.hub.counts import Counts, RunCounts, read_counts
from adapterxfer.hub.manifest import read_manifest
from adapterxfer.recipe.axes import Axes
from adapterxfer.store.files import hash_file

Quantity = Literal["gain", "score"]


class Run(NamedTuple):
    """One training run of a study: the system, and for a gain its baseline with the same seed."""

    seed: int | None
    model: RunCounts
    baseline: RunCounts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Axes):
    """What is compared: bundles agree on all of it, or they are not pooled.

    Attributes:
        gold_fingerprint: of the test items and their right answers.
        fingerprint: of the weights of the backbone.
    """

    metric: str
    protocol: str
    gold_fingerprint: str
    fingerprint: str

    def over(self, axes: Sequence[str]) -> Comparison:
        """The same comparison without these axes, so that studies with different values on them are pooled."""
        blank = dict.fromkeys(axes, "") | ({"fingerprint": ""} if "backbone" in axes else {})
        return replace(self, **blank)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRuns:
    """The training runs behind one effect of one study.

    Attributes:
        label: name of the study.
        folders: of the bundles that hold its runs.
        counts: of the first of them; its rows are those of all.
        recipe: name of the recipe.
        synthetic: measured on the embedded world.
    """

    label: str
    folders: tuple[str, ...]
    contrast: Comparison
    counts: Counts
    runs: tuple[Run, ...]
    recipe: str
    synthetic: bool


def read_studies(folders: Sequence[Path], quantity: Quantity) -> tuple[list[StudyRuns], list[str]]:
    """The studies in bundles, one for each bundle and target, and remarks about what has no part in them.

    Raises:
        BundleError: folders that are no bundles, are damaged, or hold no counts; all of them in one message.
    """
    studies: list[StudyRuns] = []
    remarks: list[str] = []
    problems: list[str] = []
    labels = _labels(folders)
    for folder, label in zip(folders, labels, strict=True):
        try:
            read = list(_studies_of(folder, label, quantity))
        except AdapterxferError as error:
            problems.append(error.what)
            continue
        studies += [study for study in read if study.runs]
        if not any(study.runs for study in read):
            remarks.append(f"{folder}: no gain in it: no run of the system and its baseline with the same seed")
    if problems:
        raise BundleError(
            "\n  ".join([f"{len(problems)} of {len(folders)} bundles cannot be used", *problems]),
            fix="give folders that `adapterxfer bundle` made or `adapterxfer pull` fetched; bundles without per-item "
            "counts have to be made again from their store",
        )
    return studies, remarks


def _labels(folders: Sequence[Path]) -> list[str]:
    """The last part of the paths that tells the bundles apart, or their ends as far as that takes several parts."""
    for depth in (1, 2, 3):
        parts = [folder.parts[-depth:] for folder in folders]
        if len({names[0] for names in parts if names}) == len(folders):
            return [names[0] for names in parts]
        if len(set(parts)) == len(parts):
            return ["/".join(names) for names in parts]
    return [str(folder) for folder in folders]


def _studies_of(folder: Path, label: str, quantity: Quantity) -> Iterator[StudyRuns]:
    if not folder.is_dir():
        raise BundleError(f"{folder}: not a folder")
    manifest = read_manifest(folder)
    names = sorted(name for name in manifest.files if layout.is_counts(name))
    if not names:
        raise BundleError(
            f"{folder}: holds no per-item counts (made before bundles carried them, without them, or of a model that "
            "was not evaluated)"
        )
    for name in names:
        path, listed = folder / name, manifest.files[name]
        limit = layout.size_limit(name)
        if path.is_symlink() or not path.is_file():
            raise BundleError(f"{path}: missing or not a plain file")
        if limit is not None and path.stat().st_size > limit:
            raise BundleError(f"{path}: more than {limit:,} bytes")
        if hash_file(path)["sha256"] != listed.sha256:
            raise BundleError(f"{path}: sha256 does not match the manifest")
        counts = read_counts(path)
        facts = counts.facts
        system: dict[str, Any] = dict(facts.system)
        contrast = Comparison(
            **system, target=facts.target, metric=facts.metric, protocol=facts.protocol,
            gold_fingerprint=facts.gold_fingerprint, fingerprint=manifest.backbone.fingerprint,
        )  # fmt: skip
        runs = tuple(_runs(counts, quantity))
        yield StudyRuns(
            label=label, folders=(str(folder),), contrast=contrast, counts=counts, runs=runs,
            recipe=manifest.recipe["name"], synthetic=manifest.synthetic,
        )  # fmt: skip


def _runs(counts: Counts, quantity: Quantity) -> Iterator[Run]:
    baselines = {run.facts.seed: run for run in counts.of("baseline")}
    fixed = baselines.get(None)
    for model in counts.of("model"):
        baseline = baselines.get(model.facts.seed, fixed)
        if quantity == "score":
            yield Run(model.facts.seed, model, None)
        elif baseline is not None:
            yield Run(model.facts.seed, model, baseline)


def group_studies(studies: Sequence[StudyRuns], across: Sequence[str]) -> dict[Comparison, list[StudyRuns]]:
    """Comparable studies together, each training run once."""
    groups: dict[Comparison, list[StudyRuns]] = {}
    for study in studies:
        groups.setdefault(study.contrast.over(across), []).append(study)
    return {contrast: _joined(members) for contrast, members in groups.items()}


def _joined(studies: Sequence[StudyRuns]) -> list[StudyRuns]:
    """Merge bundles that share a training run into one study, in which every run counts once."""
    result: list[StudyRuns] = []
    for study in studies:
        runs = {_identity(run) for run in study.runs}
        same = [other for other in result if runs & {_identity(run) for run in other.runs}]
        joined = study
        for other in reversed(same):
            known = {_identity(run) for run in other.runs}
            more = tuple(run for run in joined.runs if _identity(run) not in known)
            joined = replace(other, folders=(*other.folders, *joined.folders), runs=(*other.runs, *more))
        position = next(k for k, other in enumerate(result) if other is same[0]) if same else len(result)
        result = [other for other in result if all(other is not known for known in same)]
        result.insert(position, joined)
    return result


def _identity(run: Run) -> tuple[str, str]:
    """What identifies a run: the key of its stage and the checksum of its per-item counts."""
    return run.model.facts.stage, run.model.digest


def shared(studies: Sequence[StudyRuns]) -> list[str]:
    """Why the studies of a group are not independent, beyond their common test items; one sentence each."""
    notes = [
        f"{' and '.join(study.folders)} hold the same training runs: one study, every run counted once"
        for study in studies
        if len(study.folders) > 1
    ]
    for role, kind in (("model", "the system"), ("baseline", "the baseline")):
        runs = [{(run.facts.stage, run.digest) for run in _of(study, role)} for study in studies]
        stages = Counter(stage for pairs in runs for stage in {stage for stage, _ in pairs})
        answers = Counter(digest for pairs in runs for digest in {digest for _, digest in pairs})
        both = Counter(pair for pairs in runs for pair in pairs)
        again = sum(1 for pair, count in both.items() if count > 1)
        if again:
            notes.append(f"{again} runs of {kind} are in several studies: these are not independent")
        seeds = sum(1 for stage, count in stages.items() if count > 1) - len({s for (s, _), n in both.items() if n > 1})
        if seeds:
            notes.append(
                f"{seeds} runs of {kind} have the same recipe and seed in several studies: initialisation and order of "
                "the examples are equal, so their agreement says less than that of different seeds"
            )
        copies = sum(1 for digest, n in answers.items() if n > 1) - len({d for (_, d), n in both.items() if n > 1})
        if copies > 0:
            notes.append(
                f"{copies} runs of {kind} gave the same answers to every item in several studies although they are "
                "said to be trained differently: a copy would count twice"
            )
    return notes


def _of(study: StudyRuns, role: str) -> Iterator[RunCounts]:
    for run in study.runs:
        if role == "model":
            yield run.model
        elif run.baseline is not None and run.baseline.facts.seed is not None:
            yield run.baseline  # a backbone as it is varies nowhere


def check_rows(contrast: Comparison, studies: Sequence[StudyRuns]) -> None:
    """The same gold means the same items; clusters must be the same too.

    Raises:
        BundleError: they are not, so the bundles were made with different versions of the data.
    """
    first = studies[0].counts
    for study in studies[1:]:
        other = study.counts
        if not (
            other.languages == first.languages
            and np.array_equal(other.language, first.language)
            and np.array_equal(other.item, first.item)
            and np.array_equal(other.cluster, first.cluster)
        ):
            raise BundleError(
                f"{studies[0].folders[0]} and {study.folders[0]}: {contrast.target} has the same gold but other item "
                "or cluster ids",
                fix="make both bundles again with the same version of adapterxfer",
            )
