"""The language of a task of another tool: told by the user, by its data, or by the end of its name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapterxfer.catalog.flores import FLORES
from adapterxfer.catalog.languages import known_languages

UNDETERMINED = "und"
"""BCP 47's code for "not known"."""

_BY_FLORES = {flores: code for code, flores in FLORES.items()}
_BY_THREE_LETTERS = {flores.split("_")[0]: code for code, flores in FLORES.items()}
_WITH_SCRIPT = re.compile(r"[a-z]{3}[_-][A-Z][a-z]{3}\Z")
_THREE = re.compile(r"[a-z]{3}\Z")


def known_code(text: str) -> str:
    """The catalogue's code for ``de``, ``deu_Latn``, ``deu-Latn`` or ``deu``; other codes with a script as they are.

    Returns an empty text where nothing of this is meant.
    """
    if text in known_languages():
        return text
    joined = text.replace("-", "_")
    if joined in _BY_FLORES:
        return _BY_FLORES[joined]
    if _WITH_SCRIPT.match(text):
        return _BY_THREE_LETTERS.get(text[:3], joined)
    return _BY_THREE_LETTERS.get(text, "") if _THREE.match(text) else ""


def split_task(task: str, *, configuration: str = "", told: Mapping[str, str] | None = None) -> tuple[str, str]:
    """A task of one language as ``(benchmark, language)``.

    Args:
        task: its name, e.g. ``xnli_de`` or ``belebele_deu_Latn``.
        configuration: name of the configuration of its data set, which often is a code.
        told: task -> code, as the user says.

    Example: ``split_task("xnli_de")`` gives ``("xnli", "de")``, ``split_task("arc_easy")`` gives
    ``("arc_easy", "und")``.
    """
    words = task.split("_")
    named = (told or {}).get(task, "")
    for number in range(1, len(words)):
        code = known_code("_".join(words[number:]))
        if code:
            return "_".join(words[:number]), named or code
    code = named or known_code(configuration)
    if not code:
        return task, UNDETERMINED
    rest = [word for word in words if word not in (configuration, code)]
    return "_".join(rest) or task, code
