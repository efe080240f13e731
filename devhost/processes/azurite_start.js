// Starts Azurite so that it loses nothing it has acknowledged, unless it is killed outright.
// `devhost.azurite` runs this file with Azurite's own arguments.
//
// Azurite answers from memory (lokijs) and writes its tables and its list of blobs to disk every
// five seconds, and when it is told to stop. By itself,
//   * it is ended by a second signal while it does so;
//   * it forgets a save that fails: the data counts as saved, and goes with the process;
//   * it acknowledges what a full disk will not take.
"use strict";

const fs = require("fs");
const http = require("http");
const https = require("https");
const path = require("path");
const Loki = require("lokijs");

const LOOK_AGAIN_MS = 1000;
// Octets left free for what is in memory and not yet on disk.
const RESERVE = 16 * 1024 * 1024;
const location = process.argv[process.argv.indexOf("--location") + 1];

// Signals: Azurite listens for one, once.

let stopping = false;

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    const azuriteListens = process.listenerCount(signal) > 1;
    // It is not up yet, so there is nothing to save.
    if (!stopping && !azuriteListens) process.exit(0);
    stopping = true;
  });
}

// Saves: complete on disk before they replace the last one, and again until they succeed.

Loki.LokiFsAdapter.prototype.saveDatabase = function (name, text, callback) {
  const draft = `${name}~`;
  const save = async () => {
    const file = await fs.promises.open(draft, "w");
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.promises.rename(draft, name);
  };
  save().then(() => callback(null), callback);
};

const saveOnce = Loki.prototype.saveDatabaseInternal;
Loki.prototype.saveDatabaseInternal = function (callback) {
  saveOnce.call(this, (error) => {
    if (!error) return callback(null);
    console.error(`could not save ${path.basename(this.filename)}: ${error.message}`);
    // lokijs takes these marks away before it writes. The next interval looks at them.
    for (const collection of this.collections) collection.dirty = true;
    if (stopping) setTimeout(() => this.saveDatabaseInternal(callback), LOOK_AGAIN_MS);
    else callback(error);
  });
};

// Room: a change is refused while there would not be enough to save it.

let lookedAt = -Infinity;
let copies = 0; // Octets of one more copy of each saved file: a new one is made beside the old.
let underWay = 0; // Octets that requests in progress may still write.

function hasRoomFor(octets) {
  const now = Date.now();
  if (now - lookedAt >= LOOK_AGAIN_MS) {
    const saved = fs.readdirSync(location).filter((name) => name.endsWith(".json"));
    copies = saved.reduce((sum, name) => sum + fs.statSync(path.join(location, name)).size, 0);
    lookedAt = now;
  }
  const { bavail, bsize } = fs.statfsSync(location);
  return bavail * bsize >= copies + RESERVE + underWay + octets;
}

// RFC 4918, section 11.5. Azure has neither the status nor the code: its accounts do not fill up.
function refuse(request, response) {
  const code = "InsufficientStorage";
  // Without a message the blob SDK fails at a code that it does not know.
  const text = `<Code>${code}</Code><Message>The disk is full.</Message>`;
  const body = `<?xml version="1.0" encoding="utf-8"?><Error>${text}</Error>`;
  response.writeHead(507, {
    "content-type": "application/xml",
    "content-length": Buffer.byteLength(body),
    "x-ms-error-code": code,
  });
  response.end(body);
  request.resume();
}

for (const server of [http.Server, https.Server]) {
  const emit = server.prototype.emit;
  server.prototype.emit = function (event, request, response) {
    if (event !== "request" || ["GET", "HEAD", "OPTIONS"].includes(request.method)) {
      return emit.apply(this, arguments);
    }
    const octets = Number(request.headers["content-length"] || 0);
    if (!hasRoomFor(octets)) {
      refuse(request, response);
      return true;
    }
    underWay += octets;
    response.once("close", () => (underWay -= octets));
    return emit.apply(this, arguments);
  };
}

require("azurite/dist/src/azurite");
