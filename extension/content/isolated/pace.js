// How many records are read at once.
//
// Nothing tells the size of a record but reading it, and what is read at once is in memory at once.
// So one record is read first. From then on as many are as a fraction of those that were small in a
// row: 200 of them follow 1,600 small ones, and behind a large one there is one again. Where all
// that the origin has is little the caution would only cost time.

/**
 * How many records are read at once at most, and how much text they should have together, in UTF-16
 * units.
 */
const MAX_RECORDS = 200;
const AIM = 1024 * 1024;
/** A text that is longer is a large record's. */
const LARGE = 64 * 1024;
/** One more is read at once for so many that were small. */
const SMALL_FOR_ONE = 8;
/** An origin that uses less, in bytes, is read faster: so many records first. */
const LITTLE = 8 * 1024 * 1024;
const FIRST_OF_LITTLE = 16;

/**
 * @typedef {object} Pace
 * @property {number} count how many records to read next
 * @property {(texts: string[]) => void} saw receives the texts of records that were read
 * @property {(read?: number) => boolean} halve says that so many were too much, or as many as were
 * to be read; whether less is possible
 */

/**
 * @param {boolean} isLittle `usesLittle`, asked once for all that is read in one go
 * @returns {Pace}
 */
export function newPace(isLittle) {
  let small = 0;
  /** @type {Pace} */
  const pace = {
    count: isLittle ? FIRST_OF_LITTLE : 1,
    saw(texts) {
      let units = 0;
      for (const { length } of texts) {
        units += length;
        small = length > LARGE ? 0 : small + 1;
      }
      const fitting = Math.floor((AIM * texts.length) / Math.max(units, 1));
      const ventured = isLittle ? pace.count * 4 : 1 + Math.floor(small / SMALL_FOR_ONE);
      pace.count = Math.max(1, Math.min(MAX_RECORDS, ventured, fitting));
    },
    halve(read = pace.count) {
      if (pace.count === 1) return false;
      isLittle = false;
      small = 0;
      pace.count = Math.max(1, Math.ceil(Math.min(pace.count, read) / 2));
      return true;
    },
  };
  return pace;
}

/** Whether all databases of the origin together are small, as far as the browser says. */
export async function usesLittle() {
  try {
    // Pages without TLS have no `storage`.
    const { usage } = await navigator.storage.estimate();
    return usage !== undefined && usage < LITTLE;
  } catch {
    return false;
  }
}
