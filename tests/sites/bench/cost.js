// What writes cost the page itself: each function returns the milliseconds from its first call to
// its last `complete`.

"use strict";

const opened = new Promise((resolve, reject) => {
  const request = indexedDB.open("cost", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("rows");
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

// About so many bytes as JSON.
const row = (number, bytes) => {
  const fixed = { number: 1e9 + number, name: `row ${1e9 + number}`, tags: ["bench", "row"], filler: "" };
  return { ...fixed, filler: "x".repeat(bytes - JSON.stringify(fixed).length) };
};

const inOne = async (count, make) => {
  const database = await opened;
  const values = Array.from({ length: count }, (_, number) => make(number));
  const began = performance.now();
  const transaction = database.transaction("rows", "readwrite");
  const rows = transaction.objectStore("rows");
  for (let number = 0; number < count; number++) rows.put(values[number], number);
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
  return performance.now() - began;
};

window.cost = {
  // 5,000 rows of 250 bytes in one transaction.
  rows: () => inOne(5000, (number) => row(number, 250)),
  // 1,000 rows of 20 KB in one transaction.
  documents: () => inOne(1000, (number) => row(number, 20_000)),
  // 10 buffers of 5 MB in one transaction.
  buffers: () => inOne(10, () => new ArrayBuffer(5_000_000)),
  // 300 rows, each in a transaction of its own.
  async singles() {
    let total = 0;
    for (let number = 0; number < 300; number++) total += await inOne(1, () => row(number, 250));
    return total;
  },
  // The last write of a round.
  async mark(value) {
    const transaction = (await opened).transaction("rows", "readwrite");
    transaction.objectStore("rows").put(value, "mark");
    await new Promise((resolve) => (transaction.oncomplete = resolve));
  },
  // 5,000 rows through Dexie's bulkPut.
  async dexie() {
    window.dexie ??= new window.Dexie("through dexie").version(1).stores({ rows: "++id" }).db;
    const rows = Array.from({ length: 5000 }, (_, number) => ({ id: number + 1, ...row(number, 250) }));
    const began = performance.now();
    await window.dexie.table("rows").bulkPut(rows);
    return performance.now() - began;
  },
  // 50 documents that use no IndexedDB, one after the other.
  async documents_without_indexeddb() {
    const began = performance.now();
    for (let number = 0; number < 50; number++) {
      const frame = document.createElement("iframe");
      frame.srcdoc = "<p>Nothing.</p>";
      await new Promise((resolve) => {
        frame.onload = resolve;
        document.body.append(frame);
      });
      frame.remove();
    }
    return performance.now() - began;
  },
};

// Bytes on the heap, where the engine tells.
window.heap = () => {
  window.gc?.();
  return performance.memory?.usedJSHeapSize ?? null;
};

// Writes 100,000 rows.
window.manyWrites = async () => {
  for (let time = 0; time < 20; time++) await window.cost.rows();
};
