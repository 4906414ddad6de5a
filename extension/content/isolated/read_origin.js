// Reads the origin's databases: the store list, then each store, a stretch at a time; or only some
// stores. When that happens is up to `surveys.js` and `comparisons.js`.

import { usesLittle } from "./pace.js";
import { bucketNames, readStoreList } from "./reader.js";
import { readStore } from "./store_reading.js";
import { idle } from "./time.js";

/**
 * @typedef {{ bucket: string, database: string, store: string }} Store
 * @typedef {Omit<Store, "bucket"> & { bucket: string | null }} Somewhere a store of a bucket that
 * is not known, if it is null
 * @typedef {(body: string) => Promise<boolean>} Delivered resolves when the host has it, or there
 * was no room for it on the way
 * @typedef {object} Host
 * @property {Delivered} tell
 * @property {(body: string) => Promise<number>} compare resolves with how many stretches of a
 * `protocol::body::Digests` the mirror has alike, counted from the first one
 */

/**
 * Tells the host what it lacks of a store.
 * @param {Store} store
 * @param {boolean} isLittle
 * @param {Host} host
 * @returns {Promise<boolean>} whether everything could be read
 */
async function readWhole(store, isLittle, host) {
  try {
    await readStore(store, isLittle, host);
    return true;
  } catch {
    return false;
  }
}

/**
 * Tells the host what it lacks of some stores. What can't be read now is found by the next page
 * load.
 * @param {Somewhere[]} stores
 * @param {Host} host
 */
export async function readSome(stores, host) {
  const isLittle = await usesLittle();
  for (const { bucket: known, database, store } of stores) {
    await idle();
    const buckets = known === null ? await allBuckets().catch(() => [""]) : [known];
    for (const bucket of buckets) await readWhole({ bucket, database, store }, isLittle, host);
  }
}

async function allBuckets() {
  return ["", ...((await bucketNames()) ?? [])];
}

/**
 * Tells the host what it lacks of all that there is.
 * @param {Host} host
 * @param {() => void} goesOn says that the reading goes on while nothing is delivered
 * @returns {Promise<boolean>} whether everything could be read
 */
export async function readAll(host, goesOn) {
  let complete = true;
  try {
    await idle();
    const isLittle = await usesLittle();
    const buckets = await bucketNames();
    for (const bucket of ["", ...(buckets ?? [])]) {
      const { body, databases } = await readStoreList(bucket, buckets, goesOn);
      if (!(await host.tell(body))) complete = false;
      for (const { name, stores } of databases) {
        if (stores === null) complete = false;
        for (const store of stores ?? []) {
          if (!(await readWhole({ bucket, database: name, store }, isLittle, host))) complete = false;
        }
      }
    }
  } catch {
    complete = false;
  }
  return complete;
}
