"""Which labelled data in the target languages models may see beside the zero-shot ones: the section ``supervision``.

Every arm has its results under a name of its own, ``TASK@LABEL`` (`catalog.supervision`); see docs/supervision.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from adapterxfer.catalog.supervision import (
    FEW_SHOT,
    IN_LANGUAGE,
    SOURCES,
    TRANSLATE_TRAIN,
    Kind,
    label_of,
    supervised_target,
)
from adapterxfer.catalog.variants import VARIANTS
from adapterxfer.recipe.arm_options import Codes, Folder
from adapterxfer.recipe.base import Section
from adapterxfer.recipe.fields import Count, OneOrMany, TargetName, VariantName, problem
from adapterxfer.recipe.train_blocks import TrainBlock

if TYPE_CHECKING:
    from adapterxfer.recipe.recipe import Recipe

SOURCE = "en"
"""The language that zero-shot models are trained in."""

Sizes = Annotated[tuple[Count, ...], OneOrMany, Field(min_length=1, max_length=20)]
Split = Literal["train", "dev"]


class ArmOptions(Section):
    """What all arms may say.

    Attributes:
        targets: the targets that have the arm; all that are trained where it is left out.
        variants: the variants that have it; all that train where it is left out.
        train: settings of its trainings, which win over every block of the recipe's ``train``.
    """

    targets: Annotated[tuple[TargetName, ...], Field(min_length=1)] | None = None
    variants: Annotated[tuple[VariantName, ...], Field(min_length=1)] | None = None
    train: TrainBlock | None = None

    @field_validator("examples", "train_examples", "languages", check_fields=False)
    @classmethod
    def _differ(cls, value: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if value is not None and len(set(value)) < len(value):
            raise problem("names a value twice")
        return value


class FewShot(ArmOptions):
    """English training first, then a few examples of the language that is tested.

    Attributes:
        examples: how many, in all; several make a learning curve whose larger draws contain the smaller ones.
        draws: of examples in each training run; runs never share one.
        from_: the split that they are drawn from.
        languages: those that have the arm; all tested but English where it is left out.
    """

    examples: Sizes
    draws: Annotated[int, Field(ge=1, le=100)] = 1
    from_: Annotated[Split, Field(alias="from")] = "train"
    languages: Codes | None = None


class TranslateTrain(ArmOptions):
    """The English training set in translation, in place of the original.

    Attributes:
        folder: below ``data_root``, with one folder for each language, or ``world``.
        by: who translated; printed with the results. Files do not say it themselves.
        train_examples, languages: as in `InLanguage`.
    """

    folder: Folder
    by: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    train_examples: Sizes | None = None
    languages: Codes | None = None


class InLanguage(ArmOptions):
    """The training set of the language that is tested, in place of the English one.

    Attributes:
        train_examples: sizes of a learning curve, each drawn anew in every run; without it the whole set.
        languages: those that have the arm; all tested but English where it is left out.
    """

    train_examples: Sizes | None = None
    languages: Codes | None = None


class SourceLanguages(ArmOptions):
    """One model trained on several languages together, each drawn equally often, and tested in the others."""

    languages: Annotated[tuple[str, ...], Field(min_length=2)]


def _listed(value: Any) -> Any:
    """A plain list in place of the block names the languages."""
    return {"languages": value} if isinstance(value, list | tuple) else value


class Supervision(Section):
    """The arms of a recipe; at least one."""

    few_shot: Annotated[FewShot | None, Field(alias=FEW_SHOT)] = None
    translate_train: Annotated[TranslateTrain | None, Field(alias=TRANSLATE_TRAIN)] = None
    in_language: Annotated[InLanguage | None, Field(alias=IN_LANGUAGE)] = None
    sources: Annotated[SourceLanguages | None, BeforeValidator(_listed)] = None

    @model_validator(mode="after")
    def _has_an_arm(self) -> Supervision:
        if not any(option for _, option in self.arms()):
            raise problem(f"names at least one of: {FEW_SHOT}, {TRANSLATE_TRAIN}, {IN_LANGUAGE}, {SOURCES}")
        return self

    def arms(self) -> Iterator[tuple[Kind, FewShot | TranslateTrain | InLanguage | SourceLanguages]]:
        """Kind -> its option, for the kinds that are declared."""
        if self.sources is not None:
            yield SOURCES, self.sources
        if self.translate_train is not None:
            yield TRANSLATE_TRAIN, self.translate_train
        if self.few_shot is not None:
            yield FEW_SHOT, self.few_shot
        if self.in_language is not None:
            yield IN_LANGUAGE, self.in_language


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervised:
    """One target under one supervision.

    Attributes:
        kind: of the supervision.
        task: the target without it.
        label: of the supervision, in the name of the target.
        languages: that are trained on: of `SOURCES` together, of the others one by one.
        tested: languages that have results.
        split: of the language's data that examples are drawn from.
        examples: how many are drawn in each language; None for all there are.
        draws: of each training run.
        variants: that have the arm.
        train: settings that win over all others.
        by: who translated; empty where nothing is translated, or exactly, as by the world.
    """

    kind: Kind
    task: str
    label: str
    languages: tuple[str, ...]
    tested: tuple[str, ...]
    split: Split
    examples: int | None
    draws: int
    variants: tuple[str, ...]
    train: TrainBlock | None
    by: str = ""

    @property
    def target(self) -> str:
        """Its name."""
        return supervised_target(self.task, self.label)

    @property
    def continues(self) -> bool:
        """Whether it goes on from the model that was trained in English."""
        return self.kind == FEW_SHOT

    @property
    def one_model(self) -> bool:
        """Whether one model answers in all languages."""
        return self.kind == SOURCES


def able_variants(recipe: Recipe) -> tuple[str, ...]:
    """Variants of a recipe that can have an arm: those that train on a target and are no control."""
    return tuple(name for name in recipe.variants if not (VARIANTS[name].joins or VARIANTS[name].control))


def able_targets(recipe: Recipe) -> tuple[str, ...]:
    """Targets of a recipe that can have an arm: those that are trained on; retrieval has no labels to learn."""
    return tuple(name for name in recipe.target_tasks if recipe.task(name).trained)


def supervised_targets(recipe: Recipe, task: str) -> tuple[Supervised, ...]:
    """The supervisions of one target, in the order in which tables show them; none without the section."""
    option = recipe.supervision
    if option is None or task not in able_targets(recipe):
        return ()
    return tuple(
        arm
        for kind, arms in option.arms()
        if task in (arms.targets or (task,))
        for arm in _of(recipe, task, kind, arms)
    )


def _of(
    recipe: Recipe, task: str, kind: Kind, option: FewShot | TranslateTrain | InLanguage | SourceLanguages
) -> Iterator[Supervised]:
    tested = tuple(code for code in recipe.languages_of(task) if code != SOURCE)
    if isinstance(option, SourceLanguages):
        spoken, tested = option.languages, tuple(code for code in tested if code not in option.languages)
        sizes: tuple[int | None, ...] = (None,)
    else:
        spoken = tested = tuple(code for code in tested if code in (option.languages or tested))
        sizes = option.examples if isinstance(option, FewShot) else option.train_examples or (None,)
    able = able_variants(recipe)
    for size in sizes:
        yield Supervised(
            kind=kind,
            task=task,
            label=label_of(kind, examples=size, languages=spoken),
            languages=spoken,
            tested=tested,
            split=option.from_ if isinstance(option, FewShot) else "train",
            examples=size,
            draws=option.draws if isinstance(option, FewShot) else 1,
            variants=tuple(name for name in able if name in (option.variants or able)),
            train=option.train,
            by=(option.by or "") if isinstance(option, TranslateTrain) else "",
        )
