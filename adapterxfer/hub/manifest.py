"""`bundle.json`: what a bundle is, checked field by field before any other file is opened. Torch-free."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.catalog.methods.configured import SETTINGS, settings_problem
from adapterxfer.catalog.methods.engines import config_problem, engine_of, is_engine_method
from adapterxfer.catalog.variants import PARTS, VARIANTS, composition
from adapterxfer.data.examples import FormatName
from adapterxfer.errors import BundleError
from adapterxfer.hub import layout
from adapterxfer.hub.layout import Layout
from adapterxfer.store.keys import digest

SCHEMA = 1

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PartId = Annotated[str, Field(pattern=r"^[a-z][0-9]{2}$")]
Name = Annotated[str, Field(max_length=300)]


def _known_encoder(value: str) -> str:
    if value not in ARCHITECTURES:
        raise ValueError(f"encoder {value!r}; expected one of {', '.join(ARCHITECTURES)}")
    return value


def _known_variant(name: str) -> str:
    if name not in PARTS and (name not in VARIANTS or VARIANTS[name].joins):
        raise ValueError(f"variant '{name}' is not known to this version")
    return name


LARGEST_SIZE = 8192
"""Of a number in a library's configuration: a rank or a count. A larger one would only fill the reader's memory."""


def _small_config(text: str) -> str:
    """JSON of keys with texts and small numbers, also inside lists and blocks."""
    if text and not (isinstance(content := json.loads(text), dict) and _is_small(content)):
        raise ValueError(f"config: expected keys with texts and numbers up to {LARGEST_SIZE}")
    return text


def _is_small(value: object) -> bool:
    if isinstance(value, dict | list):
        return all(map(_is_small, value.values() if isinstance(value, dict) else value))
    return value is None or isinstance(value, str) or (isinstance(value, int | float) and abs(value) <= LARGEST_SIZE)


ModelType = Annotated[str, AfterValidator(_known_encoder)]
VariantName = Annotated[str, AfterValidator(_known_variant)]


class Record(BaseModel):
    """Base of the records of a manifest: frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FileEntry(Record):
    """Checksum and size of one file of the bundle."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class AdapterEntry(Record):
    """One adapter; see `variants.composition.AdapterPart`."""

    id: PartId
    role: Literal["intermediate", "target"]
    name: Name
    method: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]{0,40}|peft:[A-Z0-9_]{1,40}|adapters:[a-z0-9_+]{1,40})$")]
    bottleneck_size: Annotated[int, Field(ge=1, le=65536)]
    layout: Layout = "adapters"
    config: Annotated[str, Field(max_length=4000), AfterValidator(_small_config)] = ""

    @model_validator(mode="after")
    def _configured(self) -> AdapterEntry:
        config = json.loads(self.config) if self.config else {}
        if self.config and engine_of(self.method) is None and self.method not in SETTINGS:
            raise ValueError(f"adapter method {self.method!r} has no config")
        if self.method in SETTINGS and (wrong := settings_problem(self.method, config)):
            raise ValueError(f"adapter method {self.method!r} {wrong}")
        if is_engine_method(self.method) and (wrong := config_problem(self.method, config)):
            raise ValueError(f"adapter method {self.method!r} {wrong}")
        return self


class HeadEntry(Record):
    """One head; see `variants.composition.HeadPart`."""

    id: PartId
    task: Name
    format: FormatName
    labels: Annotated[list[Name], Field(max_length=10_000)]
    also: Annotated[list[Name], Field(max_length=100)] = Field(default_factory=list)
    protocol: Name = ""


class BundleComposition(Record):
    """The parts of the model; see `variants.composition.Composition`."""

    variant: VariantName
    adapters: Annotated[list[AdapterEntry], Field(max_length=100)]
    heads: Annotated[list[HeadEntry], Field(min_length=1, max_length=100)]
    intermediate: Name
    joint: bool = False
    fusion_rank: Annotated[int, Field(ge=0, le=65536)] = 0


class BackboneEntry(Record):
    """What the model was trained on.

    Attributes:
        identity: as in the stage: kind ``embedded`` (ships with adapterxfer), ``untrained``, ``stage`` (pretrained by
            the recipe itself), ``folder`` or ``hub`` (repository and revision); and ``function``, a hash of the
            configuration values that move the function, which bundles of the first release do not have.
        package_version: of adapterxfer, whose data hold the weights of an ``embedded`` backbone.
        fingerprint: `state_fingerprint` of its weights.
        included: the bundle holds the encoder: its own fine-tuned weights (``full-ft``), or the backbone as it was.
        encoder_fingerprint: of the included weights.
    """

    name: Name
    kind: Literal["embedded", "untrained", "stage", "folder", "hub"]
    identity: dict[str, Any]
    package_version: Name
    fingerprint: Sha256
    model_type: ModelType
    hidden_size: Annotated[int, Field(ge=1, le=65536)]
    layers: Annotated[int, Field(ge=1, le=1000)]
    parameters: Annotated[int, Field(ge=0)]
    included: bool
    encoder_fingerprint: Sha256 | None


class StageEntry(Record):
    """One stage behind the bundle: the model's own comes first, then its parents."""

    role: Name
    kind: Name
    key: Sha256
    slug: Name
    labels: dict[str, Any]


class Manifest(Record):
    """Content of ``bundle.json``.

    Attributes:
        name: folder name, and default repository name.
        synthetic: trained on data of the embedded world.
        seed: of the training; bundles of several seeds differ in nothing else.
        trainable_parameters: trained in the last phase.
        bundle_parameters: numbers in the weight files of the bundle.
        lineage: stages behind it.
        recipe: name and digest of the recipe.
        versions: library -> version at training.
        license: SPDX-like identifier of the Hub, the most restrictive of data and backbone.
        files: relative path -> content, for all files but this one.
    """

    schema_version: Literal[1] = Field(alias="schema")
    name: Name
    synthetic: bool
    seed: int
    composition: BundleComposition
    backbone: BackboneEntry
    trainable_parameters: int
    bundle_parameters: int
    lineage: list[StageEntry]
    recipe: dict[str, str]
    versions: dict[str, str]
    license: Name
    files: dict[str, FileEntry]
    digest: Sha256

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    @property
    def adapter_ids(self) -> list[str]:
        """Ids of the adapters, bottom first."""
        return [adapter.id for adapter in self.composition.adapters]

    @property
    def library(self) -> Literal["adapters", "peft", ""]:
        """The library that reads all of its adapters; empty where there is none."""
        match sorted({adapter.layout for adapter in self.composition.adapters}):
            case ["adapters"]:
                return "adapters"
            case ["peft"]:
                return "peft"
        return ""

    @property
    def fused(self) -> bool:
        """Whether there is a fusion."""
        return composition(self.composition.variant).fuses

    @property
    def full(self) -> bool:
        """Whether the encoder's own weights were trained."""
        return composition(self.composition.variant).trains_backbone

    def expected_files(self) -> set[str]:
        """Relative paths of all files, this one included; figures and counts are as listed."""
        adapters = {adapter.id: adapter.layout for adapter in self.composition.adapters}
        expected = layout.expected_files(adapters, fused=self.fused, encoder=self.backbone.included)
        return expected | {name for name in self.files if layout.is_figure(name) or layout.is_counts(name)}


def seal(content: Mapping[str, Any]) -> dict[str, Any]:
    """Add the digest of a manifest's content, so that an edited manifest is noticed."""
    plain = {key: value for key, value in content.items() if key != "digest"}
    return {**plain, "digest": digest(plain)}


def write_manifest(folder: Path, content: Mapping[str, Any]) -> Manifest:
    """Write ``bundle.json``, last of all files, and return it as read back."""
    text = json.dumps(seal(content), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (folder / layout.MANIFEST).write_text(text + "\n", encoding="utf-8", newline="\n")
    return read_manifest(folder)


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``bundle.json``.

    Raises:
        BundleError: it is not there, damaged or edited, or of another version.
    """
    path = folder / layout.MANIFEST
    return parse_manifest(read_json(path), str(path))


def parse_manifest(content: Any, where: str) -> Manifest:
    """Check the content of a ``bundle.json``.

    Raises:
        BundleError: it is not a manifest of this version, or contradicts itself.
    """
    if isinstance(content, dict) and isinstance(content.get("schema"), int) and content["schema"] > SCHEMA:
        raise BundleError(
            f"{where}: schema {content['schema']}; this version of adapterxfer reads up to {SCHEMA}",
            fix="install the newer adapterxfer that made the bundle",
        )
    try:
        # As JSON, where strict means what it says: no number from a text, no text from a number.
        manifest = Manifest.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "content"
        raise BundleError(
            f"{where}: not the manifest of a bundle: {field}: {first['msg']} ({error.error_count()} problems)",
            fix="make the bundle again with `adapterxfer bundle`, or pull it again",
        ) from None
    if digest({key: value for key, value in content.items() if key != "digest"}) != manifest.digest:
        raise BundleError(f"{where}: was edited after the bundle was made", fix="pull or make the bundle again")
    _check_parts(manifest, where)
    return manifest


def _check_parts(manifest: Manifest, where: str) -> None:
    """Refuse parts that contradict each other, which the schema alone cannot see."""
    problems = layout.unsafe_names(manifest.files)
    heads = [head.id for head in manifest.composition.heads]
    ids = [*manifest.adapter_ids, *heads]
    if len(set(ids)) != len(ids):
        problems.append(f"ids {ids} are not different")
    included, encoder = manifest.backbone.included, manifest.backbone.encoder_fingerprint
    if included != (encoder is not None) or (manifest.full and not included):
        problems.append("it does not say whether it holds an encoder")
    if included and not manifest.full and encoder != manifest.backbone.fingerprint:
        problems.append("its encoder is not the backbone it names")
    if manifest.composition.fusion_rank and manifest.library:
        problems.append("no library reads a low-rank fusion")
    listed = set(manifest.files) | {layout.MANIFEST}
    problems += [f"{name}: not listed" for name in sorted(manifest.expected_files() - listed)]
    problems += [f"{name}: no bundle has such a file" for name in sorted(listed - manifest.expected_files())]
    if problems:
        raise BundleError(
            f"{where}: " + "; ".join(problems[:4]) + ("" if len(problems) <= 4 else f"; and {len(problems) - 4} more"),
            fix="do not use this bundle; make or pull it again from a source you trust",
        )


def read_json(path: Path) -> Any:
    """A JSON file of a bundle, of limited size.

    Raises:
        BundleError: it is not there, too large, or not JSON.
    """
    limit = layout.size_limit(path.name) or layout.LIMITS[".json"]
    try:
        size = path.stat().st_size
        if size > limit:
            raise BundleError(f"{path}: {size:,} bytes; at most {limit:,} are read", fix="do not use this bundle")
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(f"{path}: not found", fix="give the folder of a bundle; pull or make it again") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not valid JSON ({error})", fix="pull or make the bundle again") from None
