"""Makes the stages that every training starts from: examples of tasks, pretraining text, and backbones."""

from __future__ import annotations

from typing import Any

from adapterxfer.catalog import UNTRAINED
from adapterxfer.catalog.declared import DECLARED, data_facts
from adapterxfer.plan.backbones import backbone_identity
from adapterxfer.plan.workbench import DATA_SEED, Workbench
from adapterxfer.recipe.also import Also
from adapterxfer.recipe.own_tasks import OwnTask
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.recipe.series import CorpusOptions


def declaration(recipe: Recipe, name: str) -> dict[str, Any]:
    """What a worker makes the entry of a declared task of, whose name no catalogue has; nothing for other tasks."""
    options, task = recipe.tasks.get(name), recipe.task(name)
    if not isinstance(options, OwnTask) or task.stand_in:
        return {}
    return {DECLARED: data_facts({**options.facts(), "metric": task.metric})}


class InputMaker:
    """Builds and remembers these stages."""

    def __init__(self, bench: Workbench) -> None:
        self._bench, self._recipe = bench, bench.recipe
        self._memo: dict[tuple[str, ...], str] = {}
        self._backbones: dict[str, tuple[dict[str, Any], dict[str, str]]] = {}

    def task(self, name: str, also: Also | None = None) -> str:
        """The stage with the examples of one task; a protocol that changes their texts has a stage of its own."""
        memo = ("prepare", name, also.label if also else "")
        if memo not in self._memo:
            task = self._recipe.task(name)
            options = self._recipe.tasks.get(name)
            languages = list(self._recipe.languages_of(name))
            sizes = {
                key: (options and getattr(options, key)) or getattr(task, key)
                for key in ("train_examples", "dev_examples", "test_examples")
            }
            protocol, count = self._recipe.protocol_of(name, also), sizes["test_examples"]
            identity = {
                "what": "task",
                "task": name,
                "format": task.format,
                "source": self._bench.sources.with_items(task, languages, protocol, count=count, seed=DATA_SEED),
                "languages": languages,
                **sizes,
                "seed": DATA_SEED,
                "protocol": protocol,
            }
            if options and options.test_seed:
                identity["test_seed"] = options.test_seed
            identity |= declaration(self._recipe, name)
            self._bench.cost.sizes[name] = (sizes["train_examples"], sizes["test_examples"], len(languages))
            self._memo[memo] = self._bench.add("prepare", identity, {}, name, {"task": name}, {})
        return self._memo[memo]

    def corpus(self, corpus: CorpusOptions, *, pairs: bool) -> str:
        """Tokenizer and token arrays of the pretraining text."""
        identity = {
            "what": "corpus",
            "source": self._bench.sources.of_corpus(),
            "languages": list(corpus.languages),
            "vocabulary": corpus.vocabulary,
            "alphabet": corpus.alphabet,
            "holdout": corpus.holdout,
            "sequence_length": corpus.sequence_length,
            "pairs": pairs,
            "seed": corpus.seed,
        }
        return self._bench.add("prepare", identity, {}, "corpus", {"task": "corpus"}, {})

    def pretrain(self, name: str) -> str:
        """One backbone of the recipe's own series, or its untrained twin."""
        memo = ("pretrain", name)
        if memo in self._memo:
            return self._memo[memo]
        setup = self._recipe.pretrain
        assert setup is not None
        size = name.removesuffix(UNTRAINED)
        tokens = setup.tokens[size] if isinstance(setup.tokens, dict) else setup.tokens
        rate = setup.learning_rate[size] if isinstance(setup.learning_rate, dict) else setup.learning_rate
        trained = size == name
        identity = {
            "shape": setup.series[size].model_dump(),
            "tokens": tokens if trained else 0,
            "batch_sequences": setup.batch_sequences,
            "learning_rate": rate,
            "warmup_fraction": setup.warmup_fraction,
            "weight_decay": setup.weight_decay,
            "mask": setup.mask,
            "tlm_share": setup.tlm_share,
            "initialisation": setup.initialisation,
            "dtype": setup.dtype if trained else "fp32",
            "seed": setup.seed,
        }
        resources: dict[str, Any] = {"cost": self._bench.cost.pretrain(setup, size, tokens if trained else 0)}
        unknown = [key for key in ("tokens", "dtype") if identity[key] == "auto"]
        if unknown:
            resources["measure"] = unknown
        corpus = self.corpus(setup.corpus, pairs=setup.tlm_share > 0)
        labels = {"backbone": name, "seed": setup.seed}
        self._memo[memo] = self._bench.add("pretrain", identity, {"corpus": corpus}, name, labels, resources)
        return self._memo[memo]

    def backbone(self, name: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Identity of a backbone, and the input that provides it if a stage does."""
        if name not in self._backbones:
            self._backbones[name] = self._backbone(name)
        return self._backbones[name]

    def _backbone(self, name: str) -> tuple[dict[str, Any], dict[str, str]]:
        if self._recipe.is_own(name):
            return backbone_identity({"name": name, "kind": "stage"}), {"backbone": self.pretrain(name)}
        return self._bench.backbones.identity(name), {}
