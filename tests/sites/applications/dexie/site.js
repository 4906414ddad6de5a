import { writePeople } from "../people.js";
import { Trace } from "../trace.js";

export async function run() {
  const trace = new Trace();
  await writePeople("dexie", trace);
  return trace.lines;
}
