"""Reading the JSON files of a function app."""

import json
from pathlib import Path
from typing import Any

from devhost.errors import AppError


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in the file `path`, or an empty one if there is no such file.

    Raises:
        AppError: it is not a JSON object.
    """
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AppError(f"{path.name} is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise AppError(f"{path.name} must be a JSON object")
    return document
