"""A complete receiver for a school's own system, on the published Standard Webhooks library.

    pip install -r requirements.txt
    WEBHOOK_SECRET_FILE=secret.txt python receiver.py serve     # HOST, PORT and DATABASE may be set, too
    python receiver.py export                                   # the roster, as JSON lines

The rules it follows: verify over the raw bytes, before anything is parsed; apply each message once, by its id; apply only
a newer version of a student; remember who left, so that a late message cannot bring them back; answer 2xx only after the
commit. A message that cannot be stored is answered 503: the provider keeps it and sends it again.
"""

import json
import os
import sqlite3
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

MAX_BODY_BYTES = 256 * 1024
UPSERTS = {"student.created", "student.updated", "student.enrolled"}
REMOVALS = {"student.withdrawn", "student.deleted"}

SCHEMA = """
CREATE TABLE IF NOT EXISTS message (id TEXT PRIMARY KEY);
-- `record` is NULL for a student who left: only the version is kept.
CREATE TABLE IF NOT EXISTS student (sourced_id TEXT PRIMARY KEY, version INTEGER NOT NULL, record TEXT);
"""


def secrets():
    """One secret, or two while the provider rotates: separated by spaces or lines, newest first."""
    path = os.environ.get("WEBHOOK_SECRET_FILE")
    if path:
        with open(path, encoding="ascii") as file:
            return file.read().split()
    return os.environ.get("WEBHOOK_SECRET", "").split()


def database():
    path = os.environ.get("DATABASE", "roster.db")
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    # A 2xx is a promise: the commit must survive a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(SCHEMA)
    return connection


def is_authentic(keys, body, headers):
    for key in keys:
        try:
            Webhook(key).verify(body, headers, json_parse=False)
            return True
        # The library answers ValueError where a header or the body is no text that it can read.
        except (WebhookVerificationError, ValueError):
            continue
    return False


def apply(connection, message_id, event):
    """Stores one verified event; answers the HTTP status."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        new = connection.execute("INSERT OR IGNORE INTO message (id) VALUES (?)", (message_id,)).rowcount == 1
        status = 200
        if new and event["type"] in UPSERTS:
            student = event["data"]["object"]
            record = json.dumps(student, ensure_ascii=False, separators=(",", ":"))
            put(connection, student["sourcedId"], student["version"], record)
        elif new and event["type"] in REMOVALS:
            put(connection, event["data"]["sourcedId"], event["data"]["version"], None)
        elif new:
            # connection.test, roster.checkpoint and what a later provider may send: nothing to apply, and no error.
            status = 202
        connection.execute("COMMIT")
        return status
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def put(connection, sourced_id, version, record):
    connection.execute(
        """INSERT INTO student (sourced_id, version, record) VALUES (?, ?, ?)
           ON CONFLICT (sourced_id) DO UPDATE SET version = excluded.version, record = excluded.record
           WHERE excluded.version > student.version""",
        (sourced_id, version, record),
    )


class Server(ThreadingHTTPServer):
    # The provider opens many connections at once; the usual queue of five would refuse some.
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, address):
        super().__init__(address, Handler)
        self.database = database()
        # SQLite has one writer at a time anyway.
        self.writing = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # No request may hold a thread for ever.
    timeout = 30

    def do_POST(self):
        if self.path != "/webhook":
            return self.answer(404)
        try:
            length = int(self.headers.get("content-length", ""))
        except ValueError:
            return self.answer(411)
        if not 0 <= length <= MAX_BODY_BYTES:
            return self.answer(413)
        body = self.rfile.read(length)
        keys = secrets()
        if not keys:
            # Not 401: the provider would count it as our refusal. 503 means: later.
            return self.answer(503)
        if not is_authentic(keys, body, {name.lower(): value for name, value in self.headers.items()}):
            return self.answer(401)
        try:
            event = json.loads(body)
            if event["id"] != self.headers["webhook-id"]:
                return self.answer(400)
            with self.server.writing:
                status = apply(self.server.database, event["id"], event)
            self.answer(status)
        except sqlite3.Error:
            self.answer(503)
        except (ValueError, KeyError, TypeError):
            self.answer(400)

    def answer(self, status):
        self.send_response(status)
        if status >= 400:
            # What is left of the request must not be read as the next one. Said, so that the sender does not try.
            self.send_header("connection", "close")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Student data has no place in a log; keep what you need by id."""


def serve():
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8090")))
    server = Server(address)
    print(f"listening on http://{server.server_address[0]}:{server.server_address[1]}/webhook", flush=True)
    server.serve_forever()


def export():
    for (record,) in database().execute("SELECT record FROM student WHERE record IS NOT NULL ORDER BY sourced_id"):
        sys.stdout.buffer.write(record.encode() + b"\n")


if __name__ == "__main__":
    {"serve": serve, "export": export}[sys.argv[1] if len(sys.argv) > 1 else "serve"]()
