"""Make the bundle of a trained model from a store."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path
from typing import Any

import torch

import adapterxfer
from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.loading import load_backbone
from adapterxfer.backbones.measure import state_fingerprint
from adapterxfer.catalog import METHODS
from adapterxfer.errors import BundleError
from adapterxfer.formats.registry import format_of_head
from adapterxfer.hub import layout
from adapterxfer.hub.bundle_results import TRAINING_KINDS, collect_results, lineage
from adapterxfer.hub.card import render_card
from adapterxfer.hub.choosing import ChosenModel
from adapterxfer.hub.counting import write_all_counts
from adapterxfer.hub.figure import draw_scores
from adapterxfer.hub.layout import Layout
from adapterxfer.hub.library_files import AdapterFiles, layout_for, write_library_files
from adapterxfer.hub.licences import most_restrictive
from adapterxfer.hub.manifest import SCHEMA, Manifest, parse_manifest, seal, write_manifest
from adapterxfer.hub.probes import write_probes
from adapterxfer.hub.tensors import write_tensors
from adapterxfer.hub.tokenizer_files import write_tokenizer
from adapterxfer.plan import Plan
from adapterxfer.plan.backbones import Backbones
from adapterxfer.store.files import hash_file
from adapterxfer.store.keys import Stage
from adapterxfer.store.kinds import MERGED
from adapterxfer.store.record import StageRecord
from adapterxfer.store.store import Store
from adapterxfer.variants.adapters_files import engine_adapters_config
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.peft_files import engine_config
from adapterxfer.variants.peft_names import changed_maps
from adapterxfer.variants.storage import load_model


def make_bundle(
    plan: Plan, store: Store, chosen: ChosenModel, out: Path, *, full_weights: bool = False, counts: bool = True
) -> tuple[Path, Manifest]:
    """Write the bundle of one trained model as ``out/NAME``; an older one of that name is replaced in one step.

    Args:
        plan: of the whole recipe.
        full_weights: allow the encoder in the bundle: needed for ``full-ft``; for adapters it adds the backbone.
        counts: put the per-item counts of the study into it, without which `adapterxfer meta` cannot use it.

    Raises:
        BundleError: the model needs ``full_weights``, or rests on language adapters, or something else lies where the
            bundle should go.
        StoreError: the model was not trained yet.
    """
    stage = plan.stages[chosen.key]
    if stage.kind not in TRAINING_KINDS:
        raise BundleError(f"stage {stage.short_key} is no training", fix="bundle a trained model")
    if stage.identity.get("language"):
        raise BundleError(
            f"{chosen.name}: rests on language adapters, one for each language it is asked in; a bundle would hold "
            f"that of '{stage.identity['language']}' only and give wrong answers in all others",
            fix="bundle a model of a recipe without language adapters",
        )
    record = store.read(stage)
    backbone = load_backbone(stage.identity["backbone"], backbone_place(plan, store, stage))
    model = _load(record.folder, backbone)
    if model.composition.trains_backbone and not full_weights:
        size = sum(tensor.numel() * tensor.element_size() for tensor in model.backbone.state_dict().values())
        raise BundleError(
            f"{chosen.name}: full fine-tuning changed the whole encoder; the bundle would hold {size / 1e6:,.1f} MB",
            fix="add --full-weights if you want that, or share an adapter variant",
        )
    if model.composition.first_layer:
        raise BundleError(
            f"{chosen.name}: its adapters are in the upper half of the layers alone, which bundles cannot say yet",
            fix="share an adapter that is in all layers",
        )
    final = out / chosen.name
    if final.exists() and not (final / layout.MANIFEST).is_file():
        raise BundleError(f"{final}: exists and is not a bundle", fix="choose another --out, or move it away")
    out.mkdir(parents=True, exist_ok=True)
    scratch = out / f".{chosen.name}.{secrets.token_hex(4)}"
    scratch.mkdir()
    try:
        manifest = _write(scratch, plan, store, record, model, chosen, encoder=full_weights, counts=counts)
        old = out / f".{chosen.name}.old.{secrets.token_hex(4)}"
        if final.exists():
            final.rename(old)
        scratch.rename(final)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return final, manifest


def backbone_place(plan: Plan, store: Store, stage: Stage) -> Path | None:
    """Folder of the backbone of a training, where a recipe trained or named it; None for package data and the Hub."""
    if parent := stage.inputs.get("backbone"):
        return store.folder(plan.stages[parent])
    identity = stage.identity["backbone"]
    return Backbones(plan.recipe).folder(str(identity["name"])) if identity["kind"] == "folder" else None


def _load(folder: Path, backbone: LoadedBackbone) -> TransferModel:
    return load_model(
        folder,
        backbone,
        make_head=lambda head: format_of_head(head.format).make_head(
            backbone.hidden_size, head.labels, generator=torch.Generator()
        ),
    )


def _write(
    folder: Path,
    plan: Plan,
    store: Store,
    record: StageRecord,
    model: TransferModel,
    chosen: ChosenModel,
    *,
    encoder: bool,
    counts: bool,
) -> Manifest:
    stage, composition = record.stage, model.composition
    results = collect_results(plan, store, chosen.key, encoder=encoder)
    protocols = _protocols(plan, chosen.key)
    architecture = model.loaded.architecture
    stacked = len(composition.adapters) > 1
    layouts = {p.id: layout_for(p.method, architecture.model_type, stacked=stacked) for p in composition.adapters}
    if composition.fusion_rank:
        layouts = dict.fromkeys(layouts, "own")  # no library reads such a fusion
    numbers = write_tensors(folder, model, layouts, encoder=encoder)
    identity = stage.identity["backbone"]
    base, revision = str(identity.get("repo") or identity["name"]), identity.get("revision")
    described = []
    for adapter in composition.adapters:
        module: Any = model.adapters[adapter.id]
        files, engine = layouts[adapter.id], bool(METHODS[adapter.method].engine)
        config: dict[str, Any] = {}
        if engine and files == "peft":
            config = engine_config(module, architecture, base=base, revision=revision)
        elif engine and files == "adapters":
            config = engine_adapters_config(module, adapter.id, base=base)
        described.append(
            AdapterFiles(
                id=adapter.id,
                method=adapter.method,
                size=adapter.bottleneck_size,
                layout=files,
                maps=changed_maps(adapter.method, architecture, adapter.config)
                if files == "peft" and not engine
                else {},
                config=config,
                settings=json.loads(adapter.config) if adapter.config and not engine else {},
            )
        )
    write_library_files(
        folder,
        described,
        fused=composition.fused,
        hidden_size=model.loaded.hidden_size,
        model_type=architecture.model_type,
        base=base,
        revision=revision,
    )
    if encoder:
        _write_json(folder / layout.ENCODER_FILES[0], _encoder_config(model.loaded))
    write_probes(folder, model, protocols, seed=int(stage.short_key, 16))
    write_tokenizer(folder, model.loaded.tokenizer)
    _write_json(folder / layout.RESULTS, results)
    _write_json(folder / layout.RECIPE, _recipe(plan))
    if counts:
        write_all_counts(folder, plan, store, chosen.key)
    for panel in draw_scores(results):
        (folder / "figures").mkdir(exist_ok=True)
        (folder / "figures" / f"{panel.name}.svg").write_text(panel.svg, encoding="utf-8", newline="\n")
    content = {
        "schema": SCHEMA,
        "name": chosen.name,
        "synthetic": bool(results["synthetic"]),
        "seed": int(stage.labels["seed"]),
        "composition": _composition(model, protocols, layouts),
        "backbone": _backbone_entry(stage, model, record, encoder=encoder),
        # Merging trains nothing.
        "trainable_parameters": 0 if stage.kind == MERGED else int(record.result["trainable_parameters"]),
        "bundle_parameters": numbers,
        "lineage": lineage(plan, chosen.key),
        "recipe": {"name": plan.recipe.name, "digest": plan.recipe.digest},
        "versions": {name: str(text) for name, text in sorted(record.provenance.get("libraries", {}).items())},
        "license": most_restrictive(row["licence"] for row in results["training"]),
        "files": {},
    }
    # The card lists figures, so it is rendered from a manifest that knows them, and then becomes part of it.
    (folder / layout.CARD).write_text("", encoding="utf-8")
    content["files"] = _facts(folder)
    card = render_card(parse_manifest(seal(content), chosen.name), results)
    (folder / layout.CARD).write_text(card, encoding="utf-8", newline="\n")
    content["files"] = _facts(folder)
    return write_manifest(folder, content)


def _recipe(plan: Plan) -> dict[str, Any]:
    """The resolved recipe without paths of this machine."""
    content = {key: value for key, value in plan.recipe.resolved().items() if key != "data_root"}
    for name, source in content.get("backbone_sources", {}).items():
        if "folder" in source:
            source["folder"] = f"FOLDER OF {name}"
    return content


def _protocols(plan: Plan, key: str) -> dict[str, str]:
    """Task -> protocol, for every task in the lineage of a model."""
    protocols = {}
    for ancestor in lineage(plan, key):
        identity = plan.stages[ancestor["key"]].identity
        if ancestor["kind"] == "prepare" and identity.get("what") == "task":
            protocols[str(identity["task"])] = str(identity.get("protocol", ""))
    return protocols


def _composition(model: TransferModel, protocols: dict[str, str], layouts: dict[str, Layout]) -> dict[str, Any]:
    content = json.loads(json.dumps(model.composition.as_json()))
    for adapter in content["adapters"]:
        adapter["layout"] = layouts[adapter["id"]]
    for head in content["heads"]:
        head["protocol"] = protocols.get(head["task"], "")
    return dict(content)


def _backbone_entry(stage: Stage, model: TransferModel, record: StageRecord, *, encoder: bool) -> dict[str, Any]:
    loaded = model.loaded
    stored = json.loads((record.folder / "model.json").read_text(encoding="utf-8"))["backbone"]
    identity = {name: value for name, value in stage.identity["backbone"].items() if name != "path"}
    identity["function"] = loaded.function
    return {
        "name": loaded.name,
        "kind": identity["kind"],
        "identity": identity,
        "package_version": adapterxfer.__version__,
        "fingerprint": stored["fingerprint"],
        "model_type": loaded.config.model_type,
        "hidden_size": loaded.hidden_size,
        "layers": loaded.layers,
        "parameters": loaded.parameters.total,
        "included": encoder,
        "encoder_fingerprint": state_fingerprint(model.backbone.state_dict()) if encoder else None,
    }


def _encoder_config(loaded: LoadedBackbone) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(loaded.config.to_json_string(use_diff=False))
    content.pop("_name_or_path", None)
    return {**content, "model_type": loaded.config.model_type, "architectures": [loaded.architecture.model]}


def _facts(folder: Path) -> dict[str, Any]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != layout.MANIFEST)
    return {path.relative_to(folder).as_posix(): dict(hash_file(path)) for path in paths}


def _write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
