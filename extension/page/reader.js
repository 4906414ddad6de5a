// Reads the document's databases from the isolated world: the inventory, snapshots of whole stores, single records.
//
// Invariants: never creates a database, never holds up an upgrade or a deletion by the page (a connection closes at once on
// `versionchange`), and reads little at a time. Each result carries the times before and after the reading, so that the host
// can tell what is newer.

import { filled } from "./blobs.js";
import { encode, encodeValue } from "./encode.js";
import { decodeKey } from "./key.js";
import { bare, isWellFormed } from "./pristine.js";
import { after } from "./time.js";

/** How many records a snapshot reads at a time, and how much text it aims at. */
const MAX_RECORDS = 200;
const AIM = 1024 * 1024;
/** How many milliseconds an `open` may take: it waits for upgrades of the page, and engines get stuck in some for ever. */
const PATIENCE = 3000;
/** How many milliseconds the reading of a stretch may wait for transactions of the page, which need never end. */
const READING = 5000;
/** How many databases are opened at once to see their stores, so that those that never open cost one wait together. */
const TOGETHER = 16;

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
export const outcome = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** Storage buckets other than the default one: https://wicg.github.io/storage-buckets/, where the browser has them. */
const manager = () => /** @type {any} */ (navigator).storageBuckets;

/**
 * The names of all buckets but the default one; undefined where there are none to be had (Firefox, insecure contexts).
 * @returns {Promise<string[] | undefined>}
 */
export async function bucketNames() {
  return manager()?.keys();
}

/**
 * The factory of an existing bucket's databases, or null if there is none.
 * @param {string} bucket
 * @returns {Promise<IDBFactory | null>}
 */
export async function factoryOf(bucket) {
  if (bucket === "") return indexedDB;
  return (await bucketNames())?.includes(bucket) ? (await manager().open(bucket)).indexedDB : null;
}

/**
 * A connection to an existing database, or null if there is none; rejects if that can't be told.
 * @param {IDBFactory} factory
 * @param {string} name
 * @returns {Promise<IDBDatabase | null>}
 */
export function connect(factory, name) {
  return new Promise((resolve, reject) => {
    const request = factory.open(name);
    let missing = false;
    let late = false;
    void after(PATIENCE).then(() => {
      late = true;
      reject(new Error("the database does not open"));
    });
    request.onupgradeneeded = () => {
      // Without a version, only a database that does not exist is upgraded.
      missing = true;
      request.transaction?.abort();
    };
    request.onerror = (event) => {
      event.preventDefault();
      if (missing) resolve(null);
      else reject(request.error);
    };
    request.onsuccess = () => {
      const database = request.result;
      database.onversionchange = () => database.close();
      if (late) database.close();
      else resolve(database);
    };
  });
}

/**
 * @param {string} bucket
 * @param {string} name
 */
export async function existing(bucket, name) {
  const factory = await factoryOf(bucket);
  const found = (await factory?.databases()) ?? [];
  return factory !== null && found.some((database) => database.name === name) ? connect(factory, name) : null;
}

/**
 * What a database looks like; null if it is gone.
 * @param {IDBFactory} factory
 * @param {string} name
 * @returns {Promise<{ name: string, version: number, stores: string[] | null } | null>}
 */
async function shapeOf(factory, name) {
  try {
    const database = await connect(factory, name);
    if (database === null) return null;
    database.close();
    return { name, version: database.version, stores: [...database.objectStoreNames].filter((store) => isWellFormed(store)) };
  } catch {
    return { name, version: 0, stores: null };
  }
}

/**
 * The body of an inventory, with what the snapshots need.
 * @param {string} bucket
 * @param {string[] | undefined} buckets all that exist, if that is known
 * @returns {Promise<{ body: string, databases: { name: string, stores: string[] | null }[] }>} `stores` are null if they could
 *   not be read
 */
export async function readInventory(bucket, buckets) {
  const began = Date.now();
  /** @type {{ name: string, version: number, stores: string[] | null }[]} */
  const databases = [];
  const factory = await factoryOf(bucket);
  // What has a name that can't be told is left out.
  const found = ((await factory?.databases()) ?? []).filter(({ name = "" }) => isWellFormed(name));
  for (let from = 0; factory !== null && from < found.length; from += TOGETHER) {
    const some = found.slice(from, from + TOGETHER);
    const shapes = await Promise.all(some.map(({ name = "" }) => shapeOf(factory, name)));
    databases.push(...shapes.filter((shape) => shape !== null));
  }
  return {
    body: JSON.stringify({ inventory: { bucket, buckets, began_at: began, read_at: Date.now(), databases } }),
    databases,
  };
}

/**
 * Gives a reading up that takes too long: others wait for it.
 * @template T
 * @param {IDBTransaction} transaction
 * @param {Promise<T>} reading
 * @returns {Promise<T>}
 */
async function soon(transaction, reading) {
  let over = false;
  const late = after(READING).then(() => {
    if (over) return;
    transaction.abort();
    throw new Error("a transaction of the page takes its time");
  });
  try {
    return /** @type {T} */ (await Promise.race([reading, late]));
  } finally {
    over = true;
  }
}

/**
 * The bodies of a store's snapshot, a stretch each, in key order. Ends early if the page changes or deletes the database: what
 * follows such a change is another snapshot's business.
 * @param {string} bucket
 * @param {string} name the database
 * @param {string} store
 * @returns {AsyncGenerator<string, void>}
 */
export async function* readStore(bucket, name, store) {
  const database = await existing(bucket, name);
  if (database === null) return;
  try {
    let count = 16;
    /** @type {string | undefined} */
    let after;
    /** @type {IDBKeyRange | undefined} */
    let rest;
    for (;;) {
      const began = Date.now();
      const transaction = database.transaction(store, "readonly");
      const objects = transaction.objectStore(store);
      const [keys, values] = await soon(
        transaction,
        Promise.all([outcome(objects.getAllKeys(rest, count)), outcome(objects.getAll(rest, count))]),
      );
      const last = keys.length < count;
      const until = last ? undefined : encode(keys[keys.length - 1], true);
      const records = await recordsText(keys, values);
      yield bodyText("snapshot", bucket, database, store, began, [
        keyPathText(objects),
        after === undefined ? "" : `"after":${after},`,
        until === undefined ? "" : `"until":${until},`,
        `"records":[${records}]`,
      ]);
      if (last) return;
      after = until;
      rest = IDBKeyRange.lowerBound(keys[keys.length - 1], true);
      const fitting = Math.floor((count * AIM) / Math.max(records.length, 1));
      count = Math.max(1, Math.min(MAX_RECORDS, count * 4, fitting));
    }
  } finally {
    database.close();
  }
}

/**
 * The body that answers `protocol::message::Read`.
 * @param {{ bucket: string, database: string, store: string, keys: string[] }} read
 * @returns {Promise<string>}
 */
export async function readRecords({ bucket, database: name, store, keys }) {
  const began = Date.now();
  const database = await existing(bucket, name);
  try {
    if (database === null || !database.objectStoreNames.contains(store)) {
      return bodyText("records", bucket, { name, version: database?.version ?? 0 }, store, began, [
        `"present":[],"absent":[${keys}]`,
      ]);
    }
    const objects = database.transaction(store, "readonly").objectStore(store);
    // A key that holds `undefined` is still a key: it is asked for by itself.
    const found = await Promise.all(
      keys.map(async (text) => {
        const key = decodeKey(text);
        const [there, value] = await Promise.all([outcome(objects.getKey(key)), outcome(objects.get(key))]);
        return there === undefined ? undefined : await recordText(text, value);
      }),
    );
    const present = found.filter((record) => record !== undefined);
    const absent = keys.filter((_, index) => found[index] === undefined);
    return bodyText("records", bucket, database, store, began, [
      keyPathText(objects),
      `"present":[${present}],"absent":[${absent}]`,
    ]);
  } finally {
    database?.close();
  }
}

/**
 * @param {IDBValidKey[]} keys
 * @param {any[]} values
 */
async function recordsText(keys, values) {
  const bareValues = bare(values);
  const records = [];
  for (let index = 0; index < keys.length; index++) {
    const record = recordText(encode(keys[index], true), bareValues[index]);
    // Most records have no blobs: nothing to wait for.
    records.push(typeof record === "string" ? record : await record);
  }
  return records.join(",");
}

/**
 * @param {string | undefined} key
 * @param {any} value
 */
function recordText(key, value) {
  const encoded = encodeValue(value, true, null);
  const text = `{"key":${key},"value":${encoded?.text ?? '{"$opaque":{"type":"Object","reason":"could not be read"}}'}}`;
  const blobs = encoded?.blobs ?? null;
  return blobs === null ? text : filled({ text, blobs });
}

/**
 * With a comma behind.
 * @param {IDBObjectStore} objects
 */
export const keyPathText = (objects) => (objects.keyPath === null ? "" : `"key_path":${encode(objects.keyPath, true)},`);

/**
 * @param {"snapshot" | "records"} kind
 * @param {string} bucket
 * @param {{ name: string, version: number }} database
 * @param {string} store
 * @param {number} began
 * @param {string[]} rest
 */
function bodyText(kind, bucket, { name, version }, store, began, rest) {
  const head = `"bucket":${JSON.stringify(bucket)},"database":${JSON.stringify(name)},"version":${version},"store":${JSON.stringify(store)}`;
  return `{"${kind}":{${head},"began_at":${began},"read_at":${Date.now()},${rest.join("")}}}`;
}
