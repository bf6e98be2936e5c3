"""A drawing inside a page: the same picture as its file in about a third of the bytes.

matplotlib writes every number with six digits, every group with an id and every element with its whole style. A page
with fifteen panels would be mostly that.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
DIGITS = 1
"""Digits after the point of coordinates: a tenth of a point is less than a pixel on every screen."""

_NUMBER = re.compile(r"-?\d+\.\d+")
_TIGHT = re.compile(r" ?([A-Za-z]) ?")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


@dataclass(frozen=True, slots=True)
class Inline:
    """A drawing for a page.

    Attributes:
        markup: the ``<svg>`` element.
        rules: class -> style, for a style sheet of the page; equal styles have equal classes in all drawings.
    """

    markup: str
    rules: Mapping[str, str]


def inline(svg: str, *, name: str, alt: str, colours: Mapping[str, str]) -> Inline:
    """The drawing as an element of a page.

    Args:
        svg: a file as matplotlib writes it.
        name: of the panel; the ids of a page must not meet.
        alt: what it shows.
        colours: colour of the file -> what stands for it on the page, such as a CSS variable.
    """
    root = ET.fromstring(svg)
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    references = dict.fromkeys(match for element in root.iter() for match in _references(element))
    ids = {old: f"{_short(name)}{number}" for number, old in enumerate(references)}
    rules: dict[str, str] = {}
    body = "".join(_write(child, ids, rules) for child in root)
    opening = f'<svg role="img" aria-label="{_escape(alt)}" viewBox="0 0 {width:g} {height:g}">'
    return Inline(f"{opening}{body}</svg>", {key: _coloured(style, colours) for key, style in rules.items()})


def style_sheet(drawings: Iterable[Inline], *, beyond: Iterable[Inline] = ()) -> str:
    """The rules of all drawings of a page, each once; without those that other drawings need too."""
    rules: dict[str, str] = {}
    for drawing in drawings:
        rules |= drawing.rules
    for drawing in beyond:
        rules = {key: style for key, style in rules.items() if key not in drawing.rules}
    return "".join(f".{key}{{{style}}}" for key, style in sorted(rules.items()))


def _class_of(style: str) -> str:
    """A short name that follows from the style alone."""
    return f"s{_short(style)}"


def _short(text: str) -> str:
    """Six letters and digits that stand for a text; two of some hundred texts meet once in 100,000 pages."""
    return f"{zlib.crc32(text.encode()):08x}"[:7]


def _coloured(style: str, colours: Mapping[str, str]) -> str:
    for colour, variable in colours.items():
        style = style.replace(colour, variable)
    return style


def _write(element: ET.Element, ids: Mapping[str, str], rules: dict[str, str]) -> str:
    """One element and what is in it; groups that only carry an id vanish."""
    tag = element.tag.removeprefix(SVG)
    if tag in ("title", "style", "metadata") or element.get("class") == "ground":
        return ""
    attributes = {}
    for key, value in element.attrib.items():
        if key == "id":
            if value in ids:
                attributes["id"] = ids[value]
        elif key == "style":
            style = _style(value)
            if (
                style == "fill:none"
                and tag == "path"
                and "id" not in element.attrib
                and "clip-path" not in element.attrib
            ):
                return ""  # the grounds of figure and axes: no line and no fill
            if style:
                attributes["class"] = _class_of(style)
                rules[attributes["class"]] = style
        elif key == LINK:
            attributes["href"] = f"#{ids[value[1:]]}"
        elif key == "transform" and value.startswith("rotate(-0 "):
            continue
        else:
            value = _REFERENCE.sub(lambda match: f"url(#{ids[match[1]]})", value)
            attributes[key] = _TIGHT.sub(r"\1", _shorter(value)) if key == "d" else _shorter(value)
    inside = _escape(element.text.strip()) if element.text and element.text.strip() else ""
    inside += "".join(_write(child, ids, rules) for child in element)
    if tag in ("g", "defs") and (not inside or not attributes):
        return inside if tag == "g" or not inside else f"<defs>{inside}</defs>"
    listed = "".join(f' {key}="{_escape(value)}"' for key, value in attributes.items())
    return f"<{tag}{listed}>{inside}</{tag}>" if inside else f"<{tag}{listed}/>"


def _references(element: ET.Element) -> list[str]:
    """Ids that an element points at."""
    named = [match for value in element.attrib.values() for match in _REFERENCE.findall(value)]
    link = element.get(LINK)
    return [*named, link[1:]] if link else named


def _style(text: str) -> str:
    """A style without what the page says for all drawings: the font, and butt ends."""
    parts = [declaration.strip() for declaration in text.split(";")]
    kept = [
        declaration
        for declaration in parts
        if declaration and not declaration.startswith(("font-family", "stroke-linecap: butt"))
    ]
    return ";".join(_shorter(declaration).replace(": ", ":") for declaration in kept)


def _shorter(text: str) -> str:
    """Numbers with one digit after the point, and no line breaks."""
    rounded = _NUMBER.sub(lambda match: f"{float(match[0]):.{DIGITS}f}".removesuffix(".0"), text)
    return re.sub(r"\s+", " ", rounded).strip()


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
