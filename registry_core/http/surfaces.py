"""All surfaces of the registry."""

from __future__ import annotations

from registry_core.http import oauth2
from registry_core.http.acr import routes as acr
from registry_core.http.page import routes as page
from registry_core.http.v2 import routes as v2

V2 = v2.SURFACE
ACR = acr.SURFACE
OAUTH2 = oauth2.SURFACE
PAGE = page.SURFACE
"""And of all other paths, which lead nowhere, whoever asks."""
SURFACES = (V2, ACR, OAUTH2, PAGE)
