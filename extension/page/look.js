// What only the inspector asks: how many records there are, and the keys of a store.

import { encode } from "./encode.js";
import { bucketNames, connect, existing, factoryOf, keyPathText, outcome } from "./reader.js";

/** How many keys of a store are told at most. */
const MAX_KEYS = 20_000;

/**
 * How many records each store has, as JSON (`protocol::inspect::StoreCount`). A transaction for each store: none of the page's waits
 * longer than for one `count`.
 * @returns {Promise<string>}
 */
export async function countRecords() {
  const counts = [];
  for (const bucket of ["", ...((await bucketNames()) ?? [])]) {
    const factory = await factoryOf(bucket);
    for (const { name = "" } of (await factory?.databases()) ?? []) {
      // One that does not open, or goes meanwhile, is left out.
      const database = await connect(/** @type {IDBFactory} */ (factory), name).catch(() => null);
      if (database === null) continue;
      try {
        for (const store of database.objectStoreNames) {
          const records = await outcome(database.transaction(store, "readonly").objectStore(store).count());
          counts.push({ bucket, database: name, store, records });
        }
      } catch {
        // The page has changed it: the connection is closed.
      } finally {
        database.close();
      }
    }
  }
  return JSON.stringify(counts);
}

/**
 * The keys of a store in typed form, with its key path.
 * @param {string} bucket
 * @param {string} name the database
 * @param {string} store
 * @returns {Promise<string>}
 */
export async function readKeys(bucket, name, store) {
  const database = await existing(bucket, name);
  try {
    if (database === null || !database.objectStoreNames.contains(store)) return '{"keys":[],"more":false}';
    const objects = database.transaction(store, "readonly").objectStore(store);
    const keys = await outcome(objects.getAllKeys(undefined, MAX_KEYS + 1));
    const texts = keys.slice(0, MAX_KEYS).map((key) => encode(key, true));
    return `{${keyPathText(objects)}"keys":[${texts}],"more":${keys.length > MAX_KEYS}}`;
  } finally {
    database?.close();
  }
}
