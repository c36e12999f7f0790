// A complete receiver for a school's own system, on the published Standard Webhooks library.
//
//     npm install
//     WEBHOOK_SECRET_FILE=secret.txt node receiver.mjs serve     # HOST, PORT and JOURNAL may be set, too
//     node receiver.mjs export                                   # the roster, as JSON lines
//
// The rules it follows: verify over the raw bytes, before anything is parsed; apply each message once, by its id; apply
// only a newer version of a student; remember who left, so that a late message cannot bring them back; answer 2xx only
// once it is on the disk. A message that cannot be stored is answered 503: the provider keeps it and sends it again.
//
// What was applied is kept in a journal, a line a message, so that the example needs no database. Yours will be a
// transaction: insert the message's id, upsert the student where the version is newer, commit, then answer.

import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const MAX_BODY_BYTES = 256 * 1024;
const UPSERTS = new Set(["student.created", "student.updated", "student.enrolled"]);
const REMOVALS = new Set(["student.withdrawn", "student.deleted"]);
const JOURNAL = process.env.JOURNAL ?? "roster.jsonl";

/** One secret, or two while the provider rotates: separated by spaces or lines, newest first. */
function secrets() {
  const file = process.env.WEBHOOK_SECRET_FILE;
  const text = file ? readFileSync(file, "ascii") : (process.env.WEBHOOK_SECRET ?? "");
  return text.split(/\s+/).filter(Boolean);
}

function isAuthentic(keys, body, headers) {
  return keys.some((key) => {
    try {
      new Webhook(key).verify(body, headers, { jsonParse: false });
      return true;
    } catch {
      return false;
    }
  });
}

class Roster {
  /** Ids of the messages that were applied. */
  seen = new Set();
  /** sourcedId → { version, record }; the record of a student who left is null. */
  students = new Map();
  /** Bytes of the journal that hold whole lines. */
  size = 0;

  constructor(path) {
    if (existsSync(path)) {
      const bytes = readFileSync(path);
      // What a crash left of a last line was never acknowledged.
      this.size = bytes.lastIndexOf(0x0a) + 1;
      for (const line of bytes.subarray(0, this.size).toString("utf8").split("\n").filter(Boolean)) {
        this.remember(JSON.parse(line));
      }
    }
    this.path = path;
  }

  open() {
    this.file = openSync(this.path, existsSync(this.path) ? "r+" : "w+");
    ftruncateSync(this.file, this.size);
  }

  /** Stores one verified event; answers the HTTP status. */
  apply(event) {
    if (this.seen.has(event.id)) return 200;
    const entry = { id: event.id };
    if (UPSERTS.has(event.type)) {
      const record = event.data.object;
      Object.assign(entry, { sourcedId: record.sourcedId, version: record.version, record });
    } else if (REMOVALS.has(event.type)) {
      Object.assign(entry, { sourcedId: event.data.sourcedId, version: event.data.version, record: null });
    }
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    writeSync(this.file, line, 0, line.length, this.size);
    fsyncSync(this.file);
    this.size += line.length;
    this.remember(entry);
    // connection.test, roster.checkpoint and what a later provider may send: nothing to apply, and no error.
    return entry.sourcedId === undefined ? 202 : 200;
  }

  remember({ id, sourcedId, version, record }) {
    this.seen.add(id);
    if (sourcedId !== undefined && version > (this.students.get(sourcedId)?.version ?? 0)) {
      this.students.set(sourcedId, { version, record });
    }
  }
}

/** The raw bytes; null where there are too many. */
async function read(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function handle(request, roster) {
  if (request.method !== "POST" || request.url !== "/webhook") return 404;
  const body = await read(request);
  if (body === null) return 413;
  const keys = secrets();
  // Not 401: the provider would count it as our refusal. 503 means: later.
  if (keys.length === 0) return 503;
  // The bytes are given as they came: parsing and writing JSON again would change them.
  if (!isAuthentic(keys, body, request.headers)) return 401;
  let event;
  try {
    event = JSON.parse(body.toString("utf8"));
  } catch {
    return 400;
  }
  if (event?.id !== request.headers["webhook-id"]) return 400;
  return roster.apply(event);
}

function serve() {
  const roster = new Roster(JOURNAL);
  roster.open();
  const server = createServer({ requestTimeout: 30_000 }, async (request, response) => {
    let status = 503;
    try {
      status = await handle(request, roster);
    } catch {
      // A full disk, a broken connection: nothing was promised, so it comes again.
    }
    response.writeHead(status, status >= 400 ? { connection: "close" } : {}).end();
  });
  server.listen(Number(process.env.PORT ?? 8090), process.env.HOST ?? "127.0.0.1", () => {
    const { address, port } = server.address();
    console.log(`listening on http://${address}:${port}/webhook`);
  });
  process.on("SIGTERM", () => {
    server.close(() => closeSync(roster.file));
  });
}

function exportRoster() {
  const { students } = new Roster(JOURNAL);
  for (const sourcedId of [...students.keys()].sort()) {
    const { record } = students.get(sourcedId);
    if (record !== null) process.stdout.write(`${JSON.stringify(record)}\n`);
  }
}

(process.argv[2] === "export" ? exportRoster : serve)();
