import { Trace } from "../trace.js";
import { opened, writeInZone } from "../zones.js";

export async function run() {
  const trace = new Trace();
  await writeInZone(await opened("zone"), "zone people", trace);
  return trace.lines;
}
