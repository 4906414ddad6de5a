// What one would write by hand instead of the relay: a native messaging host that journals what the
// extension sends, publishes it to Redis and sets it in Memcached. Frames in on stdin,
// acknowledgements out on stdout. Usage: node host.mjs REDIS_URL MEMCACHED_ADDRESS JOURNAL
//
// It is as fast as its packages let it be: all commands of a frame are on their way at once, which
// both clients send together; the next frame is parsed and journaled meanwhile. It remembers no
// values, so its events know nothing of what was before.

import { open } from "node:fs/promises";
import { endianness } from "node:os";
import memjs from "memjs";
import { createClient } from "redis";

const [url, servers, path] = process.argv.slice(2);
const littleEndian = endianness() === "LE";
const redis = createClient({ url });
await redis.connect();
const memcached = memjs.Client.create(servers, { timeout: 10 });
const journal = await open(path, "a");

async function* frames(stream) {
  let chunks = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    while (length >= 4) {
      if (chunks[0].length < 4) chunks = [Buffer.concat(chunks)];
      const size = 4 + (littleEndian ? chunks[0].readUInt32LE() : chunks[0].readUInt32BE());
      if (length < size) break;
      const bytes = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
      yield JSON.parse(bytes.toString("utf8", 4, size));
      chunks = [bytes.subarray(size)];
      length -= size;
    }
  }
}

function say(message) {
  const text = Buffer.from(JSON.stringify(message));
  const header = Buffer.alloc(4);
  if (littleEndian) header.writeUInt32LE(text.length);
  else header.writeUInt32BE(text.length);
  process.stdout.write(Buffer.concat([header, text]));
}

let profile = "";
let browser = "";
let number = Date.now() * 1000;
/** The last delivery of each document. */
const last = new Map();
const encoded = (part) => part.replace(/[%:\s]/g, encodeURIComponent);

/** The events of a delivery; none if it came before. */
function events({ context, sequence, page, body: { commit } }) {
  if (sequence <= (last.get(context) ?? 0)) return [];
  last.set(context, sequence);
  const id = `${context}:${sequence}`;
  return commit.operations.map((operation, index) => {
    const [[kind, { store, key, value }]] = Object.entries(operation);
    const event = {
      op: kind === "delete" ? "d" : kind === "add" ? "c" : "u",
      key,
      after: value ?? null,
      ts_ms: commit.committed_at,
      source: {
        version: "0.1.0",
        browser,
        profile,
        origin: page.origin,
        bucket: commit.bucket ?? "",
        database: commit.database,
        database_version: commit.version,
        store,
        context,
        sequence: ++number,
        snapshot: false,
      },
      transaction: { id, total_order: index + 1, event_count: commit.operations.length },
    };
    const channel = `idb:${encoded(page.origin)}:${encoded(commit.database)}:${encoded(store)}`;
    return { channel, name: `${channel}:${encoded(JSON.stringify(key))}`, value, text: JSON.stringify(event) };
  });
}

const passOn = ({ channel, name, value, text }) => [
  redis.xAdd("idb:events", "*", { event: text }),
  redis.publish(channel, text),
  value === undefined ? memcached.delete(name) : memcached.set(name, JSON.stringify(value), {}),
];

let passing = Promise.resolve();
for await (const frame of frames(process.stdin)) {
  const messages = Array.isArray(frame) ? frame : [frame];
  const batch = [];
  for (const message of messages) {
    if (message.hello) {
      ({ profile, browser } = message.hello);
      say({ hello: { protocol: message.hello.protocol, version: "0.1.0", origins: [] } });
    }
    if (message.delivery) batch.push(...events(message.delivery));
  }
  if (batch.length > 0) {
    await journal.appendFile(batch.map(({ text }) => `${text}\n`).join(""));
    await journal.datasync();
  }
  const acknowledged = new Map();
  for (const { delivery } of messages) if (delivery) acknowledged.set(delivery.context, delivery.sequence);
  for (const [context, sequence] of acknowledged) say({ acknowledged: { context, sequence } });
  // In order, and no more in memory than two frames.
  await passing;
  passing = Promise.all(batch.flatMap(passOn));
}
await passing;
await redis.close();
memcached.close();
