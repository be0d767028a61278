"""Which CSS of a mail is kept: listed properties, harmless values, addresses only as the caller maps them.

On tinycss2, so that what is judged is what a browser reads, escapes and comments undone. Called by sanitize.
Everything is written out again from the parsed tokens; nothing is kept that was not understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tinycss2
from tinycss2.ast import IdentToken, URLToken
from tinycss2.serializer import serialize_string_value

from mailcore import limits
from mailcore.message.tidy import words

Url = Callable[[str], str | None]  # the address to use instead, or None: leave it out

# Nothing here can leave its box (no position, z-index, transform), move, or make anything happen.
_PROPERTIES = words(
    """
    background background-color background-image background-position background-repeat background-size
    background-clip background-origin border-collapse border-spacing border-radius box-shadow box-sizing
    border-top-left-radius border-top-right-radius border-bottom-left-radius border-bottom-right-radius
    caption-side clear color column-gap direction display empty-cells float font font-family font-size
    font-stretch font-style font-variant font-weight gap height letter-spacing line-height list-style
    list-style-image list-style-position list-style-type max-height max-width min-height min-width
    object-fit opacity order outline outline-color outline-style outline-width overflow overflow-wrap
    overflow-x overflow-y page-break-after page-break-before page-break-inside quotes row-gap
    table-layout text-align text-align-last text-decoration text-decoration-color text-decoration-line
    text-decoration-style text-indent text-overflow text-shadow text-transform unicode-bidi
    vertical-align visibility white-space width word-break word-spacing word-wrap align-content
    align-items align-self flex flex-basis flex-direction flex-flow flex-grow flex-shrink flex-wrap
    justify-content justify-items justify-self
    """
)
_PREFIXES = re.compile(
    r"(?:margin|padding|border)(?:-(?:top|right|bottom|left|inline|block))?(?:-(?:color|style|width))?"
)
_WITH_ADDRESS = frozenset({"background", "background-image", "list-style", "list-style-image"})
_FUNCTIONS = words("rgb rgba hsl hsla calc min max clamp linear-gradient radial-gradient")
_VALUE_TOKENS = words("whitespace ident number percentage dimension hash string")
_SELECTOR_TOKENS = _VALUE_TOKENS | {"literal", "[] block", "() block", "function"}
_OPENING = re.compile(r"[(\[{]|[)\]}]")


def declarations(css: str, url: Url) -> str:
    """What may stand in a style attribute, of what stood there: `color:red;width:3px`."""
    if len(css) > limits.CSS_ATTRIBUTE_OCTETS or _too_nested(css):
        return ""
    parsed = tinycss2.parse_blocks_contents(css, skip_comments=True, skip_whitespace=True)
    return ";".join(_declarations(parsed, url))


def stylesheet(css: str, url: Url) -> str:
    """What may stand in a style element: plain rules, and those within @media. Has no < in it."""
    if len(css) > limits.CSS_OCTETS or _too_nested(css):
        return ""
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    return "\n".join(_rules(rules, url, within_media=False)).replace("<", "\\3c ")


def _too_nested(css: str) -> bool:
    """Whether brackets stand deeper than we follow; the parser and the serialiser would recurse."""
    depth = 0
    for bracket in _OPENING.findall(css):
        depth += 1 if bracket in "([{" else -1 if depth else 0
        if depth > limits.CSS_DEPTH:
            return True
    return False


def _rules(rules: Iterable[Any], url: Url, *, within_media: bool) -> list[str]:
    out = []
    for rule in rules:
        if rule.type == "qualified-rule" and _is_harmless(rule.prelude, _SELECTOR_TOKENS):
            parsed = tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True)
            if kept := ";".join(_declarations(parsed, url)):
                out.append(f"{tinycss2.serialize(rule.prelude).strip()}{{{kept}}}")
        elif (
            rule.type == "at-rule" and rule.lower_at_keyword == "media" and rule.content and not within_media
        ):
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            kept = "".join(_rules(inner, url, within_media=True))
            if kept and _is_harmless(rule.prelude, _SELECTOR_TOKENS):
                out.append(f"@media {tinycss2.serialize(rule.prelude).strip()}{{{kept}}}")
    return out


def _declarations(parsed: Iterable[Any], url: Url) -> list[str]:
    out = []
    for item in parsed:
        if item.type != "declaration":
            continue
        name = item.lower_name
        if name not in _PROPERTIES and not _PREFIXES.fullmatch(name):
            continue
        value = _value(item.value, url if name in _WITH_ADDRESS else None)
        if value is not None and (text := tinycss2.serialize(value).strip()):
            out.append(f"{name}:{text}{' !important' if item.important else ''}")
    return out


def _value(tokens: Sequence[Any], url: Url | None) -> list[Any] | None:
    """The tokens of a value with its addresses mapped; None when something in it is not harmless."""
    out = []
    for token in tokens:
        if token.type == "comment":
            continue
        address = _address(token)
        if address is not None:
            if url is None:
                return None
            mapped = url(address)
            out.append(_url_token(token, mapped))
        elif not _is_harmless([token], _VALUE_TOKENS):
            return None
        else:
            out.append(token)
    return out


def _address(token: Any) -> str | None:
    if token.type == "url":
        return str(token.value)
    if token.type == "function" and token.lower_name == "url":
        strings = [t for t in token.arguments if t.type not in {"whitespace", "comment"}]
        return str(strings[0].value) if len(strings) == 1 and strings[0].type == "string" else ""
    return None


def _url_token(token: Any, address: str | None) -> Any:
    """`none` where an address is left out, so that the colour beside it stays."""
    if address is None:
        return IdentToken(token.source_line, token.source_column, "none")
    return URLToken(
        token.source_line, token.source_column, address, f'url("{serialize_string_value(address)}")'
    )


def _is_harmless(tokens: Iterable[Any], kinds: frozenset[str]) -> bool:
    for token in tokens:
        if token.type == "function":
            if kinds is _VALUE_TOKENS and token.lower_name not in _FUNCTIONS:
                return False
            if not _is_harmless(token.arguments, kinds):
                return False
        elif token.type == "() block" or (token.type == "[] block" and kinds is _SELECTOR_TOKENS):
            if not _is_harmless(token.content, kinds):
                return False
        elif token.type == "literal":
            if kinds is _VALUE_TOKENS and token.value not in ",/+-*":
                return False
        elif token.type not in kinds and token.type != "comment":
            return False
    return True
