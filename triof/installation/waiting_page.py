"""The page that the touchscreen shows while the server does not answer: a local file, in both languages."""

from pathlib import Path

from triof.common.atomic_files import replace_file
from triof.common.paths import font_url

_TEMPLATE = Path(__file__).with_name("waiting.html")


class WaitingPage:
    """The page in ``folder``, and beside it a script with the state of the server, which leads it to ``url``."""

    def __init__(self, folder: Path, url: str) -> None:
        """Write the page. Raises OSError."""
        self._state = folder / "state.js"
        self.path = folder / "waiting.html"
        page = _TEMPLATE.read_text("utf-8").replace("$url", url).replace("$font", font_url())
        replace_file(self.path, page.encode())
        self._shown: bool | None = None
        self.show(server_answers=False)

    @property
    def address(self) -> str:
        """The page's address for a browser."""
        return self.path.resolve().as_uri()

    def show(self, *, server_answers: bool) -> None:
        """Write the state; an open page goes to the touchscreen within a second once the server answers."""
        if server_answers is not self._shown:
            replace_file(self._state, f"serverAnswers({str(server_answers).lower()});\n".encode())
            self._shown = server_answers
