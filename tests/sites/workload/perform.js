// For the page and its workers: runs the steps of a generated writer
// (tests/src/workload/generate.rs). Each transaction also puts its number under the writer's name
// into the store "marks", so that an observer of Memcached knows how far the commits have come.

"use strict";

// What happens when other writers upgrade and delete databases. The step is tried again.
const TRANSIENT = [
  "AbortError",
  "DatabaseClosedError",
  "InvalidStateError",
  "NotFoundError",
  "UnknownError",
  "VersionError",
];
const ATTEMPTS = 20;

const epochNow = () => performance.timeOrigin + performance.now();

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const requested = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const completed = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(epochNow());
    transaction.onabort = () => reject(transaction.error ?? new DOMException("aborted", "AbortError"));
  });

const valueOf = (value) => {
  if (typeof value !== "object" || value === null) return value;
  if ("$date" in value) return new Date(value.$date);
  if ("$bytes" in value) return new Uint8Array(value.$bytes).fill(7);
  if ("$long" in value) return "x".repeat(value.$long);
  if (Array.isArray(value)) return value.map(valueOf);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, valueOf(member)]));
};

const keyOf = (key) => (typeof key === "object" && "from" in key ? IDBKeyRange.bound(key.from, key.to) : key);

const createStores = (connection) => {
  connection.createObjectStore("marks");
  connection.createObjectStore("items");
  connection.createObjectStore("inline", { keyPath: "id" });
  connection.createObjectStore("counted", { autoIncrement: true });
};

// Replaces every second record that a cursor comes to, and deletes every third.
const walk = (store, value) => {
  let index = 0;
  store.openCursor().onsuccess = ({ target: { result: cursor } }) => {
    if (cursor === null) return;
    index += 1;
    if (index % 3 === 0) cursor.delete();
    else if (index % 2 === 0) cursor.update(store.keyPath === null ? value : { id: cursor.key, value });
    cursor.continue();
  };
};

const operate = (transaction, [method, name, value, key]) => {
  const store = transaction.objectStore(name);
  if (method === "walk") return walk(store, valueOf(value));
  if (method === "clear") return store.clear();
  if (method === "delete") return store.delete(keyOf(value));
  const request = key === undefined ? store[method](valueOf(value)) : store[method](valueOf(value), key);
  // A key that is taken: the rest of the transaction is committed.
  request.onerror = (event) => event.preventDefault();
};

globalThis.Performer = class {
  #connections = new Map();
  #dexie;
  #number = 0;
  #name;
  #note;

  /**
   * @param {string} name the writer's
   * @param {(note: { database: string, number?: number, at: number }) => void} note called for each
   *   commit, and without a number for a database that was deleted
   */
  constructor(name, note) {
    this.#name = name;
    this.#note = note;
  }

  async perform(step) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this[step.step](step);
      } catch (error) {
        if (!TRANSIENT.includes(error.name) || attempt === ATTEMPTS) throw error;
        await pause(attempt);
      }
    }
  }

  async write({ database, operations, aborts }) {
    const connection = await this.#open(database);
    const names = new Set(["marks", ...operations.map(([, store]) => store)]);
    const transaction = connection.transaction([...names], "readwrite");
    for (const operation of operations) operate(transaction, operation);
    if (aborts) {
      transaction.abort();
      return;
    }
    this.#number += 1;
    const number = this.#number;
    transaction.objectStore("marks").put(number, this.#name);
    this.#note({ database, number, at: await completed(transaction) });
  }

  async dexie({ database, rows, deleted }) {
    if (this.#dexie === undefined) {
      this.#dexie = new Dexie(database);
      this.#dexie.version(1).stores({ marks: "", rows: "id, group" });
    }
    const { marks, rows: table } = this.#dexie;
    this.#number += 1;
    const number = this.#number;
    await this.#dexie.transaction("rw", marks, table, async () => {
      await table.bulkPut(rows.map(valueOf));
      await table.where("group").equals(1).modify({ modified: number });
      await table.bulkDelete(deleted);
      await marks.put(number, this.#name);
    });
    this.#note({ database, number, at: epochNow() });
  }

  // Creates or deletes a store, and writes within the upgrade.
  async upgrade({ database, value }) {
    const { version } = await this.#open(database);
    const request = indexedDB.open(database, version + 1);
    let done;
    request.onupgradeneeded = () => {
      const { result: connection, transaction } = request;
      if (connection.objectStoreNames.length === 0) createStores(connection);
      if (connection.objectStoreNames.contains("extra")) connection.deleteObjectStore("extra");
      else connection.createObjectStore("extra", { keyPath: "id" }).put({ id: this.#name, value });
      this.#number += 1;
      transaction.objectStore("marks").put(this.#number, this.#name);
      done = completed(transaction);
      done.catch(() => {});
    };
    const connection = await requested(request);
    this.#keep(database, connection);
    // Another writer may have made the same version first.
    if (done !== undefined) this.#note({ database, number: this.#number, at: await done });
  }

  async delete({ database }) {
    (await this.#connections.get(database))?.close();
    this.#connections.delete(database);
    await requested(indexedDB.deleteDatabase(database));
    this.#note({ database, at: epochNow() });
  }

  pause({ milliseconds }) {
    return pause(milliseconds);
  }

  async #open(database) {
    const kept = this.#connections.get(database);
    if (kept !== undefined) return kept;
    const request = indexedDB.open(database);
    request.onupgradeneeded = () => createStores(request.result);
    const connection = await requested(request);
    this.#keep(database, connection);
    return connection;
  }

  #keep(database, connection) {
    this.#connections.set(database, connection);
    const forget = () => {
      connection.close();
      if (this.#connections.get(database) === connection) this.#connections.delete(database);
    };
    connection.onversionchange = forget;
    connection.onclose = forget;
  }
};

// Runs a writer, and reports each step. What it throws is reported, too.
globalThis.performAll = async ({ name, steps }, report) => {
  const performer = new Performer(name, (note) => report({ note }));
  for (const step of steps) {
    report({ begun: `${step.step} ${step.database ?? ""}` });
    try {
      await performer.perform(step);
      report({ done: 1 });
    } catch (error) {
      report({ done: 1, error: `${step.step}: ${error}` });
    }
  }
  report({ ended: true });
};
