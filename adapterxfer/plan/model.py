"""What a plan is: stages in an order in which they can run, and the cells of the study that they fill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from adapterxfer.errors import AdapterxferError, joined
from adapterxfer.plan.cells import PlannedCells
from adapterxfer.plan.rows import Stages
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.store.keys import Stage

NO_SOURCE = "no source named"
"""What stops a backbone of the Hub."""

NAME_SOURCE = "name revision or folder in backbone_sources (`adapterxfer pin` asks the Hub)"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Cells that are in the grid but cannot exist, with the reason."""

    variant: str
    target: str
    intermediate: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan:
    """A recipe unfolded.

    Attributes:
        generation: whose keys the stages have.
        stages: key -> stage, every stage after its inputs; the report is the last one.
        cells: the systems to compare, in recipe order.
        unavailable: backbone without a source -> number of cells that need it.
        refused: cells of the grid that cannot exist, with the reason.
        excluded: reason of a recipe's exclusion -> number of cells it removed.
        needs_measurement: the token budget is unknown until a probe has run on this machine.
        missing_data: lists original files, or names backbones, that are not there; keys are then provisional.
        missing_backbones: the backbones among them.
        cautions: what may move numbers without being wrong, e.g. a tokenizer that is not as it was published.
        unfit: what else of the recipe and this machine do not go together: lengths, tokenizers, layouts.
    """

    recipe: Recipe
    generation: int
    stages: Stages
    cells: PlannedCells
    unavailable: Mapping[str, int] = field(default_factory=dict)
    refused: tuple[Refusal, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=dict)
    needs_measurement: bool = False
    missing_data: AdapterxferError | None = None
    missing_backbones: AdapterxferError | None = None
    cautions: tuple[str, ...] = ()
    unfit: AdapterxferError | None = None

    def __repr__(self) -> str:
        return f"Plan({self.recipe.name}: {len(self.stages)} stages, {len(self.cells)} cells)"

    @property
    def from_hub(self) -> tuple[str, ...]:
        """Tasks that are read from the Hub though the recipe names a folder, as no official file of them is there."""
        if self.recipe.data_root is None or self.missing_data is not None:
            return ()
        named = {name for name, options in self.recipe.tasks.items() if options.source == "hub"}
        tasks = {
            str(stage.identity["task"])
            for stage in self.stages.of_kind("prepare")
            if stage.identity["what"] == "task" and stage.identity["source"]["kind"] == "hub"
        }
        return tuple(sorted(tasks - named))

    def counts(self) -> dict[str, int]:
        """Kind -> number of stages, in order of first appearance."""
        counts: Counter[str] = Counter()
        for row, keys in self.stages.rows.items():
            counts[row.kind] += len(keys)
        return dict(counts)

    def require_runnable(self) -> None:
        """Refuse a plan that cannot run here, before anything is trained.

        Raises:
            AdapterxferError: see `obstacles`.
        """
        if (obstacle := joined(self.obstacles())) is not None:
            raise obstacle

    def obstacles(self) -> list[AdapterxferError]:
        """Everything that a run would refuse: backbones without a source, original files or backbones that are missing,
        and what does not fit this machine; empty for nothing.
        """
        return [error for error in (self._unavailable(), self.missing_data, self.unfit) if error is not None]

    def _unavailable(self) -> AdapterxferError | None:
        if self.unavailable:
            lines = [
                f"  backbone {name}: {count} {'cell needs' if count == 1 else 'cells need'} it"
                for name, count in self.unavailable.items()
            ]
            return AdapterxferError(
                "\n".join([f"{self.recipe.name}: {NO_SOURCE}", *lines]), fix=f"{NAME_SOURCE}, or narrow with --only"
            )
        return None

    @property
    def report(self) -> Stage | None:
        """The stage that writes the report."""
        return self.stages[self.report_key] if self.report_key else None

    @property
    def report_key(self) -> str:
        """Key of the stage that writes the report, which has as many inputs as the plan has predictions."""
        return next((keys[0] for row, keys in self.stages.rows.items() if row.kind == "report"), "")
