"""Templates that are compiled once a process: each test's app would compile the pages that it shows."""

from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache


class CompiledTemplates(BytecodeCache):
    """Keeps the code of each template by its key, which holds the template's checksum."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if code := self._code.get(f"{bucket.key}-{bucket.checksum}"):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[f"{bucket.key}-{bucket.checksum}"] = bucket.bytecode_to_string()


_SHARED = CompiledTemplates()


def compiled_once(app: Flask) -> Flask:
    """Let ``app`` use the templates that the apps before it have compiled."""
    app.jinja_env.bytecode_cache = _SHARED
    return app
