"""What is known of a library whose own modules run as adapter methods. Torch-free.

What of it runs, and why the rest does not, stands in a table beside this module, which a script writes from trying
everything that the installed library has on tiny encoders.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from adapterxfer.catalog.methods.spec import MethodSpec

_NO_BOTTLENECK = "AdapterFusion mixes bottlenecks after the feed-forward block; this method has none"

_NO_PROBLEM = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One library.

    Attributes:
        library: its name, and that of the extra which installs it.
        kind: what the library calls what can be named, in one word.
        builder: ``module:class`` of one layer's module.
        file: name of its table.
        maps: linear maps that its methods may change, by role.
        versions: file of versions that it needs, where it does not go with the newest of other libraries.
        values_problem: what is wrong with the values of a configuration; empty for nothing.
    """

    library: Literal["adapters", "peft"]
    kind: str
    builder: str
    file: str
    maps: tuple[str, ...]
    versions: str = ""
    values_problem: Callable[[Mapping[str, Any]], str] = lambda config: _NO_PROBLEM  # noqa: ARG005

    @property
    def prefix(self) -> str:
        """Beginning of the names of its methods."""
        return f"{self.library}:"

    @property
    def table(self) -> dict[str, Any]:
        """``version`` of the library it was made with, and what was tried, by name, under ``types``."""
        return _table(self.file)

    @property
    def kinds(self) -> Mapping[str, Mapping[str, Any]]:
        """What was tried -> ``runs``, ``stacks``, ``because`` where not, ``keys`` that a recipe can set, and more."""
        kinds: dict[str, dict[str, Any]] = self.table["types"]
        return kinds

    def facts(self, method: str) -> Mapping[str, Any]:
        """The row of a method; empty for one that the library does not have."""
        return self.kinds.get(method.removeprefix(self.prefix), {})

    def specification(self, method: str, facts: Mapping[str, Any]) -> MethodSpec:
        """The specification of a method.

        Args:
            facts: its row, or what a trial assumes of one that has none yet.
        """
        places = tuple(facts.get("places", ("linear",)))
        fuses = bool(facts.get("fuses", False))
        merges = facts.get("merges", "")
        return MethodSpec(
            name=method,
            description=f"{method.removeprefix(self.prefix)} of the {self.library} library",
            library=self.library,
            builder=self.builder,
            sizes=(),
            examples=({},),
            places=places,
            maps=self.maps if "linear" in places else (),
            start=facts.get("start", "neutral"),
            neutral=facts.get("neutral", "start"),
            merges=merges,
            merge_instead=facts.get("merge_instead", ""),
            why_unmerged="" if merges else facts.get("why_unmerged") or "averaged weights are not an averaged change",
            fuses=fuses,
            why_unfused="" if fuses else facts.get("why_unfused") or _NO_BOTTLENECK,
            citation="",
            engine=self.library,
        )

    def config_problem(self, method: str, config: Mapping[str, Any]) -> str:
        """What is wrong with the keys of a configuration, without the library; empty for nothing."""
        keys = self.facts(method)["keys"]
        for key in config:
            if key not in keys:
                return f"has no key '{key}' that a recipe can set; it has {', '.join(keys) or 'none'}"
        return self.values_problem(config)

    def why_not(self, method: str) -> str:
        """Why a method of this library cannot run; empty where it can."""
        facts = self.facts(method)
        if facts.get("runs"):
            return ""
        if not facts:
            running = ", ".join(name for name, row in self.kinds.items() if row["runs"])
            name = method.removeprefix(self.prefix)
            return f"{self.library} {self.table['version']} has no {self.kind} '{name}'; these run: {running}"
        return f"'{method}' cannot run: {facts['because']}"


@cache
def _table(file: str) -> dict[str, Any]:
    text = (resources.files("adapterxfer.catalog.methods") / file).read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content
