"""A byte-order mark is no text: every reader gives the same examples with and without one, and so does the identity."""

from __future__ import annotations

import bz2
import codecs
import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterxfer.data.files import HashCache, file_sha256, has_mark, open_text
from adapterxfer.data.tagged import read_masakhaner, read_panx, read_udpos
from adapterxfer.errors import DataError

PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}
WORD = "1\tMara\tMara\tPROPN\t_\t_\t0\troot\t_\t_\n\n"


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\ufeff"), max_size=30), st.sampled_from(sorted(PACK)))
def test_the_text_is_that_without_a_mark(tmp_path_factory: pytest.TempPathFactory, text: str, ending: str) -> None:
    folder = tmp_path_factory.mktemp("bom")
    plain, marked = folder / f"plain.txt{ending}", folder / f"marked.txt{ending}"
    plain.write_bytes(PACK[ending](text.encode()))
    marked.write_bytes(PACK[ending](codecs.BOM_UTF8 + text.encode()))
    for path in (plain, marked):
        with open_text(path) as file:
            assert file.read() == text
    assert (has_mark(plain), has_mark(marked)) == (False, True)
    assert file_sha256(plain) == hashlib.sha256(plain.read_bytes()).hexdigest(), "keys of plain files stay"
    assert file_sha256(marked) != hashlib.sha256(marked.read_bytes()).hexdigest()
    if not ending:
        assert file_sha256(marked) == file_sha256(plain)


def test_a_hash_remembered_with_the_mark_is_not_used(tmp_path: Path) -> None:
    path, cache = tmp_path / "a.txt", tmp_path / "hashes.json"
    path.write_bytes(codecs.BOM_UTF8 + b"text")
    state = path.stat()
    old = {str(path.resolve()): [state.st_size, state.st_mtime_ns, "0" * 64]}
    cache.write_text(json.dumps(old))
    hashes = HashCache(cache)
    assert hashes.sha256(path) == hashlib.sha256(b"text").hexdigest()
    hashes.save()
    assert HashCache(cache).sha256(path) == hashlib.sha256(b"text").hexdigest()


@pytest.mark.parametrize(
    ("reader", "content", "reason"),
    [
        (read_masakhaner, "Mara B-PER\nleft\n\n", ":2: 'left' has no tag; expected a word, a space and a tag"),
        (read_masakhaner, "Mara\nleft O\n\n", ":1: 'Mara' has no tag; expected a word, a space and a tag"),
        (read_panx, "de:Mara\tB-PER\nde:left\n\n", ":2: 'de:left' has no tag; expected a word, a tab and a tag"),
        (read_panx, "de:Mara\nde:left\n\n", ":1: 'de:Mara' has no tag; XTREME's download folder"),
    ],
)
def test_a_line_without_a_tag_is_blamed_on_what_is_wrong(tmp_path: Path, reader, content: str, reason: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "test"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        reader([path], "de", Counter())
    assert reason in caught.value.what


@pytest.mark.parametrize(
    ("name", "reader", "content"),
    [
        ("test", read_panx, "de:Mara\tB-PER\nde:left\tO\n\n"),
        ("test.txt", read_masakhaner, "Mara B-PER\nleft O\n\n"),
        ("de_gsd-ud-test.conllu", read_udpos, "# sent_id = 1\n" + WORD),
        ("de_pud-ud-test.conllu", read_udpos, WORD),
        ("test-de.tsv", read_udpos, "Mara\tPROPN\n\n"),
    ],
)
def test_readers_of_tags(tmp_path: Path, name: str, reader, content: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    plain = reader([path], "de", Counter())
    path.write_text(content, encoding="utf-8-sig")
    assert reader([path], "de", Counter()) == plain
    assert plain[0].words[0] == "Mara"
