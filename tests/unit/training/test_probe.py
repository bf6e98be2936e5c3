"""The probe times the three ways of working and leaves nothing behind."""

from __future__ import annotations

from adapterxfer.stages.probe import work_speed


def test_all_ways_of_working_have_a_speed() -> None:
    speeds = work_speed(hidden=32, layers=2, length=16, seconds=0.0, device="cpu")
    assert speeds.keys() == {"full", "frozen", "predict"}
    assert all(speed > 0 for speed in speeds.values())
