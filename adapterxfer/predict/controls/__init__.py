"""Controls: systems that do not understand anything, scored like those that should.

A score only means something beside what a guesser reaches. Each control writes the same prediction file as a trained
system, so the report treats it alike.
"""

from adapterxfer.predict.controls.base import ControlResult
from adapterxfer.predict.controls.registry import CONTROLS, EMBEDDING_LAYER, run_control

__all__ = ["CONTROLS", "EMBEDDING_LAYER", "ControlResult", "run_control"]
