"""Makes the HTML and text of strangers safe to show, and keeps it from telling anybody that it was read.

`clean` is for HTML mail (threats.md, W24, W31), shown in a sandboxed frame all the same; `linkify` for plain
text. nh3 (html5ever) decides tags and attributes by explicit lists; values that name something are decided
here, styles in css. Pure: the caller maps cid: and remote addresses to its own URLs.
"""

from __future__ import annotations

import html as html_escapes
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser

import nh3

from mailcore import limits
from mailcore.message import css, tidy

# Everything goes with its content that is no text for people. (What nh3 does not know it unwraps instead.)
_GONE_WITH_CONTENT = tidy.words(
    "script style title textarea select option object embed applet svg math iframe frameset noframes "
    "noembed noscript template xmp audio video canvas datalist"
)
_ANYWHERE = tidy.words("align bgcolor class dir height id lang style title valign width")
_ATTRIBUTES: dict[str, set[str]] = {
    "*": set(_ANYWHERE),
    "a": {"href", "name"},
    "blockquote": {"type"},
    "br": {"clear"},
    "col": {"span"},
    "colgroup": {"span"},
    "font": {"color", "face", "size"},
    "hr": {"color", "noshade", "size"},
    "img": {"alt", "border", "hspace", "src", "srcset", "vspace"},
    "li": {"type", "value"},
    "ol": {"reversed", "start", "type"},
    "ul": {"type"},
    "table": {"background", "border", "cellpadding", "cellspacing", "summary"},
    "tbody": {"background"},
    "td": {"abbr", "background", "colspan", "headers", "nowrap", "rowspan", "scope"},
    "th": {"abbr", "background", "colspan", "headers", "nowrap", "rowspan", "scope"},
    "time": {"datetime"},
    "tr": {"background"},
}
_SCHEMES = {"http", "https", "mailto", "tel", "cid", "data"}  # narrowed per attribute below

# What browsers ignore in an address: ends of C0 controls and space, tabs and line ends anywhere.
_URL_ENDS = "".join(map(chr, range(0x21)))
_URL_GAPS = str.maketrans("", "", "\t\r\n")
_LINK = re.compile(r"(?:https?://[^/?#]|mailto:|tel:)", re.IGNORECASE | re.ASCII)
_REMOTE = re.compile(r"(?:https?:)?[/\\]{2}", re.IGNORECASE | re.ASCII)
_DATA_IMAGE = re.compile(
    r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/]*={0,2}", re.IGNORECASE | re.ASCII
)
_BODY_TAG = re.compile(r"<body(?=[\s/>])[^<>]{0,4096}>", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """HTML for the inside of a body element: safe without knowing anything about its surroundings.

    has_remote: it has pictures that live elsewhere, whether or not they were let through.
    is_cut: the mail had more than limits allow; what is here is its beginning.
    """

    html: str
    has_remote: bool
    is_cut: bool = False


def clean(
    html: str,
    *,
    allow_remote: bool,
    cid_url: Callable[[str], str | None],
    remote_url: Callable[[str], str | None] = lambda url: url,
) -> Cleaned:
    """html as it may be shown.

    cid_url maps a Content-ID (without its brackets) to the URL of that part, None when there is none.
    remote_url maps a remote picture to where it is fetched, such as our proxy; only asked with allow_remote.
    Never raises on any html; takes time linear in at most limits.HTML_OCTETS of it.
    """
    addresses = _Addresses(allow_remote, cid_url, remote_url)
    text = html[: limits.HTML_OCTETS].encode("utf-8", "replace").decode("utf-8")
    lifted = tidy.lift(text)
    markup = _BODY_TAG.sub(_body_as_div, lifted.html, count=1)
    tags = markup.count("<")
    if tags > limits.HTML_SIMPLE_TAGS:
        markup = tidy.balance(markup)
    body = nh3.clean(
        markup,
        tags=set(tidy.TAGS),
        clean_content_tags=set(_GONE_WITH_CONTENT),
        attributes=_ATTRIBUTES,
        attribute_filter=addresses.attribute,
        url_schemes=_SCHEMES,
        url_relative="pass_through",
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    sheet = css.stylesheet("\n".join(lifted.styles), addresses.picture)
    if sheet:
        body = f"<style>{sheet}</style>{body}"
    return Cleaned(body, addresses.has_remote, len(html) > limits.HTML_OCTETS or tags > limits.HTML_TAGS)


class _Addresses:
    """Decides every attribute that names something, and remembers whether any of it lives elsewhere."""

    def __init__(
        self,
        allow_remote: bool,
        cid_url: Callable[[str], str | None],
        remote_url: Callable[[str], str | None],
    ) -> None:
        self.allow_remote, self.cid_url, self.remote_url = allow_remote, cid_url, remote_url
        self.has_remote = False
        self.styles: dict[str, str] = {}
        self.style_octets = 0

    def attribute(self, tag: str, name: str, value: str) -> str | None:
        """The value to keep, or None. Called by nh3 for every attribute on its lists."""
        if name == "style":
            return self._style(value) or None
        if name == "href":
            return link(value)
        if name in {"src", "background"}:
            return self.picture(value)
        if name == "srcset":  # src says the same; several more addresses to map are not worth it
            self.has_remote = self.has_remote or _REMOTE.search(value) is not None
            return None
        return value

    def picture(self, address: str) -> str | None:
        """Where a picture may come from instead of address; None: nowhere."""
        address = address.translate(_URL_GAPS).strip(_URL_ENDS)
        if _REMOTE.match(address):
            self.has_remote = True
            if not self.allow_remote:
                return None
            scheme, _, rest = address.partition(":") if address[0] not in "/\\" else ("https", "", address)
            return self.remote_url(f"{scheme.lower()}://{rest.lstrip('/' + chr(92))}")
        if address[:4].lower() == "cid:":
            return self.cid_url(urllib.parse.unquote(address[4:]).strip("<>"))
        return address if _DATA_IMAGE.fullmatch(address) else None

    def _style(self, value: str) -> str:
        known = self.styles.get(value)
        if known is None:
            self.style_octets += len(value)
            known = (
                ""
                if self.style_octets > limits.CSS_ATTRIBUTES_OCTETS
                else css.declarations(value, self.picture)
            )
            self.styles[value] = known
        return known


def link(address: str) -> str | None:
    """An address as it may stand in href; None when it is of no kind we follow."""
    address = address.translate(_URL_GAPS).strip(_URL_ENDS)
    return address if _LINK.match(address) else None


class _TagReader(HTMLParser):
    attributes: dict[str, str]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes = {name: value or "" for name, value in attrs}


def _body_as_div(found: re.Match[str]) -> str:
    """A div that looks as the body of the mail would: white text needs its dark ground."""
    reader = _TagReader()
    reader.attributes = {}
    reader.feed(found[0])
    given = reader.attributes
    style = "".join(
        f"{name}:{given[old]};"
        for old, name in (("bgcolor", "background-color"), ("text", "color"))
        if re.fullmatch(r"#?[0-9A-Za-z]{1,30}", given.get(old, ""))
    )
    kept: dict[str, str] = {name: given[name] for name in ("class", "dir", "id", "lang") if name in given}
    kept["style"] = style + given.get("style", "")
    return "<div" + "".join(f' {name}="{html_escapes.escape(value)}"' for name, value in kept.items()) + ">"


# --- Plain text ----------------------------------------------------------------------------------------

# Not in a link: what may turn the reading direction round, and what is never part of an address.
_NO_URL = r"\s<>\"'`\\^{|}\u200e\u200f\u202a-\u202e\u2066-\u2069\x00-\x1f"
_SPOT = re.compile(
    rf"\b(?P<url>https?://[^{_NO_URL}]{{1,2000}}+)"
    rf"|\b(?P<www>www\.[^{_NO_URL}]{{4,2000}}+)"
    r"|(?<![\w.+%@-])(?P<mail>[\w.+%-]{1,64}+@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,63}(?![\w@-]))",
    re.IGNORECASE,
)
_QUOTE = re.compile(r"(?:> ?){1,50}+")
_DEEPEST = 5  # quote levels that look different


def linkify(text: str) -> str:
    """Plain text as HTML: one div a run of lines of one quote level, addresses as links, all else escaped.

    Classes: quote-0 to quote-5 by the number of ">", signature for what follows a "-- " line. White space is
    kept as it is; the style sheet shows it (white-space: pre-wrap).
    """
    out: list[str] = []
    run: list[str] = []
    current = "quote-0"
    for line in re.split(r"\r\n|\r|\n", text):
        mark = _QUOTE.match(line)
        level = min(mark[0].count(">"), _DEEPEST) if mark else 0
        kind = f"quote-{level}"
        if level == 0 and (line == "-- " or current.endswith("signature")):
            kind = "quote-0 signature"
        if kind != current:
            if run:
                out.append(f'<div class="{current}">' + "\n".join(run) + "</div>")
            run, current = [], kind
        run.append(_line(line[mark.end() :] if mark else line))
    out.append(f'<div class="{current}">' + "\n".join(run) + "</div>")
    return "".join(out)


def _line(line: str) -> str:
    out = []
    position = 0
    for spot in _SPOT.finditer(line):
        shown = spot[0] if spot["mail"] else _without_punctuation(spot[0])
        address = {"url": shown, "www": f"http://{shown}", "mail": f"mailto:{shown}"}[spot.lastgroup or "url"]
        target = "" if spot["mail"] else ' target="_blank" rel="noopener noreferrer nofollow"'
        out.append(html_escapes.escape(line[position : spot.start()]))
        out.append(f'<a href="{html_escapes.escape(address)}"{target}>{html_escapes.escape(shown)}</a>')
        position = spot.start() + len(shown)
    out.append(html_escapes.escape(line[position:]))
    return "".join(out)


def _without_punctuation(url: str) -> str:
    """Without the full stop, comma or bracket that belongs to the sentence round it."""
    while url:
        last = url[-1]
        if last in ".,;:!?*_~" or (last in ")]" and url.count(last) > url.count("(["[")]".index(last)])):
            url = url[:-1]
        else:
            break
    return url
