// The vectors that Rust and both browsers agree on, as far as this engine has what they hold.

import "./support.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import "../shared/builtins.js";
import { encodeValue } from "../shared/encode.js";

/** @type {{ name: string, js: string, typed: string }[]} */
const vectors = JSON.parse(readFileSync(new URL("../../../tests/vectors/values.json", import.meta.url), "utf8"));

/** @param {string} js */
function evaluate(js) {
  try {
    return { value: (0, eval)(js) };
  } catch {
    // A class that only browsers have.
    return undefined;
  }
}

test("values_are_encoded_as_the_vectors_say", () => {
  let compared = 0;
  for (const { name, js, typed } of vectors) {
    // Engines word stacks differently; blobs, platform objects and base64 are the browser's.
    if (/"\*"|\$blob|\$platform|\$bytes|\$opaque/.test(typed)) continue;
    const made = evaluate(js);
    if (made === undefined) continue;
    assert.equal(encodeValue(made.value, true, null)?.text, typed, name);
    compared += 1;
  }
  assert.ok(compared > 30, `only ${compared} of ${vectors.length}`);
});
