"""The pages of our reports: one HTML file each with its pictures in it, which needs no network and runs no script."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def render_page(
    template: str, content: Mapping[str, Any], filters: Mapping[str, Callable[..., Any]] | None = None
) -> str:
    """Fill in a template of ours, by its path in the package; it extends ``report_page.html.jinja``.

    ``made`` is in the content besides: the time of now.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Names come from files of others: everything is escaped.
    environment = Environment(
        loader=PackageLoader("napari_micromri", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters or {}
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return environment.get_template(template).render(content, made=made)
