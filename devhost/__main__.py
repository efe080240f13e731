"""`python -m devhost`: see `--help`."""

import argparse
import os
import sys
from pathlib import Path

from devhost.errors import DevhostError
from devhost.run import run
from devhost.settings import Options

_ENVIRONMENT = """
environment:
  PORT                        port to serve on (7071); 0 picks a free one
  HOST                        address to listen on (127.0.0.1)
  DATA_DIR                    folder for Azurite's data, the admin password and the status of
                              timers (.data)
  AZURITE_BLOB_PORT, AZURITE_QUEUE_PORT, AZURITE_TABLE_PORT
                              Azurite's ports (10000 to 10002, or others if these are taken)
  TLS_CERT, TLS_KEY           certificate and key (PEM) to serve https, also from Azurite;
                              `make cert` makes them
  RegistryStorage             storage to use instead of starting Azurite
  REGISTRY_*                  settings of the registry; they win over local.settings.json
  FUNCTIONS_REQUEST_BODY_SIZE_LIMIT
                              largest request body in bytes (2 GiB)
  FORWARDED_HEADERS           how functions are told who called: own (the default) writes Host and
                              X-Forwarded-* as newer releases of the host do, kept leaves them
  AzureWebJobsDisableHomepage true leaves / to the app; false shows the host's page (true)
  LOG_FORMAT                  text or json (text at a terminal, otherwise json)
  LOG_LEVEL                   DEBUG, INFO, WARNING or ERROR
  others                      settings that a trigger names, such as %SCHEDULE% or a connection
"""


def main() -> int:
    """Run the development host and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m devhost",
        description=(
            "Run the function app on this machine: its HTTP, timer and queue triggers. Azurite "
            "emulates the storage."
        ),
        epilog=_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, help="port to serve on; 0 picks a free one")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument(
        "--app-dir",
        type=Path,
        default=Path.cwd(),
        help="folder of function_app.py (the current folder)",
    )
    arguments = parser.parse_args()
    try:
        options = Options.read(
            os.environ,
            app_dir=arguments.app_dir.resolve(),
            host=arguments.host,
            port=arguments.port,
        )
        run(options, os.environ)
    except DevhostError as error:
        print(f"devhost: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
