// Receive lpad's events, with Node.js alone.
//
//     node webhook_receiver.js KEY-FILE [PORT]
//
// The program verifies the signature of each request, ignores repetitions, and prints one line for each event. KEY-FILE
// contains the key that lpad signs with, whsec_..., or the public key of an Ed25519 key, whpk_... ('lpactl webhooks'
// shows it). Run the program behind a server that speaks TLS.

"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");

const TOLERANCE = 300; // seconds; an older request may be a replayed copy
const LARGEST = 64 * 1024;

// Returns a text of an event without characters that control the terminal.
function shown(text) {
  return String(text).replace(/\p{C}/gu, "?");
}

function readKey(path) {
  const text = fs.readFileSync(path, "ascii").trim();
  const bytes = Buffer.from(text.replace(/^wh(sec|pk)_/, ""), "base64");
  if (text.startsWith("whsec_")) {
    return { version: "v1", verify: (signed, given) => equal(hmac(bytes, signed), given) };
  }
  if (text.startsWith("whpk_")) {
    const prefix = Buffer.from("302a300506032b6570032100", "hex"); // RFC 8410
    const key = crypto.createPublicKey({ key: Buffer.concat([prefix, bytes]), format: "der", type: "spki" });
    return { version: "v1a", verify: (signed, given) => crypto.verify(null, signed, key, given) };
  }
  console.error(`${path} does not contain a key that begins with whsec_ or whpk_`);
  process.exit(2);
}

function hmac(key, signed) {
  return crypto.createHmac("sha256", key).update(signed).digest();
}

function equal(one, other) {
  return one.length === other.length && crypto.timingSafeEqual(one, other);
}

function isGenuine(key, headers, body) {
  const sentAt = Number(headers["webhook-timestamp"]);
  if (!Number.isInteger(sentAt) || Math.abs(Date.now() / 1000 - sentAt) > TOLERANCE) {
    return false;
  }
  const signed = Buffer.concat([Buffer.from(`${headers["webhook-id"]}.${sentAt}.`), body]);
  // While a key is being replaced, a request has one signature for each key.
  return (headers["webhook-signature"] || "")
    .split(" ")
    .filter((each) => each.startsWith(`${key.version},`))
    .some((each) => key.verify(signed, Buffer.from(each.slice(key.version.length + 1), "base64")));
}

function receiver(key) {
  const seen = new Set(); // a real receiver stores these, because lpad repeats an event whose answer was lost
  return http.createServer((request, response) => {
    const parts = [];
    let length = 0;
    request.on("data", (part) => {
      length += part.length;
      if (length > LARGEST) {
        request.destroy();
      }
      parts.push(part);
    });
    request.on("end", () => {
      const body = Buffer.concat(parts);
      if (!isGenuine(key, request.headers, body)) {
        response.writeHead(401).end();
        return;
      }
      let event;
      try {
        event = JSON.parse(body);
      } catch {
        event = null;
      }
      if (typeof event?.type !== "string") {
        response.writeHead(400).end(); // signed, but not an event
        return;
      }
      const name = `${event.source} ${event.id}`;
      if (!seen.has(name)) {
        seen.add(name);
        console.log(shown(`${event.sequence || "-"} ${event.type} ${JSON.stringify(event.data)}`));
      }
      response.writeHead(204).end(); // immediately; slow work comes afterwards
    });
  });
}

if (process.argv.length < 3 || process.argv.length > 4) {
  console.error("usage: node webhook_receiver.js KEY-FILE [PORT]");
  process.exit(2);
}
const server = receiver(readKey(process.argv[2]));
server.listen(Number(process.argv[3] || 8080), "127.0.0.1", () => {
  console.log("listening on port", server.address().port);
});
