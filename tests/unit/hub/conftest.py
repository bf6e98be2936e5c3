"""One study and its bundles for all tests of this folder; helper modules become importable here."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from hub_study import Make, StudyFiles, make_study, methods_recipe
from stand_in_hub import StandInHub

from adapterxfer.backbones.loading import load_backbone
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.making import make_bundle
from adapterxfer.hub.pushing import push
from adapterxfer.store.store import Store


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyFiles:
    torch.set_num_threads(1)
    return make_study(tmp_path_factory.mktemp("hub-study"))


@pytest.fixture(scope="session")
def methods(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """``methods(method, variant)`` -> folder of a bundle with its encoder, for every method of the catalogue."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("methods-study")
    study = make_study(root, methods_recipe(), scores=False)
    plan = study.plan()
    made: dict[tuple[str, str], Path] = {}

    def get(method: str, variant: str) -> Path:
        if (method, variant) not in made:
            narrowed = study.plan(f"variant={variant}", f"adapter={method}", "intermediate=world-nli")
            (wanted,) = choose(narrowed)
            out = root / "bundles"
            made[method, variant], _ = make_bundle(plan, Store(study.store), wanted, out, full_weights=True)
        return made[method, variant]

    return get


@pytest.fixture(scope="session")
def bundle(study: StudyFiles, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """``bundle(variant, target)`` -> folder of a bundle that holds its encoder; made once, never to be changed."""
    root = tmp_path_factory.mktemp("bundles")
    made: dict[tuple[str, str, str, bool, str], Path] = {}
    plan = study.plan()

    def get(
        variant: str, target: str = "world-xnli", *, intermediate: str = "world-nli", full: bool = True,
        phase: str = "target",
    ) -> Path:  # fmt: skip
        key = (variant, target, intermediate, full, phase)
        if key not in made:
            narrowed = study.plan(f"variant={variant}", f"target={target}", f"intermediate={intermediate}")
            (wanted,) = choose(narrowed, phase=phase)  # type: ignore[arg-type]
            folder = root / ("full" if full else "bare")
            made[key], _ = make_bundle(plan, Store(study.store), wanted, folder, full_weights=full)
        return made[key]

    return get


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandInHub]:
    """A Hub on this machine; the client finds it, and keeps what it pulls in a folder of the test."""
    with StandInHub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", server.token)
        monkeypatch.setenv("ADAPTERXFER_CACHE", str(tmp_path / "pulled"))
        # Large files go by LFS but for the tests of Xet: most of what is tested here is the same with both.
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        yield server


@pytest.fixture(autouse=True)
def _no_waiting_in_the_client(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    # Read when the first transfer through Xet begins; its own 3 seconds between tries are for real servers.
    monkeypatch.setenv("HF_XET_CLIENT_RETRY_BASE_DELAY", "10ms")
    monkeypatch.setenv("HF_XET_CACHE", str(tmp_path_factory.getbasetemp() / "xet"))
    # The LFS upload of huggingface_hub 2.4 calls its own transport in an outdated way.
    warnings.filterwarnings("ignore", message="Use 'content=<", category=DeprecationWarning)


@pytest.fixture
def ours(bundle: Make, hub: StandInHub) -> str:
    """The intermediate adapter of the study, published."""
    return f"hub:org/nli@{push(bundle('stack', phase='intermediate', full=False), 'org/nli').commit}"


@pytest.fixture(scope="session")
def encoder(study: StudyFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The backbone of the study as a folder that the libraries read."""
    plan, store = study.plan(), Store(study.store)
    (pretrain,) = [stage for stage in plan.stages.values() if stage.kind == "pretrain"]
    identity = {"name": "tiny", "kind": "stage", "dtype": "float32", "attention": "sdpa"}
    loaded = load_backbone(identity, store.folder(pretrain), own_weights=True)  # saving changes its configuration
    folder = tmp_path_factory.mktemp("encoder")
    loaded.model.save_pretrained(folder)
    return folder
