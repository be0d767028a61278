"""It keeps pages to the Content-Security-Policy and style sheets to the tokens (templates/README.md)."""

import re
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SHEETS = sorted(p for p in (ROOT / "static" / "css").glob("*.css") if p.name != "tokens.css")
TOKENS = (ROOT / "static" / "css" / "tokens.css").read_text()

# System mail is no page: mail programs know no style sheets, so its templates are judged elsewhere.
PAGES = [p for p in TEMPLATES if "mail" not in p.relative_to(ROOT / "templates").parts[:1]]

FORBIDDEN_IN_PAGES = {
    "a style attribute": r"""<[^>]*\sstyle\s*=""",
    "a style element": r"<style\b",
    "an event attribute": r"""<[^>]*\son[a-z]+\s*=\s*["']""",
    "an inline script": r"<script(?![^>]*\bsrc=)(?![^>]*application/(?:ld\+)?json)[^>]*>",
    "an htmx attribute that needs eval": r"""\bhx-on\b|hx-(?:vals|headers)=["']js:|hx-trigger=["'][^"']*\[""",
    "a javascript address": r"""(?:href|src|action)=["']?javascript:""",
}
FORBIDDEN_IN_SHEETS = {
    "a literal colour": r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl|oklch)a?\(",
    "a literal size": r"(?<![\w.-])\d*\.?\d*[1-9]\d*(?:px|rem)\b",
    "a font": r"font-family:(?!\s*var\()|@font-face",
    "the theme": r"prefers-color-scheme|\[data-theme=",
}


def offences(text: str, forbidden: dict[str, str]) -> list[str]:
    return [what for what, pattern in forbidden.items() if re.search(pattern, text, re.IGNORECASE)]


def plain(css: str) -> str:
    """css without comments and without media queries, where a variable cannot stand."""
    return re.sub(r"@media[^{]*\{", "{", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_lets_the_policy_be_strict(page: Path) -> None:
    assert offences(page.read_text(), FORBIDDEN_IN_PAGES) == []


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda p: p.name)
def test_takes_colours_sizes_and_fonts_from_the_tokens(sheet: Path) -> None:
    assert offences(plain(sheet.read_text()), FORBIDDEN_IN_SHEETS) == []


@pytest.mark.parametrize(
    ("sample", "what"),
    [
        ('<p style="color:red">', "a style attribute"),
        ("<style>p{}</style>", "a style element"),
        ('<a onclick="x()">', "an event attribute"),
        ("<script>x()</script>", "an inline script"),
        ('<form hx-vals="js:{a: 1}">', "an htmx attribute that needs eval"),
        ('<a hx-trigger="click[event.shiftKey]">', "an htmx attribute that needs eval"),
        ('<a href="javascript:x()">', "a javascript address"),
    ],
)
def test_catches_what_the_policy_would_refuse(sample: str, what: str) -> None:
    assert offences(sample, FORBIDDEN_IN_PAGES) == [what]


@pytest.mark.parametrize(
    ("sample", "what"),
    [
        ("a { color: #fff; }", "a literal colour"),
        ("a { color: rgb(1 2 3); }", "a literal colour"),
        ("a { margin: 0.5rem; }", "a literal size"),
        ("a { border: 1px solid; }", "a literal size"),
        ("a { font-family: Arial; }", "a font"),
        ('[data-theme="dark"] a { color: red; }', "the theme"),
    ],
)
def test_catches_literals_outside_of_the_tokens(sample: str, what: str) -> None:
    assert offences(plain(sample), FORBIDDEN_IN_SHEETS) == [what]


def test_passes_what_is_allowed() -> None:
    page = '<script src="/a.js"></script><script type="application/json">{}</script><option selected>'
    assert offences(page, FORBIDDEN_IN_PAGES) == []
    sheet = "@media (width < 48rem) { a { margin: 0 var(--space-1); width: 100%; } } /* 12px */"
    assert offences(plain(sheet), FORBIDDEN_IN_SHEETS) == []


def test_uses_only_tokens_that_exist() -> None:
    known = set(re.findall(r"(--[a-z0-9-]+):", TOKENS))
    for sheet in SHEETS:
        assert set(re.findall(r"var\((--[a-z0-9-]+)", sheet.read_text())) <= known, sheet.name


def test_uses_only_icons_that_the_sprite_has() -> None:
    sprite = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "static/img/icons.svg").read_text()))
    pattern = r"""_icon\.html" with [^%]*?\bname="([a-z0-9-]+)"|\bicon="([a-z0-9-]+)\""""
    for page in PAGES:
        assert set(filter(None, chain(*re.findall(pattern, page.read_text())))) <= sprite, page.name


def colours(theme: str) -> dict[str, str]:
    light, dark = TOKENS.split("@media (prefers-color-scheme: dark)")
    system, chosen = dark.split(':root[data-theme="dark"]')
    values = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part)) for part in (light, system, chosen)]
    assert values[1] == values[2], "the dark colours stand twice and differ"
    return values[0] if theme == "light" else values[0] | values[1]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_measures_contrast_as_the_standard_does() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_can_be_read_in_both_themes(theme: str) -> None:
    c = colours(theme)
    surfaces = ("canvas", "canvas-hover", "sheet", "sunken", "raised")
    text = [(ink, s) for ink in ("ink", "ink-2", "ink-3", "brand-text") for s in surfaces]
    text += [
        ("ink-2", "brand-soft"),
        ("ink-2", "brand-softer"),
        ("brand-ink", "brand"),
        ("bad-ink", "bad-fill"),
    ]
    text += [(f"{state}-text", f"{state}-soft") for state in ("ok", "wait", "bad", "note", "mute")]
    text += [(f"hue-{n}-text", f"hue-{n}-soft") for n in range(1, 9)]
    marks = [
        ("control-line", "sheet"),
        ("control-line", "canvas"),
        ("focus", "sheet"),
        ("focus", "canvas"),
        ("stamp", "sheet"),
    ]
    marks += [(f"{state}-mark", "sheet") for state in ("ok", "wait", "bad", "note")]
    weak = {(a, b): round(contrast(c[a], c[b]), 2) for a, b in text if contrast(c[a], c[b]) < 4.5}
    weak |= {(a, b): round(contrast(c[a], c[b]), 2) for a, b in marks if contrast(c[a], c[b]) < 3}
    assert weak == {}


def test_stays_light() -> None:
    assert sum(p.stat().st_size for p in (ROOT / "static").rglob("*") if p.is_file()) < 1_500_000
    for folder in filter(Path.is_dir, (ROOT / "static" / "vendor").iterdir()):
        assert re.search(r"-\d+\.\d+\.\d+$", folder.name)
        assert list(folder.glob("LICENSE*")), folder.name
