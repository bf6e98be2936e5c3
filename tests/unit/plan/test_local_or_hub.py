"""A task is read from the user's files, from the Hub, or refused: never from the Hub while files of it are there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterxfer.cli.main import main
from adapterxfer.data.files import HashCache, list_files
from adapterxfer.errors import DataError, RecipeError
from adapterxfer.plan import Plan, build_plan
from adapterxfer.recipe import parse_recipe

RECIPE = """
recipe: 1
name: study
backbones: [world-nano]
intermediate_tasks: [none]
target_tasks: [panx]
variants: [head-only]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1]
data_root: ROOT
tasks: {panx: {languages: [de, fi]SOURCE}}
train: {default: {steps: 2, learning_rate: 1e-3}}
"""
FILES = ("panx/train-en.tsv", "panx/dev-en.tsv", "panx/test-de.tsv", "panx/test-fi.tsv")


def planned(root: Path, source: str = "") -> Plan:
    return build_plan(parse_recipe(RECIPE.replace("ROOT", str(root)).replace("SOURCE", source)))


def source_of(plan: Plan) -> str:
    """Kind of the source of all prepare stages."""
    (kind,) = {stage.identity["source"]["kind"] for stage in plan.stages.values() if stage.kind == "prepare"}
    return str(kind)


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("Mara\tB-PER\n\n", encoding="utf-8")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(["there", "absent", "twice", "misnamed"]), min_size=4, max_size=4))
def test_whatever_is_there(tmp_path_factory: pytest.TempPathFactory, states: list[str]) -> None:
    root = tmp_path_factory.mktemp("root")
    for name, state in zip(FILES, states, strict=True):
        if state == "misnamed":
            put(root, name.replace("-", "_").upper().replace("PANX/", "panx/").replace(".TSV", ".tsv"))
        elif state != "absent":
            put(root, name, *(["old/" + name] if state == "twice" else []))
    plan = planned(root)
    present = list_files(root)
    # A development set is cut from the training file where none is there at all.
    if not present:
        assert (source_of(plan), plan.missing_data) == ("hub", None)
    elif all(
        state == "there" or (state == "absent" and name == FILES[1]) for name, state in zip(FILES, states, strict=True)
    ):
        assert (source_of(plan), plan.missing_data) == ("files", None)
    else:
        message = str(plan.missing_data)
        for name, state in zip(FILES, states, strict=True):
            if state in ("twice", "misnamed"):
                assert all(path in message for path in present if path.lower().replace("_", "-").endswith(name))
        assert "source: hub" in message
        forced = planned(root, ", source: hub")
        assert (source_of(forced), forced.missing_data) == ("hub", None)


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    put(elsewhere, *FILES)
    put(root, "b/own.txt")
    (root / "a").symlink_to(root / "b")  # sorts before what it points to, and stays without effect
    (root / "loop").symlink_to(root)
    (root / "up").symlink_to(tmp_path)
    (root / "data").symlink_to(elsewhere)
    (root / "again").symlink_to(elsewhere / "panx")
    assert list_files(root) == ["b/own.txt", *(f"data/{name}" for name in sorted(FILES))]


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    put(tmp_path, *FILES)
    shutil.move(tmp_path / FILES[0], tmp_path / "gone")
    (tmp_path / FILES[0]).symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"train-en\.tsv: cannot be read"):
        HashCache().sha256(tmp_path / FILES[0])
    assert "train-en.tsv: cannot be read" in str(planned(tmp_path).missing_data)


def check(root: Path, capsys: pytest.CaptureFixture[str], *tasks: str) -> tuple[int, str]:
    arguments = ["data", "check", "--data-root", str(root), *(word for task in tasks for word in ("--task", task))]
    code = main(arguments)
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_a_task_that_is_there_in_part_is_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is there loads, so the check ends with 0; a run would refuse the rest, and that is said."""
    put(tmp_path, *FILES)
    assert check(tmp_path, capsys, "panx")[0] == 0
    (tmp_path / FILES[0]).unlink()
    for tasks in (("panx",), ()):
        code, printed = check(tmp_path, capsys, *tasks)
        assert code == 0
        assert "panx: only some files are there, so a run refuses it: train en (panx): missing" in printed
        assert "ready to run (training data and a test language): none" in printed
    for name in FILES[2:]:
        (tmp_path / name).unlink()
    put(tmp_path, FILES[0])
    printed = check(tmp_path, capsys, "panx")[1]
    assert "so a run refuses it: test af (panx): missing" in printed
    assert "; and 44 more" in printed


def test_files_of_a_task_that_runs_are_no_part_of_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """XNLI trains on MNLI; who has MNLI alone need not have XNLI."""
    header = "index\tsentence1\tsentence2\tgold_label\n"
    rows = "".join(f"{n}\tp{n}\th{n}\t{('entailment', 'neutral', 'contradiction')[n % 3]}\n" for n in range(30))
    for name in ("train", "dev_matched"):
        (tmp_path / "MNLI").mkdir(exist_ok=True)
        (tmp_path / "MNLI" / f"{name}.tsv").write_text(header + rows)
    assert "xnli: only some files" not in check(tmp_path, capsys)[1]
    assert "only some files" not in check(tmp_path, capsys, "mnli")[1]
    assert "xnli: only some files" in check(tmp_path, capsys, "xnli")[1]


@pytest.mark.parametrize("name", ["panx/fi.test.tsv", "panx/TEST_FI.tsv", "pan-x/test fi.tsv", "PanX/fi-test.TSV"])
def test_names_with_the_same_words_are_candidates(tmp_path: Path, name: str) -> None:
    put(tmp_path, *FILES[:3], name)
    assert f"{name} is not read: the official name is" in str(planned(tmp_path).missing_data)


def test_links_that_are_not_followed_keep_a_task_from_the_hub(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk that is not mounted must not turn into the Hub's copy without a word."""
    root = tmp_path / "root"
    put(root, "other/notes.txt")
    assert planned(root).missing_data is None
    (root / "panx").symlink_to(tmp_path / "nowhere")
    assert "lead nowhere or to a folder around it: panx" in str(planned(root).missing_data)
    assert planned(root, ", source: hub").missing_data is None
    code, printed = check(root, capsys, "panx")
    assert code == 1
    assert "link panx is not followed" in printed
    (root / "panx").unlink()
    (root / "up").symlink_to(tmp_path)
    assert "a folder around it: up" in str(planned(root).missing_data)
    (root / "up").unlink()
    (root / "loop").symlink_to(root / "other")
    assert planned(root).missing_data is None
    assert check(root, capsys, "panx")[0] == 0


def test_what_is_read_from_the_hub_in_place_of_a_folder_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "root", "notes.txt")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE.replace("ROOT", str(tmp_path / "root")).replace("SOURCE", ""))
    for command in ("check", "plan"):
        assert main([command, str(recipe)]) == 0
        assert "panx: no official file of it is below data_root" in capsys.readouterr().out
    recipe.write_text(RECIPE.replace("ROOT", str(tmp_path / "root")).replace("SOURCE", ", source: hub"))
    assert main(["check", str(recipe)]) == 0
    assert "no official file" not in capsys.readouterr().out


def test_described_files_may_be_in_languages_that_the_catalogue_does_not_know(tmp_path: Path) -> None:
    put(tmp_path, *FILES, "x-gsw.tsv", "x-zh-Hant.tsv")
    layout = ', layout: {test: {path: "x-{lang}.tsv", layout: tsv, record: 0, columns: {words: 0, tags: 1}}}'
    text = RECIPE.replace("ROOT", str(tmp_path)).replace("[de, fi]", "[gsw, zh-Hant]")
    plan = build_plan(parse_recipe(text.replace("SOURCE", layout)))
    assert (source_of(plan), plan.missing_data) == ("files", None)
    with pytest.raises(RecipeError, match="language 'gsw' is not one of"):
        parse_recipe(text.replace("SOURCE", ""))
    with pytest.raises(RecipeError, match=r"language '\.\./x' is not one of"):
        parse_recipe(text.replace("SOURCE", layout).replace("zh-Hant", "../x"))


def test_a_file_of_layouts_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "nowhere.yaml")
    assert main(["data", "check", "--data-root", str(tmp_path), "--task", "panx", "--layouts", missing]) == 2
    assert "nowhere.yaml' cannot be read: No such file" in capsys.readouterr().err
