# SPDX-License-Identifier: MIT
"""An HTTP service of a test's own that says who may come in."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service:
    """`answer(question)` gives (status, body[, headers]), or None: then it hangs until the end.
    `questions` are those that came."""

    def __init__(self, answer):
        service = self
        self.answer, self.questions, self.over = answer, [], threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                size = int(self.headers["Content-Length"])
                question = json.loads(self.rfile.read(size))
                question["path"], question["headers"] = self.path, dict(self.headers)
                service.questions.append(question)
                answer = service.answer(question)
                if answer is None:
                    service.over.wait(60)
                    self.close_connection = True
                    return
                status, body, *more = answer
                body = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                for name, value in (more[0] if more else {}).items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass   # who asked has heard enough

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
