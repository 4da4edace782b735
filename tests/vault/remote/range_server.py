"""A server of ranges for tests, on a port of its own of 127.0.0.1, that does as the first part of a request's path
says: http://127.0.0.1:PORT/FAULT/ARGUMENTS.../NAME is the file NAME of the folder, with that fault; FAULT is `plain`
for none.

usage: range_server.py FOLDER LOG [CERTIFICATE]

Prints the port, writes a line of JSON for each request to LOG, and ends with its standard input. With a certificate and
its key in one file it speaks https."""

import base64
import hashlib
import http.server
import json
import os
import re
import ssl
import sys
import threading
import time

_STALL_SECONDS = 60
_PIECE = 64 * 1024


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder, log):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.log = log
        self.lock = threading.Lock()
        self.counts = {}

    def count(self, path):
        """How many requests for the path came before."""
        with self.lock:
            count = self.counts.get(path, 0)
            self.counts[path] = count + 1
        return count

    def handle_error(self, request, client_address):
        """Clients that go are no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        """The log is of our own."""

    def do_GET(self):  # pylint: disable=invalid-name
        """Answers as the path says."""
        path = self.path.split("?")[0]
        fault, *arguments, name = path.lstrip("/").split("/")
        before = self.server.count(path)
        try:
            with open(os.path.join(self.server.folder, name), "rb") as file:
                data = file.read()
        except OSError:
            data = None
        answer = _Answer(self, data, before)
        try:
            if data is None:
                answer.fail(404)
            else:
                getattr(answer, fault.replace("-", "_"))(*arguments)
        except OSError:
            self.close_connection = True


class _Answer:
    """One answer. Each public method but send() and fail() is a fault."""

    def __init__(self, handler, data, before):
        self._handler = handler
        self._data = data
        self._before = before
        self._fields = {"ETag": '"%s"' % hashlib.sha256(data or b"").hexdigest()[:16],
                        "Last-Modified": "Sat, 28 Nov 2026 08:00:00 GMT"}
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("Range") or "")
        self._first, self._last = (int(match[1]), int(match[2])) if match else (0, 1 << 62)
        self._last = min(self._last, len(data or b"") - 1)

    def _body(self):
        return self._data[self._first:self._last + 1]

    def _content_range(self, shift=0, total=None):
        return f"bytes {self._first + shift}-{self._last + shift}/{len(self._data) if total is None else total}"

    def _log(self, status, size):
        """Before the answer: who has had it may look for the line."""
        headers = self._handler.headers
        line = {"path": self._handler.path.split("?")[0], "range": headers.get("Range"),
                "if_range": headers.get("If-Range"), "status": status, "bytes": size}
        with self._handler.server.lock:
            print(json.dumps(line), file=self._handler.server.log, flush=True)

    def send(self, status=206, body=None, length=None, **fields):
        """Sends an answer. `length`: what it says of its body; fields that are None are left out."""
        body = self._body() if body is None else body
        wanted = {"Content-Range": self._content_range() if status == 206 else None,
                  "Content-Length": str(len(body) if length is None else length)}
        wanted.update(self._fields)
        wanted.update({name.replace("_", "-"): value for name, value in fields.items()})
        self._log(status, len(body))
        self._handler.send_response(status)
        for name, value in wanted.items():
            if value is not None:
                self._handler.send_header(name, value)
        self._handler.end_headers()
        for at in range(0, len(body), _PIECE):
            self._handler.wfile.write(body[at:at + _PIECE])
        if length is not None and length != len(body):
            self._handler.close_connection = True

    def fail(self, status, **fields):
        """An answer without the file."""
        self.send(status, b"no", **fields)

    def _after(self, count, fault):
        """So many answers as they should be, then the fault."""
        if self._before < int(count):
            self.plain()
        else:
            fault()

    def plain(self):
        if self._first >= len(self._data):
            self.fail(416, Content_Range=f"bytes */{len(self._data)}")
        elif self._handler.headers.get("If-Range") not in (None, self._fields.get("ETag")):
            self.send(200, self._data)
        else:
            self.send()

    def drop(self, after):
        """The connection breaks after so many bytes of each answer."""
        body = self._body()
        self.send(206, body[:int(after)], length=len(body))
        self._handler.close_connection = True

    def truncate(self, after):
        """Each answer has no more bytes, and says so in its length alone."""
        self.send(206, self._body()[:int(after)])

    def ignore(self):
        self.send(200, self._data)

    def ignore_unsized(self):
        self._handler.close_connection = True
        self.send(200, self._data, Content_Length=None)

    def ignore_later(self):
        self._after(1, self.ignore)

    def wrong_range(self):
        self.send(Content_Range=self._content_range(shift=1, total=len(self._data) + 1))

    def wrong_later(self):
        self._after(1, lambda: self.send(Content_Range=self._content_range(shift=-1)))

    def no_range(self):
        self.send(Content_Range=None)

    def bad_range(self):
        self.send(Content_Range="bytes 0-18446744073709551616/x")

    def no_total(self):
        self.send(Content_Range=self._content_range(total="*"))

    def unsatisfied(self):
        self.fail(416, Content_Range=f"bytes */{len(self._data)}")

    def unsatisfied_later(self):
        self._after(1, self.unsatisfied)

    def status_for(self, status, times):
        """So many answers with this status, then the file."""
        if self._before < int(times):
            self.fail(int(status))
        else:
            self.plain()

    def status_later(self, status):
        self._after(1, lambda: self.fail(int(status)))

    def retry_after(self, seconds):
        if self._before == 0:
            self.fail(503, Retry_After=seconds)
        else:
            self.plain()

    def redirect(self):
        self.fail(302, Location=self._handler.path.replace("/redirect/", "/plain/", 1))

    def loop(self):
        self.fail(302, Location=self._handler.path)

    def elsewhere(self):
        """A redirection to what is no server's."""
        self.fail(302, Location="file:///etc/passwd")

    def expiring(self, times):
        """A redirection to a place that serves so many requests."""
        self.fail(302, Location=f"/expired/{times}/{self._before // int(times)}/{self._handler.path.split('/')[-1]}")

    def expired(self, times, _):
        self._after(times, lambda: self.fail(403))

    def etag_changes(self, after):
        if self._before >= int(after):
            self._fields["ETag"] = '"another"'
        self.plain()

    def etag_unasked(self, after):
        """The same of a server that knows no If-Range."""
        if self._before >= int(after):
            self._fields["ETag"] = '"another"'
        self.send()

    def etag_vanishes(self, after):
        if self._before >= int(after):
            del self._fields["ETag"]
        self.send()

    def time_changes(self, after):
        """The same of a server that tells the time alone."""
        del self._fields["ETag"]
        if self._before >= int(after):
            self._fields["Last-Modified"] = "Sat, 28 Nov 2026 09:00:00 GMT"
        self.send()

    def size_changes(self, after):
        self._fields = {}
        grown = len(self._data) + (1 if self._before >= int(after) else 0)
        self.send(Content_Range=self._content_range(total=grown))

    def size_lies(self):
        """A file that is said to be a byte shorter."""
        self._last = min(self._last, len(self._data) - 2)
        self.send(Content_Range=self._content_range(total=len(self._data) - 1))

    def unnamed(self):
        self._fields = {}
        self.send()

    def weak(self):
        self._fields["ETag"] = "W/" + self._fields["ETag"]
        self.send()

    def longer(self):
        """A body that is longer than its range."""
        self.send(body=self._body() + b"x")

    def coded(self):
        self.send(Content_Encoding="gzip")

    def stall(self, after):
        """Each answer pauses for ever after so many bytes."""
        body = self._body()
        self.send(206, body[:int(after)], length=len(body))
        self._handler.wfile.flush()
        time.sleep(_STALL_SECONDS)

    def slow(self, times):
        """The first answers come a little late."""
        if self._before < int(times):
            time.sleep(0.05)
        self.plain()

    def secret(self):
        """Asks for the user `reader` with the password `pass`."""
        expected = "Basic " + base64.b64encode(b"reader:pass").decode()
        if self._handler.headers.get("Authorization") == expected:
            self.plain()
        else:
            self.fail(401, WWW_Authenticate='Basic realm="tests"')


def _main(folder, log_path, certificate=None):
    with open(log_path, "w", encoding="utf-8") as log:
        server = _Server(folder, log)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    _main(*sys.argv[1:])
