# SPDX-License-Identifier: Apache-2.0
"""Pages from templates and pictures from elements; no name of a model becomes a tag in either."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mcuplan.report._text import shape_text
from mcuplan.safe_text import plain
from mcuplan.units import counted, format_si

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["canvas", "digest", "draw", "own", "rendered", "written"]


def rendered(template: str, values: Mapping[str, object]) -> str:
    """A template of this package with values in it: pictures, and escaped lines of text; ASCII."""
    text = _environment().get_template(template).render(values)
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def own(template: str) -> Markup:
    """A template without values as it is: a style, a script."""
    from markupsafe import Markup

    return Markup(rendered(template, {}))


def digest(text: str) -> str:
    """What a content security policy calls a style or script by."""
    made = hashlib.sha256(text.encode("ascii")).digest()
    return f"sha256-{base64.b64encode(made).decode('ascii')}"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters |= {
        "counted": counted,
        "grouped": "{:,}".format,
        "shape": shape_text,
        "si": format_si,
    }
    return found


def _shown(value: object) -> object:
    """What a template shows of a value, still to be escaped unless it is markup."""
    from markupsafe import Markup

    if isinstance(value, Element):
        return Markup(written(value))  # escaped when it was written
    return _plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _plain(text: str) -> str:
    return plain(text, unicode=True)


def canvas(width: int, height: int, attributes: Mapping[str, str]) -> Element:
    """An empty picture; its style is the template ``map.css``."""
    space = {"class": "map", "xmlns": "http://www.w3.org/2000/svg"}
    found = Element("svg", space | {name: _plain(text) for name, text in attributes.items()})
    found.attrib |= {"viewBox": f"0 0 {width} {height}", "width": str(width), "height": str(height)}
    return found


def draw(parent: Element, tag: str, attributes: Mapping[str, str | float], *lines: str) -> Element:
    """Add a shape to a picture; lengths that are no integers have two decimals."""
    shown = {
        name: f"{value:.2f}" if isinstance(value, float) else _plain(str(value))
        for name, value in attributes.items()
    }
    shape = SubElement(parent, tag, shown)
    shape.text = "\n".join(map(_plain, lines)) or None
    return shape


def written(picture: Element) -> str:
    """A picture as XML in ASCII, one shape a line."""
    indent(picture, "")
    text: bytes = tostring(picture, "us-ascii")
    return text.decode("ascii")
