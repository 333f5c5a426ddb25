"""Pages made of templates: each one file that needs no network, written whole or not at all."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs
from plotly.utils import PlotlyJSONEncoder

from geniex.files import replacing

__all__ = ["plain", "render", "write"]


def render(template: str, figures: Mapping[str, go.Figure], values: Mapping[str, Any]) -> str:
    """A page as HTML text.

    Args:
        template: name of a file of this package.
        figures: drawn where the template has a place of that name.
        values: what the template shows. Text in them is escaped.
    """
    environment = Environment(
        loader=PackageLoader("geniex.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = {name: json.loads(json.dumps(figure, cls=PlotlyJSONEncoder)) for name, figure in figures.items()}
    return environment.get_template(template).render(figures=drawn, plotly_js=get_plotlyjs(), **values)


def write(path: str | os.PathLike[str], text: str) -> None:
    """Write a page; until it is complete, an older one stays as it is. Its folder is made if need be."""
    with replacing(Path(path)) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


def plain(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The same tree of dictionaries, lists, numbers and texts; anything else, such as a path, as text."""
    return json.loads(json.dumps(tree, default=str))
