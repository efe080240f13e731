"""A domain's certificate, and who may read the registry from a page on another one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.infra.templates import Templates

_REGION = "infra/modules/region.bicep"
_STORAGE = "infra/modules/storage.bicep"
_CERTIFICATE = "infra/modules/managed-certificate.bicep"
_NEEDED_BY_CLIENTS = {"Content-Length", "Content-Range", "Content-Type", "ETag", "Accept-Ranges"}


def certificates(templates: Templates) -> Iterator[str]:
    """Azure issues a certificate for a name that is bound; then the name is bound with it."""
    modules = {module.symbol: module for module in templates.file(_REGION).modules}
    waits_for = modules["domainCertificate"].body.get("dependsOn")
    if [each.text for each in waits_for or []] != ["domain"]:
        yield f"{_REGION}: a certificate is issued only after the domain was bound without one"
    resources = {each.symbol: each.body for each in templates.file(_CERTIFICATE).resources}
    if "canonicalName" not in resources["certificate"]["properties"]:
        yield f"{_CERTIFICATE}: canonicalName is what makes it one that Azure issues"
    binding = resources["binding"]["properties"]
    by = getattr(binding.get("thumbprint"), "text", "")
    if binding["sslState"] != "SniEnabled" or by != "certificate.properties.thumbprint":
        yield f"{_CERTIFICATE}: the domain is not bound with the certificate"


def cors(templates: Templates) -> Iterator[str]:
    """Pages may read blobs by a signed address, where that is wanted, and do nothing else."""
    text = templates.texts[_STORAGE]
    lists = {
        name: set(re.findall(r"'([^']+)'", values))
        for name, values in re.findall(r"(\w+): \[((?:'[^']+'(?:, )?)+)\]", text)
    }
    if "corsRules: empty(corsOrigins) ? [] :" not in text:
        yield f"{_STORAGE}: without origins there are no rules"
    if lists.get("allowedMethods") != {"GET", "HEAD"}:
        yield f"{_STORAGE}: pages may read, and no more"
    if lists.get("allowedOrigins") != {"*"}:
        yield f"{_STORAGE}: after a redirect a browser's origin is null, which no list has"
    for header in sorted(_NEEDED_BY_CLIENTS - lists.get("exposedHeaders", set())):
        yield f"{_STORAGE}: {header} is not exposed"
    if "range" not in lists.get("allowedHeaders", set()):
        yield f"{_STORAGE}: a part of a blob cannot be asked for"
    modules = {module.symbol: module for module in templates.file(_REGION).modules}
    if modules["hostStorage"].body["params"]["corsOrigins"] != []:
        yield f"{_REGION}: no page reads the host's storage"
