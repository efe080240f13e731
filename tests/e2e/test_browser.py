"""A page of another origin reads the registry in a real browser (`REGISTRY_CORS_ORIGINS`)."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from devhost.processes.azurite import Azurite
from tests.e2e.images import Image, Layer, digest_of, tar
from tests.e2e.process import run
from tests.e2e.registry import ROOT, Registry

PAGE = """<body>waiting<script>
const registry = "REGISTRY", told = {};
async function ask(path, authorization, method = "GET") {
  const headers = authorization ? {Authorization: authorization} : {};
  return await fetch(registry + path, {method, headers});
}
async function look() {
  const first = await ask("/v2/");
  told.challenge = first.status + " " + first.headers.get("www-authenticate").split(" ")[0];
  const scope = "repository:a:pull,push,delete", service = new URL(registry).host;
  const query = new URLSearchParams({service, scope});
  const answer = await ask("/oauth2/token?" + query, "Basic " + btoa("admin:PASSWORD"));
  const token = "Bearer " + (await answer.json()).access_token;
  const manifest = await ask("/v2/a/manifests/v1", token);
  told.digest = manifest.headers.get("docker-content-digest");
  const blob = await ask("/v2/a/blobs/LAYER", token);
  told.blob = blob.status + " " + (await blob.arrayBuffer()).byteLength;
  try {
    told.deleted = (await ask("/v2/a/manifests/v1", token, "DELETE")).status;
  } catch (error) {
    told.deleted = "refused by the browser";
  }
}
look().catch(error => { told.error = String(error); })
  .finally(() => { document.body.textContent = JSON.stringify(told); });
</script>"""


@contextmanager
def serving(pages: dict[str, bytes]) -> Iterator[str]:
    """Serves a page of an origin of its own, and answers that."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(pages["page"])

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name is given
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()


def test_a_page_of_a_configured_origin_alone_reads_and_changes_nothing(
    scratch: Path, environment: dict[str, str]
) -> None:
    image = Image((Layer(tar({"file": b"for a page"})),))
    layer = image.layers[0].content
    pages: dict[str, bytes] = {}
    with (
        serving(pages) as origin,
        serving(pages) as other,
        Azurite(scratch / "storage") as storage,
    ):
        storage.let_pages_read()  # As the development host does for the storage that it starts.
        registry = Registry(
            scratch / "registry",
            storage=storage.connection_string,
            settings={"REGISTRY_CORS_ORIGINS": origin},
        )
        try:
            registry.push_image("a", "v1", image)
            page = PAGE.replace("REGISTRY", f"http://{registry.address}")
            page = page.replace("PASSWORD", registry.password)
            pages["page"] = page.replace("LAYER", digest_of(layer)).encode()
            told = {where: looked(where, scratch, environment) for where in (origin, other)}
        finally:
            registry.stop()
    assert told[origin] == {
        "challenge": "401 Bearer",
        "digest": image.digest,
        "blob": f"200 {len(layer)}",
        "deleted": "refused by the browser",
    }
    assert set(told[other]) == {"error"}


def looked(address: str, scratch: Path, environment: dict[str, str]) -> dict[str, Any]:
    """What a page says that was opened in a browser."""
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=60000"]
    profile = f"--user-data-dir={scratch / 'profile'}"
    command = ["chromium", *options, profile, "--dump-dom", f"{address}/"]
    shown = run(command, env=environment, cwd=ROOT).text
    found = re.search(r"<body>(.*)</body>", shown, re.DOTALL)
    assert found, shown
    answer: dict[str, Any] = json.loads(unescape(found[1]))
    return answer
