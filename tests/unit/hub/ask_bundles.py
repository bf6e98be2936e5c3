"""Run in a fresh process: load bundles from the Hub, ask them what their probes ask, and write the answers.

    python ask_bundles.py ANSWERS.safetensors [--native] PLACE...

``--native`` also runs the code on each card that fetches and loads it with `adapters`, `peft` or `transformers`, and
writes the largest difference of its hidden states to ours (``native``), and of ours to the bare backbone (``apart``).
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from adapterxfer import load_bundle
from adapterxfer.formats.registry import get_format
from adapterxfer.hub.inference import Bundle
from adapterxfer.hub.manifest import read_json
from adapterxfer.hub.probes import ask

TEXTS = ["red cat", "the dog sees a house"]
IDS = torch.tensor([[0, 7, 8, 9, 2, 1], [0, 10, 11, 12, 13, 2]])


def native_model(folder: Path) -> Any:
    """The model that the code for another library on the card makes, just as it stands; None where there is none."""
    blocks = (folder / "README.md").read_text().split("```python\n")[1:]
    code = next((block.split("```")[0] for block in blocks if "from_pretrained" in block), None)
    if code is None:
        return None
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(code, names)
    return names["model"].eval()


def native_differences(bundle: Bundle) -> tuple[float, float] | None:
    """To the library's hidden states, and to those of the bare backbone, over real tokens."""
    model = native_model(bundle.folder)
    if model is None:
        return None
    mask = IDS.ne(1).long()
    with torch.inference_mode():
        ours = bundle.model(IDS, mask)
        theirs = model(input_ids=IDS, attention_mask=mask).last_hidden_state
        bare = bundle.model.loaded.model(IDS, mask).last_hidden_state
    real = mask.bool()
    return float((ours - theirs)[real].abs().max()), float((ours - bare)[real].abs().max())


def main(out: str, places: list[str], *, native: bool) -> None:
    """Ask every bundle."""
    answers: dict[str, torch.Tensor] = {}
    for place in places:
        bundle, name = load_bundle(place), place.partition("@")[0]
        for head in bundle.manifest.composition.heads:
            probes = read_json(bundle.folder / "probes.json")["probes"][head.id]["examples"]
            _, outputs, hidden, _ = ask(bundle.model, head.id, get_format(head.format, head.protocol), probes)
            answers[f"{name} {head.id} outputs"], answers[f"{name} {head.id} hidden"] = outputs, hidden
        answers[f"{name} embed"] = torch.from_numpy(bundle.embed(TEXTS))
        if native and (found := native_differences(bundle)) is not None:
            answers[f"{name} native"], answers[f"{name} apart"] = (torch.tensor(value) for value in found)
    save_file({name: tensor.contiguous() for name, tensor in answers.items()}, out)


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--native"]
    main(given[0], given[1:], native="--native" in sys.argv)
