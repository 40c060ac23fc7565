"""A REST server that answers by a script, for the tests of those who ask it."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from tfdeconv.labels import encode_png

LABELS = np.array([[0, 2, 2], [2, 2, 1]], np.uint8)
OUTPUTS = {
    "labels_png_bytes": [{"b64": base64.b64encode(encode_png(LABELS)).decode()}],
    "class_names": [["sky", "Größe", "ground", ""]],
    "class_shares": [[4 / 6, 1 / 6, 1 / 6, 0.0]],
    "class_ids": [[2, 0, 1, -1]],
}
GOOD = (200, {"outputs": OUTPUTS})


class Scripted(ThreadingHTTPServer):
    """Gives the answers of a list, the last one for ever, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, *answers) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = list(answers), []
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, json.loads(body)))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            return answer(self)
        status, content = answer
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_) -> None:
        pass
