// The browser's storage meter: how many bytes the origin uses.
//
// Chromium with LevelDB appends each commit of any context to a log, so the meter moves with every
// one, at once, and with nothing else but the removal of files. Chromium with SQLite and Firefox
// count pages of a file: there a commit may find room in one that is counted already.

/** The size of SQLite's pages, and of Firefox's. */
const PAGE = 4096;

/**
 * @typedef {object} Usage
 * @property {number} bytes
 * @property {"exact" | "pages" | "empty"} unit what the number is made of, as far as it shows:
 * "exact" moves with every commit, and so does "empty", with the first one
 */

/**
 * What the meter says; null where there is none, as in pages without TLS, or as long as it says
 * nothing.
 * @returns {Promise<Usage | null>}
 */
export async function readUsage() {
  try {
    const { usage = 0, usageDetails } = /** @type {any} */ (await navigator.storage.estimate());
    if (usageDetails === undefined) return { bytes: usage, unit: "pages" };
    const bytes = usageDetails.indexedDB ?? 0;
    // Chromium counts nothing of an origin until one of its databases is opened.
    if (bytes === 0 && (await indexedDB.databases()).length > 0) return null;
    return { bytes, unit: bytes === 0 ? "empty" : bytes % PAGE === 0 ? "pages" : "exact" };
  } catch {
    return null;
  }
}
