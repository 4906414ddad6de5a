// Keeps Memcached up to date from the stream: node consumer.mjs REDIS_URL MEMCACHED_HOST:PORT
import memjs from "memjs";
import { createClient } from "redis";

const database = await createClient({ url: process.argv[2] }).connect();
const cache = memjs.Client.create(process.argv[3]);
const encode = (text) => text.replace(/[%:\p{White_Space}\p{Cc}]/gu, encodeURIComponent);
await database.xGroupCreate("idb:events", "node", "0", { MKSTREAM: true }).catch(() => {}); // it is there
let start = "0"; // first what this consumer was given and has not acknowledged, then what is new
for (;;) {
  const read = await database.xReadGroup("node", "one", { key: "idb:events", id: start }, { COUNT: 100, BLOCK: 1000 });
  const entries = read?.[0].messages ?? [];
  start = entries.length > 0 && start !== ">" ? entries.at(-1).id : ">";
  for (const { id, message } of entries) {
    const { op, key, after, source } = JSON.parse(message?.event ?? '{"op":"t"}'); // none: the stream was cut
    // "t" and "s" are about whole stores; a "d" or "c" per record follows. What is late is most
    // likely older.
    if ("curd".includes(op) && !source.late) {
      const place = [source.origin, source.database, source.store, JSON.stringify(key)];
      const name = ["idb", ...place.map(encode)].join(":");
      await (op === "d" ? cache.delete(name) : cache.set(name, JSON.stringify(after), { expires: 0 }));
    }
    await database.xAck("idb:events", "node", id);
  }
}
