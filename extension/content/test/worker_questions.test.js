// Which questions of the background about workers a document answers.

import "./support.js";
import assert from "node:assert/strict";
import { test } from "node:test";

import { WorkerChannels } from "../isolated/worker_channels.js";
import { answerForWorker } from "../isolated/worker_questions.js";
import { channelIn, originOf } from "../../background/owners.js";

const ORIGIN = "https://a.example";
const SCRIPT = `${ORIGIN}/w.js`;

/** @param {{ origin?: string, ancestors?: string[], ephemeral?: boolean }} about */
function newOwner({ origin = ORIGIN, ancestors = [], ephemeral = false } = {}) {
  const ignore = () => {};
  /** @type {string[]} */
  const named = [];
  const channels = new WorkerChannels({ commit: ignore, compare: ignore, survey: ignore, miss: ignore });
  const owner = {
    origin,
    place: { ancestors, ephemeral },
    channels,
    workers: { noteHooked: ignore, noteMissed: (/** @type {string} */ url) => void named.push(url) },
    isClosed: () => false,
    survey: ignore,
  };
  return { owner, named, end: () => channels.rest() };
}

test("channel_is_given_for_a_worker_of_the_documents_own_origin_only", () => {
  const { owner, named, end } = newOwner();
  const answer = answerForWorker(owner, { url: SCRIPT, from: ORIGIN });
  assert.equal(typeof channelIn(answer, ORIGIN), "string");
  assert.equal(channelIn(answer, "https://b.example"), undefined);
  /** @type {any[]} */
  const others = [undefined, "null", "https://b.example", "http://a.example", "https://a.example:444"];
  for (const from of others) {
    assert.equal(answerForWorker(owner, { url: SCRIPT, from }), undefined);
    assert.equal(answerForWorker(owner, { url: SCRIPT, from, isMissed: true }), undefined);
    assert.equal(answerForWorker(owner, { url: SCRIPT, from, outlives: true, channel: "c" }), undefined);
  }
  assert.deepEqual(named, []);
  assert.equal(answerForWorker(owner, { url: SCRIPT, from: ORIGIN, isMissed: true }), true);
  assert.deepEqual(named, [SCRIPT]);
  end();
});

test("document_with_databases_of_its_own_gives_no_channel", () => {
  for (const about of [
    { ancestors: ["https://b.example", ORIGIN] },
    { ancestors: [ORIGIN, "null"] },
    { ancestors: ["http://a.example"] },
    { ephemeral: true },
    { origin: "null" },
  ]) {
    const { owner, end } = newOwner(about);
    assert.equal(answerForWorker(owner, { url: SCRIPT, from: owner.origin }), undefined);
    end();
  }
  // Another port is the same site.
  const { owner, end } = newOwner({ ancestors: ["https://a.example:8443", ORIGIN] });
  assert.notEqual(answerForWorker(owner, { url: SCRIPT, from: ORIGIN }), undefined);
  end();
});

test("document_that_knows_the_worker_answers_for_its_imports", () => {
  const first = newOwner();
  const second = newOwner({ ancestors: [ORIGIN] });
  const own = answerForWorker(second.owner, { url: SCRIPT, from: ORIGIN });
  const asked = { url: SCRIPT, from: ORIGIN, isImport: true, by: SCRIPT };
  assert.equal(answerForWorker(first.owner, asked), undefined);
  assert.deepEqual(answerForWorker(second.owner, asked), own);
  const inside = { url: `${ORIGIN}/inner.js`, from: ORIGIN, by: SCRIPT };
  assert.equal(answerForWorker(first.owner, inside), undefined);
  assert.notEqual(answerForWorker(second.owner, inside), undefined);
  // Of a worker around it that has no address, the page in the tab is the likeliest document.
  const unnamed = { url: `${ORIGIN}/inner.js`, from: ORIGIN, by: `${ORIGIN}/` };
  assert.notEqual(answerForWorker(first.owner, unnamed), undefined);
  assert.equal(answerForWorker(second.owner, unnamed), undefined);
  first.end();
  second.end();
});

test("what_has_no_origin_of_its_own_has_the_origin_null", () => {
  for (const url of [undefined, "", "data:,1", "about:blank", "w.js"]) assert.equal(originOf(url), "null");
  assert.equal(originOf(`blob:${ORIGIN}/2f6e`), ORIGIN);
  assert.equal(channelIn({ channel: "c", origin: "null" }, "null"), undefined);
});
