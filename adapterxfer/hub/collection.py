"""Publish a whole study: one repository for each bundle, one with an index card, and a collection of them. Torch-free.

Everything is looked up before it is written, so that publishing the same study again changes nothing, and a broken
publication is completed by the next.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from adapterxfer.errors import BundleError
from adapterxfer.hub import layout
from adapterxfer.hub.addresses import parse_address
from adapterxfer.hub.card import SYNTHETIC_NOTE, intermediate_of
from adapterxfer.hub.licences import OTHER, facts_of
from adapterxfer.hub.manifest import Manifest, read_json, read_manifest
from adapterxfer.hub.pushing import DEFAULT_BRANCH, Pushed, push, refuse_secrets, upload
from adapterxfer.hub.requests import Sleep, call, hub_api

INDEX = "index.json"
TITLE_LENGTH, DESCRIPTION_LENGTH, NOTE_LENGTH = 60, 150, 500
"""Limits of the Hub for collections, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRow:
    """One bundle in the index.

    Attributes:
        adapters: methods.
        score, low, high: mean over the zero-shot languages of its target; None where it was not evaluated.
        gain, verdict: of the intermediate task, the verdict with its remark; None and empty where the study has no
            comparison.
    """

    name: str
    repository: str
    commit: str
    digest: str
    backbone: str
    variant: str
    adapters: tuple[str, ...]
    intermediate: str
    target: str
    license: str
    score: float | None
    low: float | None
    high: float | None
    gain: float | None
    verdict: str

    @property
    def score_text(self) -> str:
        """``63.2 (61.0 to 65.3)``."""
        if self.score is None:
            return "-"
        between = "" if self.low is None or self.high is None else f" ({self.low:.1f} to {self.high:.1f})"
        return f"{self.score:.1f}{between}"

    @property
    def gain_text(self) -> str:
        """``+2.1, inconclusive; for these trained models alone: found``."""
        return "-" if self.gain is None else f"{self.gain:+.1f}, {self.verdict}"


@dataclass(frozen=True, slots=True)
class PushedStudy:
    """What publishing a study did, or would do.

    Attributes:
        index: repository of the index card, with its commit (empty for a dry run).
        collection: identifier of the collection; empty for a dry run.
        changed: whether anything on the Hub is new; None for a dry run.
    """

    bundles: tuple[Pushed, ...]
    index: Pushed
    collection: str
    changed: bool | None


def repository_name(organisation: str, study: str, bundle: str = "") -> str:
    """``ORG/STUDY`` for the index, ``ORG/STUDY-BUNDLE`` for a bundle, cut to what the Hub allows.

    Raises:
        BundleError: it is no name on the Hub.
    """
    name = f"{study}-{bundle}" if bundle else study
    return parse_address(f"{organisation}/{name[:96].strip('-._')}").repository


def push_study(
    folders: Sequence[Path],
    organisation: str,
    *,
    study: str,
    title: str,
    left_out: Sequence[str] = (),
    private: bool = False,
    dry_run: bool = False,
    sleep: Sleep = time.sleep,
    told: Callable[[Pushed], None] | None = None,
) -> PushedStudy:
    """Publish verified bundles of one study.

    Args:
        study: name of the recipe.
        title: of the study.
        left_out: names of models that are not published, for the index.
        told: is called after each bundle.

    Raises:
        BundleError: a folder is no whole bundle, or two would get one repository.
        HubError: the Hub refused or could not be reached; publishing again continues.
    """
    if not folders:
        raise BundleError(f"{study}: nothing to publish", fix="narrow the study less, or add --full-weights")
    places = [repository_name(organisation, study, folder.name) for folder in folders]
    index = repository_name(organisation, study)
    if len({*places, index}) <= len(places):
        raise BundleError(f"{study}: two bundles would be '{places[0]}'", fix="give the study a shorter name")
    pushed = []
    for folder, repository in zip(folders, places, strict=True):
        pushed.append(push(folder, repository, private=private, dry_run=dry_run, sleep=sleep))
        if told is not None:
            told(pushed[-1])
    rows = [_row(folder, push) for folder, push in zip(folders, pushed, strict=True)]
    with tempfile.TemporaryDirectory(prefix="adapterxfer-index-") as root:
        files = write_index(Path(root), folders[0], rows, title=title, left_out=left_out)
        refuse_secrets(Path(root))
        if dry_run:
            return PushedStudy(tuple(pushed), Pushed(index, DEFAULT_BRANCH, "", None, files), "", None)
        content = (Path(root) / INDEX).read_bytes()
        before, after = upload(
            Path(root), index, DEFAULT_BRANCH, message=f"adapterxfer index of {study}",
            is_there=lambda: _holds(index, content), private=private, sleep=sleep,
        )  # fmt: skip
    card = Pushed(index, DEFAULT_BRANCH, after, before != after, files)
    slug, collected = _collect(organisation, title, study, index, rows, private=private, sleep=sleep)
    return PushedStudy(tuple(pushed), card, slug, collected or any(p.changed for p in (*pushed, card)))


def write_index(
    folder: Path, first: Path, rows: Sequence[IndexRow], *, title: str, left_out: Sequence[str]
) -> dict[str, int]:
    """Write ``README.md`` and ``index.json``; returns their sizes."""
    manifest, results = read_manifest(first), read_json(first / layout.RESULTS)
    content = {"schema": 1, "recipe": manifest.recipe, "bundles": [asdict(row) for row in rows]}
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (folder / INDEX).write_text(text + "\n", encoding="utf-8", newline="\n")
    card = render_index(manifest, rows, title=title, level=float(results["level"]), left_out=left_out)
    (folder / layout.CARD).write_text(card, encoding="utf-8", newline="\n")
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


def render_index(
    manifest: Manifest, rows: Sequence[IndexRow], *, title: str, level: float, left_out: Sequence[str]
) -> str:
    """The index card, metadata first.

    Args:
        manifest: of any bundle of the study, for what they have in common.
    """
    environment = Environment(
        loader=PackageLoader("adapterxfer.hub", "templates"), undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    targets: dict[str, list[IndexRow]] = {}
    for row in rows:
        targets.setdefault(row.target, []).append(row)
    strictest = max((row.license for row in rows), key=lambda name: facts_of(name).rank)
    metadata: dict[str, Any] = {
        "license": strictest,
        "library_name": "adapterxfer",
        "tags": sorted(
            {"adapterxfer", "cross-lingual-transfer", "index", *(["synthetic"] if manifest.synthetic else [])}
        ),
    }
    if strictest == OTHER:
        metadata["license_name"] = "see-bundles"
    body = environment.get_template("index.md.j2").render(
        title=title,
        synthetic=manifest.synthetic,
        synthetic_note=SYNTHETIC_NOTE,
        recipe=manifest.recipe,
        seed=manifest.seed,
        bundles=rows,
        targets=targets,
        level=f"{level:.0%}",
        left_out=left_out,
    )
    return f"---\n{yaml.safe_dump(metadata, sort_keys=False, width=1000)}---\n\n{body}"


def _row(folder: Path, pushed: Pushed) -> IndexRow:
    manifest, results = read_manifest(folder), read_json(folder / layout.RESULTS)
    labels = manifest.lineage[0].labels
    target = str(labels.get("target") or "")
    means = [row for row in results["scores"] if row["group"] == "zero-shot" and not row["secondary"]]
    mean, gain = _of_target(means, target), _of_target(results["gains"], target)
    composition = manifest.composition
    return IndexRow(
        name=manifest.name,
        repository=pushed.repository,
        commit=pushed.commit,
        digest=manifest.digest,
        backbone=manifest.backbone.name,
        variant=composition.variant,
        adapters=tuple(dict.fromkeys(adapter.method for adapter in composition.adapters)),
        intermediate=intermediate_of(manifest),
        target=target,
        license=manifest.license,
        score=mean.get("score"),
        low=mean.get("low"),
        high=mean.get("high"),
        gain=gain.get("estimate"),
        verdict="; ".join(str(gain[name]) for name in ("verdict", "remark") if gain.get(name)),
    )


def _of_target(rows: Sequence[Mapping[str, Any]], target: str) -> Mapping[str, Any]:
    return next((row for row in rows if row["target"] == target), {})


def _holds(repository: str, content: bytes) -> bool:
    """Whether the index is already there."""
    with tempfile.TemporaryDirectory(prefix="adapterxfer-index-") as root, suppress(Exception):
        path = hub_api().hf_hub_download(repository, INDEX, revision=DEFAULT_BRANCH, local_dir=root)
        return Path(path).read_bytes() == content
    return False


def _collect(
    organisation: str, title: str, study: str, index: str, rows: Sequence[IndexRow], *, private: bool, sleep: Sleep
) -> tuple[str, bool]:
    """Make the collection hold the index and all bundles with their notes; whether anything was missing."""
    api = hub_api()

    def ask(action: Callable[[], Any]) -> Any:
        return call("collect in", f"{organisation} ({study})", action, sleep=sleep)

    description = f"Study {study}, made with adapterxfer: {len(rows)} models. The index has their scores."
    collection = ask(
        lambda: api.create_collection(
            title[:TITLE_LENGTH].strip(), namespace=organisation, description=description[:DESCRIPTION_LENGTH],
            private=private, exists_ok=True,
        )
    )  # fmt: skip
    there = {item.item_id: item for item in collection.items}
    changed = False
    notes = {index: "Index: all models of the study with their scores."}
    notes |= {row.repository: _note(row) for row in rows}
    for repository, note in notes.items():
        item = there.get(repository)
        if item is None:
            ask(partial(api.add_collection_item, collection.slug, repository, "model", note=note, exists_ok=True))
        elif item.note != note:
            ask(partial(api.update_collection_item, collection.slug, item.item_object_id, note=note))
        changed = changed or item is None or item.note != note
    return str(collection.slug), changed


def _note(row: IndexRow) -> str:
    score = f"Zero-shot {row.target}: {row.score_text} points." if row.target else "Intermediate model."
    gain = f" Gain of {row.intermediate}: {row.gain_text}." if row.gain is not None else ""
    return (score + gain)[:NOTE_LENGTH]
