# SPDX-License-Identifier: MIT
"""MQTT.js and Paho JS over WebSocket, plain and in TLS, in node and in a real Chromium.

A page that comes from elsewhere than the broker connects if it is listed (websockets_origin), and
does not if it is not: who refuses is the broker, who asks is the browser. Chromium runs once for
all; each run of the conversation in web/exchange.js is a test.
"""
import base64
import functools
import hashlib
import http.server
import subprocess
import threading
import uuid
from urllib.parse import urlencode

import pytest

from interop_broker import Broker
from interop_clients import HERE
from interop_process import Child, run

RUNS = [("mqtt.js", 4), ("mqtt.js", 5), ("paho-js", 4)]
FILES = {
    "/page.html": HERE / "web/page.html", "/exchange.js": HERE / "web/exchange.js",
    "/mqtt.min.js": HERE / "node_modules/mqtt/dist/mqtt.min.js",
    "/paho-mqtt.js": HERE / "node_modules/paho-mqtt/paho-mqtt.js",
}
SECONDS = 120

each_run = pytest.mark.parametrize("library, version", RUNS)
each_scheme = pytest.mark.parametrize("scheme", ("ws", "wss"))
pytestmark = pytest.mark.needs("mqtt.js", "paho-js")


class Pages(http.server.BaseHTTPRequestHandler):
    """The page and its scripts, from another port than the broker's."""

    def do_GET(self):
        path = FILES.get(self.path.partition("?")[0])
        if path is None:
            self.send_error(404)
            return
        data = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if path.suffix == ".html"
                         else "text/javascript")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def pages():
    """The port that pages come from."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """(certificate, key): signed by itself, for 127.0.0.1."""
    directory = tmp_path_factory.mktemp("certificate")
    paths = directory / "cert.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout",
                    paths[1]], check=True, capture_output=True)
    return paths


@pytest.fixture(scope="module")
def web_broker(tmp_path_factory, certificate, pages):
    """One port for ws and wss. Pages of 127.0.0.1 are listed, and no others."""
    broker = Broker(tmp_path_factory.mktemp("web"), "--tls", "also", "--certfile", certificate[0],
                    "--keyfile", certificate[1], "--websockets-origin",
                    f"http://127.0.0.1:{pages}").start()
    yield broker
    broker.stop()


@each_scheme
@each_run
def test_node(web_broker, certificate, library, version, scheme):
    stem = f"t{uuid.uuid4().hex[:10]}"
    output = run(["node", HERE / "web/node.js", library, version,
                  f"{scheme}://127.0.0.1:{web_broker.port}/mqtt", stem, certificate[0]])
    assert output.decode().strip() == f"VERDICT node {library} {version} {scheme} good"


def spki_hash(certificate):
    """By which Chromium is told to believe this certificate, and no other."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-pubkey", "-noout"], check=True,
                         capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key, check=True,
                         capture_output=True).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


@pytest.fixture(scope="module")
def chromium(web_broker, certificate, pages, tmp_path_factory):
    """A function: browse(who, host) opens the page as it comes from `host` and returns the
    verdicts, by what they are of."""
    profiles = tmp_path_factory.mktemp("chromium")

    @functools.cache
    def browse(who, host):
        urls = [("url", f"{scheme}://127.0.0.1:{web_broker.port}/mqtt") for scheme in ("ws", "wss")]
        query = urlencode([("who", who), ("stem", f"t{uuid.uuid4().hex[:10]}"), *urls])
        child = Child(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
                       "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                       "--disable-background-networking", "--enable-logging=stderr",
                       "--log-level=0", f"--user-data-dir={profiles / who}",
                       f"--ignore-certificate-errors-spki-list={spki_hash(certificate[0])}",
                       f"http://{host}:{pages}/page.html?{query}"], HOME=str(profiles))
        try:
            count = len(RUNS) * len(urls)
            child.wait_for(lambda output: len(verdicts(output, who)) == count,
                           f"{count} verdicts of the page", SECONDS)
            return verdicts(child.output(), who)
        finally:
            child.stop()
    return browse


def verdicts(output, who):
    """{"mqtt.js 5 ws": "good", ...}; Chromium wraps a console's line in its own."""
    found = {}
    for line in output.decode("utf-8", "replace").splitlines():
        _, mark, rest = line.partition(f"VERDICT {who} ")
        if mark:
            library, version, scheme, verdict = rest.split(" ", 3)
            found[f"{library} {version} {scheme}"] = verdict.rpartition('", source')[0]
    return found


@pytest.mark.needs("mqtt.js", "paho-js", "chromium")
@each_scheme
@each_run
def test_chromium(chromium, library, version, scheme):
    assert chromium("listed", "127.0.0.1")[f"{library} {version} {scheme}"] == "good"


@pytest.mark.needs("mqtt.js", "paho-js", "chromium")
def test_a_page_that_is_not_listed(chromium, web_broker):
    """The same page, but from localhost: to a browser that is another origin."""
    found = chromium("foreign", "localhost")
    assert len(found) == 2 * len(RUNS)
    assert "good" not in found.values()
    assert b"websockets_origin" in web_broker.child.output()
