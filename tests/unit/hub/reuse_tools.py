"""Published adapters of all tools, made and served by the stand-in, and a small recipe that reuses them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_study import RECIPE, StudyFiles, run_stage, training_tools
from stand_in_hub import StandInHub
from transformers import XLMRobertaForSequenceClassification, XLMRobertaModel

from adapterxfer.backbones.loading import load_backbone
from adapterxfer.errors import AdapterxferError
from adapterxfer.store.store import Store
from adapterxfer.variants.storage import load_model

SHA = "0123456789abcdef0123456789abcdef01234567"
PLACE = f"hub:org/name@{SHA}"
TRAINED = "intermediate_tasks: [none, world-nli]"
SMALL = (
    RECIPE.replace("name: hub-study", "name: reuse-study")
    .replace("target_tasks: [world-xnli, world-pos, world-xqa, world-xmc, world-retrieval]", "target_tasks: [TARGETS]")
    .replace("variants: [full-ft, sequential, stack, fuse]", "variants: [VARIANTS]")
)
UNUSED = ("world-pos", "world-xqa", "world-xmc", "world-retrieval")


def reusing(
    place: str, *, adapter: str = "", variants: str = "stack", targets: str = "world-xnli", more: str = ""
) -> str:
    text = SMALL.replace(TRAINED, f"intermediate_tasks: [none, {{name: world-nli, from: {place}{more}}}]")
    text = text.replace("VARIANTS", variants).replace("TARGETS", targets)
    kept = [line for line in text.splitlines() if line.split(":")[0].strip() not in UNUSED or targets != "world-xnli"]
    text = "\n".join(kept)
    return text.replace("{method: seq_bn, reduction_factor: 4}", adapter) if adapter else text


def files_of(folder: Path, **more: bytes) -> dict[str, bytes]:
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return found | more


CARD = b"---\nlicense: mit\n---\n\n# An adapter\n"


def randomise(model: Any, mark: str, std: float = 0.1) -> None:
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if mark in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * std)


def make_peft(encoder: Path, out: Path, **options: Any) -> Any:
    """A LoRA as users make it: around a model with a head, other scale than ours, head saved with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import peft

        options = {"r": 4, "lora_alpha": 16, "target_modules": ["query", "value"], "task_type": "SEQ_CLS", **options}
        model = XLMRobertaForSequenceClassification.from_pretrained(encoder, num_labels=3)
        wrapped = peft.get_peft_model(model, peft.LoraConfig(**options))
        randomise(wrapped, "lora_")
        wrapped.peft_config["default"].base_model_name_or_path = "tiny"
        wrapped.save_pretrained(out, save_embedding_layers=False)
    return wrapped.eval()


def make_adapterhub(encoder: Path, out: Path, method: str = "seq_bn", **options: Any) -> Any:
    """An adapter as users of the library make it; a bottleneck has a fourth of the width."""
    if method in ("seq_bn", "double_seq_bn"):
        options = {"reduction_factor": 4, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapters = pytest.importorskip("adapters")

        from adapters.configuration.adapter_config import ADAPTER_CONFIG_MAP as CONFIGS

        if method == "compacter":  # a bare encoder's file would lack what its layers share
            model = adapters.XLMRobertaAdapterModel.from_pretrained(encoder)
        else:
            model = XLMRobertaModel.from_pretrained(encoder, add_pooling_layer=False)
            adapters.init(model)
        model.add_adapter("mnli", config=CONFIGS[method].replace(**options))
        randomise(model, "mnli")
        model.set_active_adapters("mnli")
        model.save_adapter(str(out), "mnli", use_safetensors=True)
    change_config(out, model_name="tiny")
    return model.eval().base_model


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def publish(hub: StandInHub, folder: Path, card: bytes = CARD) -> str:
    return f"hub:other/adapter@{hub.commit('other/adapter', files_of(folder, **{'README.md': card}))}"


IDS = torch.tensor([[0, 7, 8, 9, 2, 1], [0, 10, 11, 12, 13, 2]])


def reuse_model(study: StudyFiles, root: Path, text: str) -> Any:
    """The model of the reuse stage of a recipe; the backbone comes from the study."""
    recipe = root / "reuse-study.yaml"
    recipe.write_text(text)
    files = StudyFiles(recipe, study.store)
    plan, store = files.plan(), Store(study.store)
    (stage,) = [stage for stage in plan.stages.values() if stage.kind == "reuse_intermediate"]
    run_stage(store, stage, plan, training_tools())
    backbone = load_backbone(stage.identity["backbone"], store.folder(plan.stages[stage.inputs["backbone"]]))
    return load_model(store.folder(stage), backbone, make_head=lambda part: pytest.fail("it has no head"))


def same_hidden_states(ours: Any, theirs: Any) -> None:
    mask = IDS.ne(1).long()
    with torch.inference_mode():
        found = ours(IDS, mask)
        bare = ours.loaded.model(IDS, mask).last_hidden_state
        expected = theirs(input_ids=IDS, attention_mask=mask).last_hidden_state
    real = mask.bool()
    assert float((found - expected)[real].abs().max()) <= 1e-5
    assert float((found - bare)[real].abs().max()) > 1e-2


IA3_MAPS = r"encoder\.layer\.\d+\.(attention\.self\.key|attention\.self\.value|output\.dense)"


def make_ia3(encoder: Path, out: Path, **options: Any) -> Any:
    """An IA3 as peft makes it around a bare encoder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import peft

        options = {"target_modules": IA3_MAPS, "feedforward_modules": r".*\d+\.output\.dense", **options}
        model = XLMRobertaModel.from_pretrained(encoder, add_pooling_layer=False)
        wrapped = peft.get_peft_model(model, peft.IA3Config(**options))
        randomise(wrapped, "ia3_")
        wrapped.peft_config["default"].base_model_name_or_path = "tiny"
        wrapped.save_pretrained(out, save_embedding_layers=False)
    return wrapped.eval()


def make_vera(encoder: Path, ours: Path, out: Path) -> Any:
    """A VeRA that peft trained further from one of ours: only with our projections can it come back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import peft

        model = XLMRobertaModel.from_pretrained(encoder, add_pooling_layer=False)
        wrapped = peft.PeftModel.from_pretrained(model, ours, is_trainable=True)
        randomise(wrapped, "vera_lambda")
        wrapped.peft_config["default"].base_model_name_or_path = "tiny"
        wrapped.save_pretrained(out, save_embedding_layers=False)
    return wrapped.eval()


def refusal(study: StudyFiles, root: Path, text: str) -> str:
    with pytest.raises(AdapterxferError) as caught:
        reuse_model(study, root, text)
    return str(caught.value)
