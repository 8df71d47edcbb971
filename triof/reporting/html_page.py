"""Reports as single HTML files with embedded pictures, which load nothing."""

import base64
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from triof import __version__
from triof.common.atomic_files import replace_file
from triof.common.errors import TriofError
from triof.common.paths import font_url
from triof.reporting.page_templates import page_templates
from triof.settings.names import may_hold_key

_JPEG_QUALITY = 80


class ReportUnwritable(TriofError):
    """The page cannot be written; the message says why and what to do."""


def write(path: Path, template: str, language: str = "en", **values: Any) -> None:
    """Render ``templates/reports/<template>`` in ``language`` to ``path`` atomically. Raises ReportUnwritable."""
    page = page_templates(language).get_template(f"reports/{template}")
    common = {
        "command": command(sys.argv),
        "made_at": datetime.now().astimezone(),
        "version": __version__,
        "font_url": font_url(),
    }
    try:
        replace_file(path, page.render(common | values).encode(), 0o644)
    except OSError as error:
        raise ReportUnwritable(
            f"The page {path} cannot be written ({error.strerror}): name another place with --report, or leave it"
            " with --no-report."
        ) from error


def thumbnail(picture: Image.Image, side: int = 160) -> str:
    """Return the picture as a ``data:`` URL, its longer side at most ``side`` pixels."""
    small = picture.copy()
    small.thumbnail((side, side))
    jpeg = BytesIO()
    small.convert("RGB").save(jpeg, "JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.getvalue()).decode()}"


def command(arguments: Sequence[str]) -> str:
    """Return the command line that recreates the page, without secrets."""
    program, *rest = arguments
    follows = zip([program, *rest], rest, strict=False)
    return shlex.join([Path(program).name, *(_without_key(before, argument) for before, argument in follows)])


def _without_key(before: str, argument: str) -> str:
    name, equals, _ = argument.removeprefix("--set=").partition("=")
    is_setting = before == "--set" or argument.startswith("--set=")
    if not (is_setting and equals and may_hold_key(name)):
        return argument
    return f"{'--set=' * argument.startswith('--set=')}{name}=…"
