// The digest of a stretch of records: `protocol::digest`, to which `tests/vectors/digests.json`
// keeps both.

import { hexadecimal, Sha256 } from "./sha256.js";
import { idle } from "./time.js";

/** How many hexadecimal digits of the SHA-256 count. */
const DIGEST_DIGITS = 32;
/** How much our own hash takes in one go: about a millisecond's worth. */
const HASHED_AT_ONCE = 64 * 1024;

/**
 * @param {string} text the records as in a snapshot, with a comma between two
 * @returns {Promise<string>} in hexadecimal
 */
export async function digestOf(text) {
  const bytes = new Uint8Array(text.length * 3);
  // Into an array of this world: Firefox makes the encoder's in the page's.
  const { written } = new TextEncoder().encodeInto(text, bytes);
  return hexadecimal(await hashOfBytes(bytes.subarray(0, written))).slice(0, DIGEST_DIGITS);
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
async function hashOfBytes(bytes) {
  // Pages without TLS have no `subtle`. Of what it resolves with Firefox allows no `subarray`.
  if (crypto.subtle !== undefined) return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hash = new Sha256();
  for (let from = 0; from < bytes.length; from += HASHED_AT_ONCE) {
    if (from > 0) await idle();
    hash.update(bytes.subarray(from, from + HASHED_AT_ONCE));
  }
  return hash.digest();
}
