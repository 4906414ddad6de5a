// What is blamed when the background's module traps.

import assert from "node:assert/strict";
import { test } from "node:test";

import { blame, documentOf, mayEnter } from "../../background/restart.js";

const SENDER = JSON.stringify({ origin: "https://a.example", tab: 1, frame: 0 });

/**
 * @param {string} name
 * @param {string} [documentId]
 * @returns {any} a port of the document
 */
const portOf = (name, documentId) => ({ name, sender: { documentId } });

test("blame_does_not_pass_to_the_next_document_at_its_place", () => {
  for (const [one, next] of [
    [portOf("bridge 1"), portOf("bridge 2")],
    [portOf("bridge 3", "a"), portOf("bridge 4", "b")],
  ]) {
    // A port of the same document that was opened after the restart.
    const again = { ...one };
    blame(documentOf(one, SENDER));
    assert.equal(mayEnter(documentOf(again, SENDER)), true);
    blame(documentOf(again, SENDER));
    assert.equal(mayEnter(documentOf(again, SENDER)), false);
    assert.equal(mayEnter(documentOf(next, SENDER)), true);
  }
});

test("name_that_a_document_gives_itself_does_not_clear_it", () => {
  const [one, renamed] = [portOf("bridge 1", "c"), portOf("bridge 2", "c")];
  for (let trap = 0; trap < 2; trap++) blame(documentOf(one, SENDER));
  assert.equal(mayEnter(documentOf(renamed, SENDER)), false);
});
