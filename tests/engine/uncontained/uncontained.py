"""The function app, but the worker is never made to forget: what it keeps shows in its memory."""

import sys

import worker_memory
from function_app import app

__all__ = ["app"]

worker_memory.KEPT = sys.maxsize
