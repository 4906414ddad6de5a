// What writes cost the page itself: each function returns the milliseconds from its first call to
// its last `complete`, and those that one structured clone of each of its values takes.

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

// About 20 KB as JSON, in 200 nested objects.
const nested = (number) => ({
  number,
  tags: ["bench", "document"],
  items: Array.from({ length: 200 }, (_, item) => ({
    name: `item ${item}`,
    count: item,
    price: item * 1.25,
    done: item % 2 === 0,
    note: "a line of text that is this long or so",
  })),
});

// The times of a case: of the writes, and of one structured clone of each value, before them.
const timed = async (values, transactions) => {
  const database = await opened;
  let began = performance.now();
  for (const value of values) structuredClone(value);
  const clones = performance.now() - began;
  began = performance.now();
  const each = values.length / transactions;
  for (let from = 0; from < values.length; from += each) {
    const transaction = database.transaction("rows", "readwrite");
    const rows = transaction.objectStore("rows");
    for (let number = from; number < from + each; number++) rows.put(values[number], number);
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
  }
  return { writes: performance.now() - began, clones };
};

const made = (count, make) => Array.from({ length: count }, (_, number) => make(number));

window.cost = {
  // 5,000 rows of 250 bytes in one transaction.
  rows: () =>
    timed(
      made(5000, (number) => row(number, 250)),
      1,
    ),
  // The same in transactions of 100.
  hundreds: () =>
    timed(
      made(5000, (number) => row(number, 250)),
      50,
    ),
  // 300 rows, each in a transaction of its own.
  singles: () =>
    timed(
      made(300, (number) => row(number, 250)),
      300,
    ),
  // 500 documents of 200 nested objects in one transaction.
  documents: () => timed(made(500, nested), 1),
  // 1,000 rows of 20 KB of text in one transaction.
  texts: () =>
    timed(
      made(1000, (number) => row(number, 20_000)),
      1,
    ),
  // 10 buffers of 5 MB in one transaction.
  buffers: () =>
    timed(
      made(10, () => new ArrayBuffer(5_000_000)),
      1,
    ),
  // The last write of a round.
  async mark(value) {
    const transaction = (await opened).transaction("rows", "readwrite");
    transaction.objectStore("rows").put(value, "mark");
    await new Promise((resolve) => (transaction.oncomplete = resolve));
  },
  // 5,000 rows through Dexie's bulkPut.
  async dexie() {
    window.dexie ??= new window.Dexie("through dexie").version(1).stores({ rows: "++id" }).db;
    const rows = made(5000, (number) => ({ id: number + 1, ...row(number, 250) }));
    let began = performance.now();
    for (const value of rows) structuredClone(value);
    const clones = performance.now() - began;
    began = performance.now();
    await window.dexie.table("rows").bulkPut(rows);
    return { writes: performance.now() - began, clones };
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
    return { writes: performance.now() - began, clones: 0 };
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
