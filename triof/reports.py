"""Pages that people look at: one HTML file each, which carries its pictures and loads nothing."""

import base64
import shlex
import sys
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from triof import __version__
from triof.durable import replace_file
from triof.paths import TEMPLATES

_JPEG_QUALITY = 80


def write(path: Path, template: str, **values: Any) -> None:
    """Render ``templates/reports/<template>`` into ``path``, whole or not at all. Raises OSError."""
    page = _templates().get_template(f"reports/{template}")
    common = {"command": _command(), "made_at": datetime.now().astimezone(), "version": __version__}
    replace_file(path, page.render(common | values).encode(), 0o644)


def thumbnail(picture: Image.Image, side: int = 160) -> str:
    """The picture as a ``data:`` address, its longer side at most ``side`` pixels."""
    small = picture.copy()
    small.thumbnail((side, side))
    jpeg = BytesIO()
    small.convert("RGB").save(jpeg, "JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.getvalue()).decode()}"


@cache
def _templates() -> Environment:
    loader = FileSystemLoader(TEMPLATES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _command() -> str:
    """The command line that makes the page again."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
