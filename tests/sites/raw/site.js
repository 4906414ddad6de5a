// Every write of raw IndexedDB, once.

import { Expectation } from "../expectation.js";

const DATABASE = "raw";

const result = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function open(expect) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 3);
    request.onupgradeneeded = () => {
      const database = request.result;
      database.createObjectStore("people", { keyPath: "id", autoIncrement: true });
      database.createObjectStore("nested", { keyPath: "meta.id", autoIncrement: true });
      database.createObjectStore("pairs", { keyPath: ["a", "b"] });
      database.createObjectStore("log", { autoIncrement: true });
      const notes = database.createObjectStore("notes");
      notes.put("written while upgrading", "first");
      expect.createdStore("people", "id", true);
      expect.createdStore("nested", "meta.id", true);
      expect.createdStore("pairs", ["a", "b"]);
      expect.createdStore("log", null, true);
      expect.createdStore("notes");
      expect.created("notes", "first", "written while upgrading");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

// Runs `write` in a transaction on all stores; resolves to how it ended.
function transact(database, write) {
  return new Promise((resolve) => {
    const transaction = database.transaction(Array.from(database.objectStoreNames), "readwrite");
    transaction.oncomplete = () => resolve("complete");
    transaction.onabort = () => resolve("abort");
    write(transaction);
  });
}

async function mustEnd(how, ended) {
  const seen = await ended;
  if (seen !== how) throw new Error(`the transaction ended in ${seen}, not ${how}`);
}

async function puts(database, expect) {
  await mustEnd(
    "complete",
    transact(database, (transaction) => {
      const notes = transaction.objectStore("notes");
      const changing = { text: "as it was", at: new Date(0) };
      notes.put(changing, "b");
      changing.text = "changed after the call";
      notes.put([1, , undefined, NaN, -0, 12345678901234567890n], 1.5);
      notes.put(new Map([["a", new Set([1])]]), new Date(86_400_000));
      notes.put(new Uint8Array([1, 2, 255]), new Uint8Array([7]).buffer);
      notes.put({ ключ: "значение \u{1F9EA}", "a:b c%": null }, ["x", [1, ""]]);
      notes.put("again", "b");
      transaction.objectStore("pairs").put({ a: 1, b: "z", c: true });
    }),
  );
  expect.created("notes", "b", { text: "as it was", at: { $date: "1970-01-01T00:00:00.000Z" } });
  expect.created("notes", 1.5, {
    $sparse: {
      length: 6,
      items: {
        0: 1,
        2: { $undefined: true },
        3: { $number: "NaN" },
        4: { $number: "-0" },
        5: { $bigint: "12345678901234567890" },
      },
    },
  });
  expect.created("notes", { $date: "1970-01-02T00:00:00.000Z" }, { $map: [["a", { $set: [1] }]] });
  expect.created(
    "notes",
    { $bytes: { type: "ArrayBuffer", base64: "Bw==" } },
    { $bytes: { type: "Uint8Array", base64: "AQL/" } },
  );
  expect.created("notes", ["x", [1, ""]], { ключ: "значение \u{1F9EA}", "a:b c%": null });
  expect.updated("notes", "b", "again");
  expect.created("pairs", [1, "z"], { a: 1, b: "z", c: true });
}

async function addsAndGeneratedKeys(database, expect) {
  await mustEnd(
    "complete",
    transact(database, (transaction) => {
      const people = transaction.objectStore("people");
      people.add({ name: "Ada" });
      people.add({ id: 7, name: "Grace" });
      people.put({ name: "Joan" });
      transaction.objectStore("nested").add({ deep: [1] });
      transaction.objectStore("log").add("started");
      transaction.objectStore("log").put("running");
    }),
  );
  expect.created("people", 1, { name: "Ada", id: 1 });
  expect.created("people", 7, { id: 7, name: "Grace" });
  expect.created("people", 8, { name: "Joan", id: 8 });
  expect.created("nested", 1, { deep: [1], meta: { id: 1 } });
  expect.created("log", 1, "started");
  expect.created("log", 2, "running");
}

async function deletes(database, expect) {
  await mustEnd(
    "complete",
    transact(database, (transaction) => {
      const notes = transaction.objectStore("notes");
      notes.delete(1.5);
      for (let number = 10; number < 20; number++) notes.put(number, number);
      notes.delete(IDBKeyRange.bound(12, 14, true, false));
    }),
  );
  expect.deleted("notes", 1.5);
  for (let number = 10; number < 20; number++) expect.created("notes", number, number);
  expect.truncated("notes", 13, 14);
}

async function cursors(database, expect) {
  await mustEnd(
    "complete",
    transact(database, (transaction) => {
      transaction.objectStore("people").openCursor().onsuccess = ({ target: { result: cursor } }) => {
        if (!cursor) return;
        if (cursor.key === 7) cursor.delete();
        else cursor.update({ ...cursor.value, seen: true });
        cursor.continue();
      };
    }),
  );
  expect.updated("people", 1, { name: "Ada", id: 1, seen: true });
  expect.deleted("people", 7);
  expect.updated("people", 8, { name: "Joan", id: 8, seen: true });
}

async function aborted(database) {
  await mustEnd(
    "abort",
    transact(database, (transaction) => {
      transaction.objectStore("notes").put("never seen", "aborted");
      transaction.objectStore("people").clear();
      transaction.abort();
    }),
  );
  await mustEnd(
    "abort",
    transact(database, (transaction) => {
      transaction.objectStore("notes").put("never seen", "aborted by an error");
      transaction.objectStore("people").add({ id: 1, name: "the key is taken" });
    }),
  );
}

async function failingAddInATransactionThatGoesOn(database, expect) {
  await mustEnd(
    "complete",
    transact(database, (transaction) => {
      const people = transaction.objectStore("people");
      people.put({ id: 20, name: "before" });
      people.add({ id: 1, name: "the key is taken" }).onerror = (event) => {
        event.preventDefault();
        event.stopPropagation();
        people.put({ id: 21, name: "after" });
      };
      try {
        people.put({ id: {}, name: "no key" });
      } catch (error) {
        if (error.name !== "DataError") throw error;
      }
    }),
  );
  expect.created("people", 20, { id: 20, name: "before" });
  expect.created("people", 21, { id: 21, name: "after" });
}

async function clear(database, expect) {
  await mustEnd(
    "complete",
    transact(database, (transaction) => {
      transaction.objectStore("log").clear();
      transaction.objectStore("log").add("the generator goes on");
    }),
  );
  expect.truncated("log", 1, 2);
  expect.created("log", 3, "the generator goes on");
}

export async function run() {
  const expect = new Expectation(DATABASE);
  const database = await open(expect);
  await puts(database, expect);
  await addsAndGeneratedKeys(database, expect);
  await deletes(database, expect);
  await cursors(database, expect);
  await aborted(database);
  await failingAddInATransactionThatGoesOn(database, expect);
  await clear(database, expect);
  const count = await result(database.transaction("people").objectStore("people").count());
  if (count !== 4) throw new Error(`there are ${count} people, not 4`);
  database.close();
  return expect.exactly();
}
