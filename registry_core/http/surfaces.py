"""All surfaces of the registry."""

from __future__ import annotations

from registry_core.http import oauth2
from registry_core.http.acr import routes as acr
from registry_core.http.surface import Surface
from registry_core.http.v2 import routes as v2

V2 = v2.SURFACE
ACR = acr.SURFACE
OAUTH2 = oauth2.SURFACE
SURFACES = (V2, ACR, OAUTH2)
NOTHING = Surface("", (), is_private=False)
"""All other paths: there is nothing, whoever asks."""
