"""The makers of all stages of a plan, joined; each kind of stage is made in one file.

| stages | made in |
|---|---|
| prepare of tasks and corpora, pretrain | `inputs.py` |
| prepare of texts and translations | `arm_identity.py` |
| train_language | `language_stages.py` |
| prepare of development data in target languages | `target_dev.py` |
| prepare of training data in target languages | `supervision.py` |
| train_intermediate, reuse_intermediate | `intermediates.py` |
| train_target, train_fusion | `targets.py` |
| train_together | `seed_groups.py` |
| train_candidate, choose | `choosing.py` |
| merge | `merges.py` |
| predict | `evaluations.py` |
| report | `report_stage.py` |
"""

from __future__ import annotations

from adapterxfer.plan.arm_identity import ArmMaker
from adapterxfer.plan.choosing import ChoiceMaker
from adapterxfer.plan.evaluations import EvaluationMaker
from adapterxfer.plan.inputs import InputMaker
from adapterxfer.plan.intermediates import IntermediateMaker
from adapterxfer.plan.language_stages import LanguageMaker
from adapterxfer.plan.merges import MergeMaker
from adapterxfer.plan.sources import Sources
from adapterxfer.plan.supervised import SupervisionMaker
from adapterxfer.plan.target_dev import TargetDevMaker
from adapterxfer.plan.targets import TargetMaker
from adapterxfer.plan.workbench import Workbench
from adapterxfer.recipe.recipe import Recipe


class StageMaker:
    """Builds and remembers stages."""

    def __init__(self, recipe: Recipe, sources: Sources, generation: int) -> None:
        bench = Workbench(recipe, sources, generation)
        inputs = InputMaker(bench)
        arms = ArmMaker(bench)
        languages = LanguageMaker(bench, inputs, arms)
        choices = ChoiceMaker(bench)
        intermediates = IntermediateMaker(bench, inputs, arms, languages, choices)
        self.bench = bench
        self.pretrain = inputs.pretrain
        self.intermediate = intermediates.intermediate
        self.target_dev = TargetDevMaker(bench)
        targets = TargetMaker(
            bench,
            inputs,
            intermediates=intermediates,
            languages=languages,
            target_dev=self.target_dev,
            choices=choices,
        )
        self.target, self.fusion, self.further = targets.target, targets.fusion, targets.further
        self.taught = SupervisionMaker(bench, arms, self.target_dev).taught
        self.merge = MergeMaker(bench, inputs).merge
        evaluations = EvaluationMaker(bench, inputs, languages)
        self.evaluation, self.supervised = evaluations.evaluation, evaluations.supervised
