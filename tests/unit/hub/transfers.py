"""Push to and pull from one repository of the stand-in without waiting."""

from __future__ import annotations

from pathlib import Path

from adapterxfer.hub.addresses import parse_address
from adapterxfer.hub.pulling import Pulled
from adapterxfer.hub.pulling import pull as pull_from
from adapterxfer.hub.pushing import Pushed
from adapterxfer.hub.pushing import push as push_to


class Waits(list[float]):
    """Takes the place of time.sleep."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def push(folder: Path, **options: object) -> Pushed:
    return push_to(folder, "org/name", sleep=Waits(), **options)  # type: ignore[arg-type]


def pull(place: str = "org/name") -> Pulled:
    return pull_from(parse_address(place), sleep=Waits())
