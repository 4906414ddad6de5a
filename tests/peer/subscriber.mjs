// Second half: sets in Memcached what is published.
// Usage: node subscriber.mjs REDIS_URL MEMCACHED_ADDRESS

import memjs from "memjs";
import { createClient } from "redis";

const memcached = memjs.Client.create(process.argv[3]);
const redis = createClient({ url: process.argv[2] });
await redis.connect();
await redis.subscribe("rows", (message) => {
  const { key, value } = JSON.parse(message);
  memcached.set(key, JSON.stringify(value), { expires: 0 });
});
console.log("subscribed");
