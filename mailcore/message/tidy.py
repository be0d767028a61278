"""Brings the HTML of a mail into a shape that costs a parser little, whatever it was.

HTML parsers are quadratic on hostile markup, and worse: 200 kB of unclosed, all different <b> elements take
the sanitiser 9 s, and each paragraph after them clones them all. `balance` writes the same tags again, every
element closed inside its parent, none deeper than limits.HTML_DEPTH. It is about cost only; what is safe is
decided afterwards, by sanitize. `lift` takes out what is not markup: comments, and elements whose content
is text for machines. Both are linear. Called by sanitize and display.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from mailcore import limits

_MACHINE = "style|script|title|textarea|xmp|iframe|noembed|noframes|noscript|template"
_LIFTED = re.compile(rf"<!--|<({_MACHINE})(?=[\s/>])", re.IGNORECASE | re.ASCII)
_COMMENT_END = re.compile(r"--!?>")
_TAG_END = re.compile(">")

# A tag as written well (no < in it, quotes in pairs), and as written anyhow. Atomic groups: no backtracking.
_TAG = re.compile(
    r"<(?P<slash>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*+)"
    r"(?:(?P<well>(?:(?>[^<>\"']+)|(?>\"[^\"<]*\")|(?>'[^'<]*'))*+)>|(?P<anyhow>[^<>]*+)>?)"
)
_ATTRIBUTE = re.compile(
    r"(?<![^\s/\"'])([a-zA-Z][\w:-]*+)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]++)))?"
)


def words(text: str) -> frozenset[str]:
    """The words of text. (Long lists of names read better so.)"""
    return frozenset(text.split())


VOID = words("br hr img wbr col")
_HEADINGS = words("h1 h2 h3 h4 h5 h6")
_GROUPS = words("thead tbody tfoot")
_CELLS = words("td th caption")
_ENDS_PARAGRAPH = _HEADINGS | words(
    "address article aside blockquote center dd div dl dt figcaption figure footer header hr li main nav ol "
    "p pre section table ul"
)
TAGS = (
    VOID
    | _ENDS_PARAGRAPH
    | _GROUPS
    | _CELLS
    | words(
        "a abbr acronym b bdi bdo big cite code colgroup del dfn em font i ins kbd mark q rp rt ruby s samp "
        "small span strike strong sub sup time tr tt u var"
    )
)
_WALLS = _CELLS | {"table"}  # no end tag but a table's own reaches through these


@dataclass(frozen=True, slots=True)
class Lifted:
    """The markup without what is not for people, the text of its style elements, and where it was cut."""

    html: str
    styles: list[str]


def lift(html: str) -> Lifted:
    """Take out comments and the elements whose content is no markup; keep what style elements say."""
    kept: list[str] = []
    styles: list[str] = []
    position = 0
    while found := _LIFTED.search(html, position):
        kept.append(html[position : found.start()])
        name = found[1]
        if name is None:
            if html.startswith((">", "->"), found.end()):  # <!--> and <!---> are whole comments
                end, position = found.end(), html.index(">", found.end()) + 1
                continue
            end, position = _until(_COMMENT_END, html, found.end())
            continue
        _, start = _until(_TAG_END, html, found.end())
        end, position = _until(re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE | re.ASCII), html, start)
        if name.lower() == "style":
            styles.append(html[start:end])
        if position < len(html):
            _, position = _until(_TAG_END, html, position)
    kept.append(html[position:])
    return Lifted("".join(kept), styles)


def _until(pattern: re.Pattern[str], html: str, start: int) -> tuple[int, int]:
    """Where the next match starts and ends; the end of html, twice, when there is none: as parsers do it."""
    found = pattern.search(html, start)
    return (found.start(), found.end()) if found else (len(html), len(html))


def balance(html: str) -> str:
    """html (already lifted) with every element of TAGS closed inside its parent and all other tags left out.

    Text stays as it is. At most limits.HTML_TAGS tags are read; what follows is dropped.
    """
    writer = _Writer()
    position = 0
    for count, tag in enumerate(_TAG.finditer(html)):
        if count >= limits.HTML_TAGS:
            break
        writer.text(html[position : tag.start()])
        position = tag.end()
        name = tag["name"].lower()
        if name not in TAGS:
            continue
        if tag["slash"]:
            writer.close(name)
        else:
            writer.open(name, _attributes(tag["well"] if tag["well"] is not None else tag["anyhow"]))
    else:
        writer.text(html[position:])
    return writer.finish()


def _attributes(text: str) -> str:
    if not text.strip():
        return ""
    out = []
    for count, found in enumerate(_ATTRIBUTE.finditer(text)):
        if count >= limits.HTML_ATTRIBUTES:
            break
        value = found[2] or found[3] or found[4] or ""
        value = value.replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
        out.append(f' {found[1]}="{value}"')
    return "".join(out)


class _Writer:
    """Writes tags so that the stack here and the stack of any parser that reads them are the same."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.stack: list[str] = []
        self.skipped: Counter[str] = (
            Counter()
        )  # start tags beyond the depth, whose end tags are still to come

    def text(self, text: str) -> None:
        if text:
            self.out.append(text.replace("<", "&lt;"))

    def open(self, name: str, attributes: str) -> None:
        if name in _GROUPS or name in {"tr", "td", "th", "caption", "colgroup", "col"}:
            if not self._make_room_in_table(name):
                return
        else:
            self._end_what_this_ends(name)
        if name in VOID:
            self.out.append(f"<{name}{attributes}>")
        elif len(self.stack) >= limits.HTML_DEPTH:
            self.skipped[name] += 1
        else:
            self.out.append(f"<{name}{attributes}>")
            self.stack.append(name)

    def close(self, name: str) -> None:
        if self.skipped[name]:
            self.skipped[name] -= 1
            return
        if name in _GROUPS or name == "tr" or name in _CELLS or name == "table":
            walls = frozenset({"table"}) - {name}
        else:
            walls = _WALLS
        self._pop_through({name}, walls)

    def finish(self) -> str:
        self._pop_to(0)
        return "".join(self.out)

    def _end_what_this_ends(self, name: str) -> None:
        if name in _ENDS_PARAGRAPH:
            self._pop_through({"p"}, _WALLS)
        if name == "li":
            self._pop_through({"li"}, _WALLS | {"ul", "ol"})
        elif name in {"dd", "dt"}:
            self._pop_through({"dd", "dt"}, _WALLS | {"dl"})
        elif name == "a":
            self._pop_through({"a"}, _WALLS)
        elif name in _HEADINGS and self.stack and self.stack[-1] in _HEADINGS:
            self._pop_to(len(self.stack) - 1)

    def _make_room_in_table(self, name: str) -> bool:
        """Close what a row or cell cannot stand in. False when there is no table: the tag means nothing."""
        table = next((i for i in range(len(self.stack) - 1, -1, -1) if self.stack[i] == "table"), None)
        if table is None:
            return False
        keep = table + 1
        if name in {"tr", "td", "th"} and keep < len(self.stack) and self.stack[keep] in _GROUPS:
            keep += 1
        if name in {"td", "th"} and keep < len(self.stack) and self.stack[keep] == "tr":
            keep += 1
        if name == "col" and keep < len(self.stack) and self.stack[keep] == "colgroup":
            keep += 1
        self._pop_to(keep)
        return True

    def _pop_through(self, names: set[str], walls: frozenset[str]) -> None:
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] in names:
                self._pop_to(index)
                return
            if self.stack[index] in walls:
                return

    def _pop_to(self, length: int) -> None:
        while len(self.stack) > length:
            self.out.append(f"</{self.stack.pop()}>")
