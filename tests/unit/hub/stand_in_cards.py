"""What the Hub documents about the metadata of cards, as far as our cards use it."""

from __future__ import annotations

import re

import yaml

LICENSES = {"apache-2.0", "mit", "other", "cc-by-4.0", "cc-by-2.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-4.0"}


def card_problems(content: str) -> list[str]:
    """What the Hub documents about card metadata, as far as our cards use it."""
    match = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
    if match is None:
        return ["no metadata block"]
    data = yaml.safe_load(match[1])
    problems = []
    if data.get("license") not in LICENSES:
        problems.append('"license" must be one of the known identifiers')
    if data.get("license") == "other" and not data.get("license_name"):
        problems.append('"license_name" is required where the license is other')
    for key in ("tags", "datasets", "language"):
        value = data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            problems.append(f'"{key}" must be a list of strings')
    for model in data.get("model-index", []):
        for result in model["results"]:
            if not {"type"} <= result["task"].keys() or not {"type", "name"} <= result["dataset"].keys():
                problems.append('"model-index" results need task.type, dataset.type and dataset.name')
            if not all("value" in metric and "type" in metric for metric in result["metrics"]):
                problems.append('"model-index" metrics need type and value')
    return problems
