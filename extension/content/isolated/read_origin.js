// Reads the origin's databases: the inventory, then each store, a stretch at a time; or only some
// stores. When that happens is up to `surveys.js` and `comparisons.js`.

import { usesLittle } from "./pace.js";
import { bucketNames, readInventory, readStore } from "./reader.js";
import { idle } from "./time.js";

/**
 * @typedef {{ bucket: string, database: string, store: string }} Store
 * @typedef {Omit<Store, "bucket"> & { bucket: string | null }} Somewhere a store of a bucket that
 * is not known, if it is null
 * @typedef {(body: string) => Promise<boolean>} Delivered resolves when the host has it, or there
 * was no room for it on the way
 */

/**
 * Tells the host what is in a store, each stretch when it has the one before.
 * @param {Store} of
 * @param {boolean} isLittle
 * @param {Delivered} delivered
 * @returns {Promise<boolean>} whether everything could be read
 */
async function readWhole({ bucket, database, store }, isLittle, delivered) {
  try {
    await readStore(bucket, database, store, isLittle, delivered);
    return true;
  } catch {
    return false;
  }
}

/**
 * Tells the host what is in some stores. What can't be read now is found by the next page load.
 * @param {Somewhere[]} stores
 * @param {Delivered} delivered
 */
export async function readSome(stores, delivered) {
  const isLittle = await usesLittle();
  for (const { bucket: known, database, store } of stores) {
    await idle();
    const buckets = known === null ? await allBuckets().catch(() => [""]) : [known];
    for (const bucket of buckets) await readWhole({ bucket, database, store }, isLittle, delivered);
  }
}

async function allBuckets() {
  return ["", ...((await bucketNames()) ?? [])];
}

/**
 * Tells the host all that there is, each piece when it has the one before.
 * @param {Delivered} delivered
 * @param {() => void} goesOn says that the reading goes on while nothing is delivered
 * @returns {Promise<boolean>} whether everything could be read
 */
export async function readAll(delivered, goesOn) {
  let complete = true;
  try {
    await idle();
    const isLittle = await usesLittle();
    const buckets = await bucketNames();
    for (const bucket of ["", ...(buckets ?? [])]) {
      const { body, databases } = await readInventory(bucket, buckets, goesOn);
      if (!(await delivered(body))) complete = false;
      for (const { name, stores } of databases) {
        if (stores === null) complete = false;
        for (const store of stores ?? []) {
          if (!(await readWhole({ bucket, database: name, store }, isLittle, delivered))) complete = false;
        }
      }
    }
  } catch {
    complete = false;
  }
  return complete;
}
