// SHA-256 in pieces (FIPS 180-4), which `crypto.subtle` does not offer.

/** @typedef {{ initial: Uint32Array, constants: Uint32Array }} Tables */

/** @type {Tables | undefined} Made when something is hashed: hardly any document ever does. */
let tables;

/**
 * The first 32 bits of the fractional parts of the square and cube roots of the first primes: FIPS
 * 180-4, 5.3.3 and 4.2.2.
 * @returns {Tables}
 */
function makeTables() {
  const primes = Array.from({ length: 312 }, (_, number) => number).filter(
    (number) =>
      number > 1 &&
      !Array.from({ length: number - 2 }, (_, index) => index + 2).some((divisor) => number % divisor === 0),
  );
  /** @param {number} power */
  const fractions = (power) => Uint32Array.from(primes, (prime) => (prime ** power % 1) * 2 ** 32);
  return { initial: fractions(1 / 2).subarray(0, 8), constants: fractions(1 / 3) };
}

const BLOCK = 64;

export class Sha256 {
  #tables = (tables ??= makeTables());
  #state = this.#tables.initial.slice();
  #words = new Uint32Array(64);
  /** What is left of the last piece. */
  #rest = new Uint8Array(BLOCK);
  #length = 0;

  /** @param {Uint8Array} bytes */
  update(bytes) {
    const filled = this.#length % BLOCK;
    this.#length += bytes.length;
    let from = 0;
    if (filled > 0) {
      from = Math.min(BLOCK - filled, bytes.length);
      this.#rest.set(bytes.subarray(0, from), filled);
      if (filled + from < BLOCK) return;
      this.#block(this.#rest, 0);
    }
    for (; from + BLOCK <= bytes.length; from += BLOCK) this.#block(bytes, from);
    this.#rest.set(bytes.subarray(from));
  }

  /** The hash; nothing can be added afterwards. */
  digest() {
    const length = this.#length;
    const padded = new Uint8Array((length % BLOCK < 56 ? 64 : 128) - (length % BLOCK));
    padded[0] = 0x80;
    new DataView(padded.buffer).setBigUint64(padded.length - 8, BigInt(length) * 8n);
    this.update(padded);
    const digest = new DataView(new ArrayBuffer(32));
    this.#state.forEach((word, index) => digest.setUint32(index * 4, word));
    return new Uint8Array(digest.buffer);
  }

  /**
   * @param {Uint8Array} bytes
   * @param {number} from
   */
  #block(bytes, from) {
    const words = this.#words;
    const { constants } = this.#tables;
    const view = new DataView(bytes.buffer, bytes.byteOffset + from, BLOCK);
    for (let index = 0; index < 16; index++) words[index] = view.getUint32(index * 4);
    for (let index = 16; index < 64; index++) {
      const [early, late] = [words[index - 15], words[index - 2]];
      words[index] =
        words[index - 16] +
        (rotated(early, 7) ^ rotated(early, 18) ^ (early >>> 3)) +
        words[index - 7] +
        (rotated(late, 17) ^ rotated(late, 19) ^ (late >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = this.#state;
    for (let index = 0; index < 64; index++) {
      const first =
        (h +
          (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) +
          ((e & f) ^ (~e & g)) +
          constants[index] +
          words[index]) |
        0;
      const second = ((rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + second) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((word, index) => (this.#state[index] += word));
  }
}

/**
 * @param {number} word
 * @param {number} bits
 */
const rotated = (word, bits) => (word >>> bits) | (word << (32 - bits));

/** @param {Uint8Array} bytes */
export const hexadecimal = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
