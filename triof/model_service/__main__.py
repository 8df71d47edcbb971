"""The service's command: ``python -m triof.model_service`` in an image, and what a ``.pyz`` runs."""

import argparse
import os
import sys
from contextlib import closing
from pathlib import Path

# Before numpy is imported: idle threads of OpenBLAS would spin.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from triof.common.errors import TriofError
from triof.model_service import key_file, served

SERVED = Path(__file__).with_name("served")
KEY_FILE = "TRIOF_MODEL_KEYS"


def main() -> int:
    """Serve until stopped; returns the exit code."""
    parser = argparse.ArgumentParser(prog="triof-model", description="Serve a model: POST photos to /api/v2/predict.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this computer alone)")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument(
        "--keys",
        type=Path,
        default=os.environ.get(KEY_FILE, "keys.txt"),
        help=f"file with an API key in each line (default: {KEY_FILE}, or keys.txt)",
    )
    parser.add_argument("--threads", type=int, default=8, help="requests at the same time")
    options = parser.parse_args()
    try:
        _serve(options)
    except (TriofError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _serve(options: argparse.Namespace) -> None:
    from triof.judging.decoding.budget import return_freed_memory
    from triof.model_service.app import create_app
    from triof.settings.sections.server import ServerSettings
    from triof.web.server import Server, stopped_by_signals

    return_freed_memory()
    settings = served.read(SERVED)
    keys = key_file.KeyFile(key_file.read(options.keys), settings.api.per_minute)
    address = ServerSettings(host=options.host, port=options.port, threads=options.threads)
    with closing(served.build_sorter(SERVED, settings)) as sorter:
        app = create_app(sorter, settings, keys)
        server = Server(app, address, max(app.config["MAX_CONTENT_LENGTH"], settings.api.batch_bytes))
        with stopped_by_signals(server):
            print(f"{settings.version} answers: http://{options.host}:{options.port}/api/v2/predict", flush=True)  # noqa: T201
            server.run()


if __name__ == "__main__":
    sys.exit(main())
