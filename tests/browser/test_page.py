"""The report page in a browser: it fits a phone and a desk, works in both schemes, and asks the network nothing."""

from __future__ import annotations

import json
import re
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

PROBE = """
<script>
addEventListener("load", () => {
  const wide = [...document.querySelectorAll("main *")].filter(
    e => !e.closest(".scroll") && !e.closest("svg") && e.getBoundingClientRect().right > innerWidth + 1);
  const short = document.querySelector(".headline").getBoundingClientRect();
  const style = e => getComputedStyle(e);
  const text = document.querySelector(".panel svg text");
  const small = [...document.querySelectorAll(".panel svg text")].map(e => e.getBoundingClientRect().height);
  const facts = {
    height: document.documentElement.scrollHeight,
    width: innerWidth, scrolls: document.documentElement.scrollWidth, answerTop: short.top, answerBottom: short.bottom,
    wide: wide.slice(0, 5).map(e => e.tagName + "." + e.className), ground: style(document.body).backgroundColor,
    ink: style(document.body).color, figureInk: style(text).fill, smallestText: Math.min(...small.filter(x => x > 0)),
    requests: performance.getEntriesByType("resource").map(e => e.name),
  };
  const out = document.createElement("pre");
  out.id = "probe";
  out.textContent = JSON.stringify(facts);
  parent.document.body.append(out);
});
</script>
"""


def start(browser: str, profile: Path, page: Path, *options: str) -> str:
    """Standard output of one headless run; every run has a profile of its own."""
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={profile}",
    ]
    done = subprocess.run([*command, *options, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def probe(
    browser: str, page: Path, folder: Path, *, width: int, height: int, dark: bool, script: str = PROBE
) -> dict[str, Any]:
    """Measure a copy of the page that carries a script; the report itself has none.

    The copy lives in a frame, because a headless window is never narrower than 500 pixels.
    """
    copy = page.read_text(encoding="utf-8").replace("</body>", f"{script}</body>")
    frame = f'<iframe style="width:{width}px;height:{height}px;border:0" srcdoc="{escape(copy)}"></iframe>'
    outer = folder / "frame.html"
    outer.write_text(f'<!DOCTYPE html><body style="margin:0">{frame}</body>', encoding="utf-8")
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    text = start(browser, folder / "profile", outer, "--dump-dom", "--window-size=1600,1000", scheme)
    match = re.search(r'<pre id="probe">(.*?)</pre>', text, flags=re.DOTALL)
    assert match, "the page did not load"
    found: dict[str, Any] = json.loads(unescape(match[1]))
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1440, 900)])
def test_page_fits_and_answers_on_the_first_screen(
    browser: str, page: Path, tmp_path: Path, screenshots: Path, width: int, height: int, *, dark: bool
) -> None:
    facts = probe(browser, page, tmp_path, width=width, height=height, dark=dark)
    assert facts["width"] == width
    assert facts["scrolls"] <= width, f"the page scrolls sideways: {facts['wide']}"
    assert facts["answerBottom"] <= height, "the answer is not on the first screen"
    assert facts["requests"] == []
    assert width < 1000 or facts["height"] <= 5.5 * height, "the page is longer than it needs to be"
    assert facts["smallestText"] >= 9, "text in a figure is too small to read"
    assert facts["figureInk"] == facts["ink"]
    assert contrast(facts["ink"], facts["ground"]) >= 7
    assert luminance(facts["ground"]) < 0.1 if dark else luminance(facts["ground"]) > 0.9
    name = f"report-{width}-{'dark' if dark else 'light'}.png"
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    start(
        browser, tmp_path / "other", page, f"--screenshot={screenshots / name}", f"--window-size={width},5000", scheme
    )
    assert (screenshots / name).stat().st_size > 20_000


def test_every_section_is_there_and_the_console_stays_empty(browser: str, page: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    dom = done.stdout
    assert "<script" not in dom
    ids = re.findall(r'id="([^"]+)"', dom)
    order = [ids.index(name) for name in ("hypotheses", "scores", "care", "figures", "tables", "method")]
    assert order == sorted(order), "verdicts come first"
    for name in ("gain-by-size", "forest", "gain-map", "variants-by-size", "by-language"):
        assert f"figure-{name}" in ids
    for name in ("hypotheses", "ladders", "ranks", "components", "power", "families", "scales"):
        assert f"table-{name}" in ids
    assert dom.count("<svg") == dom.count('class="panel"') > 8


def test_verdicts_use_three_words_and_references_keep_their_label(browser: str, page: Path, tmp_path: Path) -> None:
    dom = start(browser, tmp_path / "profile", page, "--dump-dom")
    section = dom[dom.index('id="hypotheses"') : dom.index('id="scores"')]
    chips = {unescape(text) for text in re.findall(r'<span class="chip [^"]*">(.*?)</span>', section)}
    assert chips
    assert chips <= {"significant", "undecided", "equal"}
    if "Reference" in section:
        assert "not verified" in section
        assert "no verdict looks at it" in section


@pytest.mark.parametrize("width", [390, 1440])
def test_declared_hypotheses_fit_the_width(browser: str, page: Path, tmp_path: Path, width: int) -> None:
    script = PROBE.replace(
        "const short =",
        "const cards = [...document.querySelectorAll('#hypotheses article')].map(e => e.getBoundingClientRect());"
        "const chips = [...document.querySelectorAll('#hypotheses .chip')].map(e => e.getBoundingClientRect());"
        "const short =",
    ).replace(
        "const facts = {",
        "const facts = { cards: cards.length, right: Math.max(...cards.map(e => e.right), ...chips.map(e => e.right)),",
    )
    facts = probe(browser, page, tmp_path, width=width, height=900, dark=True, script=script)
    assert facts["cards"] >= 1
    assert facts["right"] <= width


def luminance(color: str) -> float:
    """Relative luminance of ``rgb(r, g, b)`` as in WCAG 2."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Contrast ratio as in WCAG 2."""
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)
