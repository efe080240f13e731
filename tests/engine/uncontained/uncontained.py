"""The function app, but the worker is never made to forget: what it keeps shows in its memory."""

import sys

from function_app import app
from functions import worker_memory

__all__ = ["app"]

worker_memory.KEPT = sys.maxsize
