"""The studies behind the example cards of docs/cards: recipe, changes to it, and which system is shown."""

from __future__ import annotations

from dataclasses import dataclass

_DEFAULT = "{batch_size: 32, warmup_fraction: 0.1, schedule: linear, weight_decay: 0.0, max_length: 96}"
_RATES = "full-ft: {learning_rate: 1e-3}, adapters: {learning_rate: 4e-3}"
_STEPS = (
    f"train={{default: {_DEFAULT}, intermediate: {{steps: 150}}, target: {{steps: 80}}, fusion: {{steps: 80}}, "
    f"{_RATES}, fuse: {{learning_rate: 4e-3}}}}"
)
"""Short trainings that suit the small backbones of the world."""

_STAND_IN = ("world=true", "seeds=[1]", "backbones=[world-micro]", "controls=false", "statistics={resamples: 500}")
_ADAPTER = "adapters=[{method: seq_bn, reduction_factor: 2}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleStudy:
    """One card and the study it comes from.

    Attributes:
        recipe: name in ``recipes/``.
        changes: what is given with ``--set``.
        among: variants from which the best is taken; all of the recipe if empty.
        real: the study needs the real files (``--data-root``, and perhaps ``--layouts``).
        store: name of the folder with its results; studies may share one.
        reduced: less than the recipe asks for, in words; empty where it is the whole recipe.
        note: a sentence for the reader.
    """

    recipe: str
    changes: tuple[str, ...] = ()
    among: tuple[str, ...] = ()
    real: bool = False
    store: str = ""
    reduced: str = ""
    note: str = ""


STUDIES = {
    "quickstart": ExampleStudy(recipe="quickstart"),
    "quickstart-adapters": ExampleStudy(recipe="quickstart", among=("stack", "fuse"), store="quickstart"),
    "world-scores": ExampleStudy(
        recipe="world-scores",
        changes=(
            "seeds=[11, 12, 13]",
            *(f"tasks.world-{name}.test_seed=1" for name in ("xnli", "pos", "ner", "xqa", "xmc", "retrieval")),
        ),
        reduced="fresh test set and fresh seeds, as docs/recipes.md describes",
    ),
    "world-full": ExampleStudy(
        recipe="world-full",
        changes=(
            "backbones=[world-mini]",
            "seeds=[1]",
            "intermediate_tasks=[none, world-nli, world-qa]",
            "target_tasks=[world-xnli, world-pos, world-xqa]",
            "controls=false",
            "statistics={resamples: 500}",
        ),
        reduced="one backbone of four, one seed, two intermediate tasks and three targets",
    ),
    "world-arms": ExampleStudy(recipe="world-arms"),
    "world-rates": ExampleStudy(
        recipe="world-rates",
        changes=("backbones=[world-micro]", "seeds=[1]", "variants=[full-ft]", "controls=false"),
        reduced="one backbone of three, one seed, full fine-tuning alone",
    ),
    "xtreme-r-scaling": ExampleStudy(
        recipe="xtreme-r-scaling",
        changes=(
            *_STAND_IN,
            "intermediate_tasks=[none, mnli, squad-v1]",
            "target_tasks=[xnli, udpos, xquad]",
            "variants=[stack, fuse]",
            _ADAPTER,
            "exclude=[]",
            "resources={}",
            _STEPS,
        ),
        reduced="one small made-up backbone, one seed, two intermediate tasks, three targets, short trainings",
    ),
    "phang2020": ExampleStudy(
        recipe="phang2020",
        changes=(
            *_STAND_IN,
            "intermediate_tasks=[none, mnli, squad-v1]",
            "target_tasks=[xnli, udpos, xquad]",
            "exclude=[]",
            "mlm_mix.lines=300",
            _STEPS,
        ),
        reduced="one small made-up backbone, one seed, two intermediate tasks with their arms, three targets, short "
        "trainings",
    ),
    "low-resource-families": ExampleStudy(
        recipe="low-resource-families",
        changes=(
            *_STAND_IN,
            "intermediate_tasks=[none, mnli]",
            "target_tasks=[udpos, tydiqa, masakhaner2, sib200]",
            _ADAPTER,
            "resources={}",
            _STEPS,
        ),
        reduced="one small made-up backbone, one seed, one intermediate task, four targets, short trainings",
    ),
    "real-text": ExampleStudy(recipe="real-text", real=True),
    "real-quality": ExampleStudy(recipe="real-quality", real=True),
    "real-questions": ExampleStudy(
        recipe="real-questions",
        changes=("seeds=[1]", "backbones=[mid]"),
        real=True,
        reduced="one seed, without the untrained twin",
    ),
    "real-formats": ExampleStudy(
        recipe="real-formats",
        real=True,
        store="real-text",
        note="The backbone is so small that most of its scores are near chance.",
    ),
}
"""Name of the card's folder -> its study."""

WITHOUT_CARD = {
    "real-quick": "docs/real-backbones.md says what its page says",
    "world-few-shot": "its results have labels of the target languages, and none of them is published as a bundle",
    "real-backbone": "it was not run as a whole yet; docs/case-study declares its design",
}
"""Shipped recipe -> why it has no card."""
