"""The quickstart in small, on an embedded backbone: the commands at the end of its report work as printed."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from stand_in_hub import StandInHub, card_problems

ROOT = Path(__file__).parents[2]

SMALL = {
    "backbones: [world-nano, world-micro, world-mini]": "backbones: [world-nano]",
    "seeds: [1, 2, 3]": "seeds: [1]",
    "backbone: world-mini, intermediate": "backbone: world-nano, intermediate",
    "{steps: 250}": "{steps: 3}",
    "{steps: 100}": "{steps: 3}",
    "{steps: 150}": "{steps: 3}",
    "tasks:\n  world-xnli: {train_examples: 100} #": "# ",
    "controls: true": "controls: false\ntasks:\n" + "\n".join(
        f"  {name}: {{train_examples: 40, dev_examples: 10, {test}}}"
        for name, test in (
            ("world-nli", "test_examples: 10"), ("world-qa", "test_examples: 10"),
            ("world-xnli", "test_examples: 10, languages: [en, a1, c1]"),
            ("world-xqa", "test_examples: 10, languages: [en, a1, c1]"),
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("variants", ["[full-ft, stack, fuse]", "[stack, fuse]"])
def test_the_commands_of_the_quickstart_report_work_as_printed(tmp_path: Path, variants: str) -> None:
    """In a folder laid out as a clone, as a user types them, in fresh processes, against a Hub on this machine."""
    text = (ROOT / "recipes" / "quickstart.yaml").read_text(encoding="utf-8")
    for old, new in {**SMALL, "variants: [full-ft, stack, fuse]": f"variants: {variants}"}.items():
        assert old in text, f"{old!r}: the quickstart has changed"
        text = text.replace(old, new)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "quickstart.yaml").write_text(text, encoding="utf-8")

    with StandInHub() as hub:
        environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "HF_ENDPOINT": hub.url,
            "HF_TOKEN": hub.token, "ADAPTERXFER_CACHE": str(tmp_path / "cache"), "HF_HOME": str(tmp_path / "hf"),
        }  # fmt: skip

        def run(line: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "adapterxfer", *shlex.split(line)[1:]]
            done = subprocess.run(
                command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False, encoding="utf-8"
            )
            assert done.returncode == 0, done.stderr
            return done

        run("adapterxfer run recipes/quickstart.yaml --jobs 1")
        (report,) = (tmp_path / "store" / "report").glob("*/report.md")
        end = report.read_text(encoding="utf-8").split("## Share it")[1]
        printed = [line.strip() for line in end.splitlines() if line.startswith("    ")]
        assert [line.split()[:2] for line in printed] == [["adapterxfer", "bundle"], ["adapterxfer", "push"]]
        assert end.rstrip().endswith(printed[-1]), "the report ends with them"
        assert "verified" in run(printed[0]).stdout
        pushed = run(printed[1])
        assert "%|" not in pushed.stdout + pushed.stderr, "a progress bar in plain output"
        (repository,) = hub.repositories
        assert repository in pushed.stdout
        assert card_problems(hub.files(repository)["README.md"].decode()) == []
        assert "unchanged, no commit" in run(printed[1]).stdout
        commit = hub.repositories[repository].branches["main"]
        assert "verified" in run(f"adapterxfer pull {repository}@{commit}").stdout
