// What an application developer would write by hand, first half: takes rows over HTTP and publishes
// them to Redis. Usage: node server.mjs REDIS_URL

import { createServer } from "node:http";
import { createClient } from "redis";

const redis = createClient({ url: process.argv[2] });
await redis.connect();

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  await redis.publish("rows", Buffer.concat(chunks).toString());
  response.writeHead(204, { "Access-Control-Allow-Origin": "*" }).end();
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
