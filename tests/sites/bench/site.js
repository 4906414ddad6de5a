// Writes rows for the benchmarks. Times are milliseconds since the epoch, as fine as the browser
// tells them.

"use strict";

const now = () => performance.timeOrigin + performance.now();

const opened = new Promise((resolve, reject) => {
  const request = indexedDB.open("bench", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("rows");
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

// 250 bytes as JSON.
function row(number) {
  const fixed = { number: 1e9 + number, name: `row ${1e9 + number}`, tags: ["bench", "row"], filler: "" };
  return { ...fixed, filler: "x".repeat(250 - JSON.stringify(fixed).length) };
}

const committed = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });

// What an application developer writes by hand to get a row to the server.
async function post(peer, key, value) {
  const response = await fetch(peer, { method: "POST", body: JSON.stringify({ key: `rows:${key}`, value }) });
  if (!response.ok) throw new Error(`the peer answered ${response.status}`);
}

// All rows in one transaction; with a peer each is posted after its put, six at a time: browsers
// open no more connections, and Chromium refuses when thousands wait.
window.bulk = async (from, count, peer) => {
  const database = await opened;
  const began = now();
  const transaction = database.transaction("rows", "readwrite");
  const rows = transaction.objectStore("rows");
  const put = [];
  for (let number = from; number < from + count; number++) {
    const value = row(number);
    const request = rows.put(value, number);
    if (peer) put.push([new Promise((resolve) => (request.onsuccess = resolve)), number, value]);
  }
  const queue = put.values();
  const posters = Array.from({ length: 6 }, async () => {
    for (const [succeeded, number, value] of queue) {
      await succeeded;
      await post(peer, number, value);
    }
  });
  await committed(transaction);
  const ended = now();
  await Promise.all(posters);
  return { began, committed: ended };
};

// Each row in a transaction of its own, one after the other; with a peer each is posted before the
// next is put, or their order would be lost.
window.singles = async (from, count, peer) => {
  const database = await opened;
  const began = now();
  for (let number = from; number < from + count; number++) {
    const value = row(number);
    const transaction = database.transaction("rows", "readwrite");
    transaction.objectStore("rows").put(value, number);
    await committed(transaction);
    if (peer) await post(peer, number, value);
  }
  return { began, committed: now() };
};

// Writes 1, 2, 3… under one key, with a pause between, and tells when each had committed.
window.probe = async (count, pause) => {
  const database = await opened;
  const times = [];
  for (let number = 1; number <= count; number++) {
    const transaction = database.transaction("rows", "readwrite");
    transaction.objectStore("rows").put(number, "probe");
    await committed(transaction);
    times.push(now());
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  return times;
};
