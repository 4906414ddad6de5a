// zone.js replaces what is global while the page has a connection, and a transaction on it.

import { Trace } from "../trace.js";
import { opened, writeInZone } from "../zones.js";

const loaded = (address) =>
  new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${address} does not load`));
    document.head.append(script);
  });

// Puts numbers, each behind the one before, until it is asked to end.
function keepWriting(connection) {
  const transaction = connection.transaction("items", "readwrite");
  const items = transaction.objectStore("items");
  let ending = false;
  let count = 0;
  const put = () => {
    count += 1;
    items.put({ id: 1000, text: "meanwhile", last: ending }).onsuccess = () => {
      if (!ending) put();
    };
  };
  put();
  const ended = new Promise((resolve) => (transaction.oncomplete = () => resolve(count > 0)));
  return () => {
    ending = true;
    return ended;
  };
}

export async function run() {
  const trace = new Trace();
  const connection = await opened("zone");
  const end = keepWriting(connection);
  await loaded("/node_modules/zone.js/bundles/zone.umd.js");
  trace.saw("written meanwhile", await end());
  await writeInZone(connection, "zone people", trace);
  return trace.lines;
}
