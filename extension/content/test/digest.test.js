// The vectors that Rust and the page scripts agree on, and our own hash beside the engine's.

import "./idle.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { digestOf } from "../isolated/digest.js";
import { recordText } from "../shared/messages.js";

/** @type {{ name: string, records: { key: string, value: string }[], digest: string }[]} */
const vectors = JSON.parse(readFileSync(new URL("../../../tests/vectors/digests.json", import.meta.url), "utf8"));

/** @param {() => Promise<void>} run */
async function withoutSubtle(run) {
  const descriptor = /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(globalThis, "crypto"));
  Object.defineProperty(globalThis, "crypto", { value: {}, configurable: true });
  try {
    await run();
  } finally {
    Object.defineProperty(globalThis, "crypto", descriptor);
  }
}

async function keepToTheVectors() {
  for (const { name, records, digest } of vectors) {
    const texts = records.map(({ key, value }) => recordText(key, value));
    assert.equal(await digestOf(texts.join(",")), digest, name);
  }
}

test("digests_keep_to_the_vectors", keepToTheVectors);

test("digests_keep_to_the_vectors_without_tls", () => withoutSubtle(keepToTheVectors));

test("own_hash_of_any_length_is_the_engines", () =>
  withoutSubtle(async () => {
    for (const length of [0, 1, 55, 56, 63, 64, 65, 65_535, 65_536, 65_537, 200_000]) {
      const text = "aé😀".repeat(length).slice(0, length);
      const expected = createHash("sha256").update(text).digest("hex").slice(0, 32);
      assert.equal(await digestOf(text), expected, String(length));
    }
  }));
