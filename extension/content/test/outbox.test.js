import { after, endTurns, pass, settle } from "./support.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { MARK } from "../shared/channel.js";
import { Outbox } from "../isolated/outbox.js";
import { Pacing } from "../isolated/pacing.js";

/** An outbox with a port that is open, and what was posted over it. */
function newOutbox({ fill = async (/** @type {string} */ text) => text } = {}) {
  /** @type {any[]} */
  const posted = [];
  const port = { isOpen: true, post: (/** @type {any} */ message) => posted.push(message) };
  const outbox = new Outbox(port, new Pacing(() => false, after), fill);
  /** Adds a commit or what was read, and sends it. */
  const add = (/** @type {string} */ body, about = { droppable: true }) => {
    const delivery = outbox.add(body, about);
    outbox.send();
    return delivery;
  };
  /** The numbers of what was posted since this was last asked. */
  const sequences = () =>
    posted
      .splice(0)
      .flatMap(({ sequence, index, bodies }) =>
        bodies === undefined
          ? [`${sequence}/${index}`]
          : bodies.map((/** @type {string} */ _, /** @type {number} */ each) => sequence + each),
      );
  return { outbox, port, posted, add, sequences };
}

/**
 * The deliveries of what was posted.
 * @param {any[]} posted
 * @returns {{ sequence: number, body: any }[]}
 */
const deliveriesOf = (posted) =>
  posted.flatMap(({ sequence, bodies = [] }) =>
    bodies.map((/** @type {string} */ body, /** @type {number} */ index) => ({
      sequence: sequence + index,
      body: JSON.parse(body),
    })),
  );

/**
 * @param {string} store
 * @param {number} units about so long
 */
const commit = (store, units = 0) =>
  JSON.stringify({
    commit: {
      bucket: "",
      database: "d",
      operations: [{ put: { store, key: 1, value: "x".repeat(units) } }],
    },
  });

test("delivery_keeps_its_number_when_sent_again", async () => {
  const { outbox, add, sequences } = newOutbox();
  add(commit("a"));
  await pass(100);
  add(commit("b"));
  await pass(100);
  assert.deepEqual(sequences(), [1, 2]);
  outbox.acknowledge(1);
  outbox.restart();
  outbox.send();
  await pass(100);
  assert.deepEqual(sequences(), [2]);
  outbox.acknowledge(2);
  assert.ok(outbox.isEmpty);
});

test("nothing_is_sent_while_no_port_is_open", async () => {
  const { outbox, port, add, sequences } = newOutbox();
  port.isOpen = false;
  add(commit("a"));
  await pass(1000);
  assert.deepEqual(sequences(), []);
  port.isOpen = true;
  outbox.restart();
  outbox.send();
  assert.deepEqual(sequences(), [1]);
});

test("window_bounds_what_is_on_its_way", async () => {
  const { outbox, add, sequences } = newOutbox();
  outbox.limits = { window: 300_000, part_units: 1_000_000 };
  for (const store of ["a", "b", "c"]) {
    await pass(100);
    add(commit(store, 140_000));
  }
  assert.deepEqual(sequences(), [1, 2]);
  outbox.acknowledge(1);
  await pass(100);
  assert.deepEqual(sequences(), [3]);
});

test("delivery_larger_than_the_window_is_sent_alone", async () => {
  const { outbox, add, sequences } = newOutbox();
  outbox.limits = { window: 1000, part_units: 1_000_000 };
  add(commit("a", 5000));
  await pass(100);
  add(commit("b"));
  await pass(100);
  assert.deepEqual(sequences(), [1]);
  outbox.acknowledge(1);
  await pass(100);
  assert.deepEqual(sequences(), [2]);
});

test("long_delivery_is_sent_in_parts_that_make_it_up", async () => {
  const { outbox, posted, add } = newOutbox();
  outbox.limits = { window: 1_000_000, part_units: 100_000 };
  const body = commit("a", 250_000);
  add(body);
  assert.deepEqual(
    posted.map(({ index, count }) => [index, count]),
    [
      [0, 3],
      [1, 3],
      [2, 3],
    ],
  );
  assert.equal(posted.map(({ text }) => text).join(""), body);
});

test("part_ends_between_characters", () => {
  const { outbox, posted, add } = newOutbox();
  outbox.limits = { window: 1_000_000, part_units: 10 };
  const body = JSON.stringify({ gap: { reason: "😀".repeat(20), stores: [] } });
  add(body);
  for (const { text } of posted) assert.ok(text.isWellFormed(), text);
  assert.equal(posted.map(({ text }) => text).join(""), body);
});

test("page_has_its_turn_between_two_tasks_of_text", async () => {
  const { add, sequences } = newOutbox();
  add(commit("a", 400_000));
  assert.deepEqual(sequences(), [1]);
  add(commit("b", 600_000));
  assert.deepEqual(sequences(), []);
  assert.equal(endTurns(), 1);
  assert.deepEqual(sequences(), ["2/0"]);
  assert.equal(endTurns(), 1);
  assert.deepEqual(sequences(), ["2/1"]);
});

test("commit_without_room_becomes_a_gap_and_what_follows_is_sent_again", async () => {
  const { outbox, posted, add, sequences } = newOutbox();
  add(commit("a", 1000));
  await pass(100);
  add(commit("b"));
  await pass(100);
  assert.deepEqual(sequences(), [1, 2]);
  outbox.giveUp(1);
  await pass(100);
  const deliveries = deliveriesOf(posted);
  assert.deepEqual(
    deliveries.map(({ sequence, body }) => [sequence, Object.keys(body)[0]]),
    [
      [1, "gap"],
      [2, "commit"],
    ],
  );
});

test("reader_learns_that_there_was_no_room", async () => {
  const { outbox, posted, add } = newOutbox();
  const first = outbox.fateOf(add('{"snapshot":{}}', { droppable: false }));
  outbox.giveUp(1);
  assert.equal(await first, false);
  assert.ok(deliveriesOf(posted).at(-1)?.body.skipped);
  await pass(100);
  const second = outbox.fateOf(add('{"snapshot":{}}', { droppable: false }));
  outbox.acknowledge(2);
  assert.equal(await second, true);
});

test("commits_past_the_bound_become_one_gap_of_their_stores", async () => {
  const { outbox, port, posted } = newOutbox();
  port.isOpen = false;
  outbox.add('{"snapshot":{}}', { droppable: false });
  for (let each = 0; each < 70; each++) outbox.add(commit(`s${each % 2}`, 1024 * 1024), { droppable: true });
  port.isOpen = true;
  outbox.restart();
  outbox.send();
  while (endTurns() > 0);
  const bodies = deliveriesOf(posted).map(({ body }) => body);
  const gap = bodies.find((body) => body.gap);
  assert.deepEqual(
    gap.gap.stores.map((/** @type {any} */ { store }) => store),
    ["s0", "s1"],
  );
  assert.ok(bodies.some((body) => body.snapshot));
});

test("blobs_are_filled_in_before_their_turn", async () => {
  /** @type {(text: string) => void} */
  let filled = () => {};
  const { posted, add } = newOutbox({ fill: () => new Promise((resolve) => (filled = resolve)) });
  add(`{"commit":{"bytes":"${MARK}"}}`, /** @type {any} */ ({ droppable: true, blobs: [{}] }));
  await pass(100);
  add(commit("behind"));
  await pass(100);
  assert.deepEqual(posted, []);
  filled('{"commit":{"bytes":"filled"}}');
  await settle();
  await pass(100);
  const bodies = deliveriesOf(posted).map(({ body }) => body.commit);
  assert.equal(bodies[0].bytes, "filled");
  assert.equal(bodies[1].database, "d");
});

test("blobs_that_fail_are_named_in_a_gap", async () => {
  const { posted, add } = newOutbox({ fill: () => Promise.reject(new Error("memory")) });
  add(commit(MARK), /** @type {any} */ ({ droppable: true, blobs: [{}] }));
  await pass(100);
  const bodies = deliveriesOf(posted).map(({ body }) => body);
  assert.deepEqual(
    bodies.map((body) => Object.keys(body)[0]),
    ["commit", "gap"],
  );
});

test("body_of_any_shape_with_blobs_that_fail_holds_nothing_up", async () => {
  const { posted, add } = newOutbox({ fill: () => Promise.reject(new Error("memory")) });
  const blobs = /** @type {any} */ ({ droppable: true, blobs: [{}] });
  for (const body of ['{"commit":5}', '{"gap":{}}', "null", "5"]) add(body, blobs);
  add(commit("after"));
  await pass(100);
  assert.equal(deliveriesOf(posted).filter(({ body }) => body?.commit?.operations).length, 1);
});

test("document_that_leaves_sends_all_at_once", async () => {
  const { outbox, add, sequences } = newOutbox();
  add(commit("a"));
  await pass(10);
  // Right behind another: this one waits for company.
  outbox.add(commit("b"), { droppable: true });
  outbox.add(commit("c"), { droppable: true });
  outbox.send();
  assert.deepEqual(sequences(), [1]);
  outbox.leave();
  outbox.send();
  assert.deepEqual(sequences(), [2, 3]);
});

test("document_that_leaves_with_much_sends_a_gap_first", async () => {
  const { outbox, port, posted } = newOutbox();
  port.isOpen = false;
  outbox.limits = { window: 1_000_000, part_units: 10_000_000 };
  for (const store of ["a", "b", "c"]) outbox.add(commit(store, 600_000), { droppable: true });
  port.isOpen = true;
  outbox.restart();
  outbox.leave();
  outbox.send();
  const [first] = posted;
  assert.deepEqual(deliveriesOf([first])[0].body.gap.stores, []);
});

test("document_that_leaves_does_not_wait_for_blobs", async () => {
  const { outbox, posted, add } = newOutbox({ fill: () => new Promise(() => {}) });
  add(commit(`a${MARK}`), /** @type {any} */ ({ droppable: true, blobs: [{}] }));
  outbox.leave();
  outbox.send();
  const bodies = deliveriesOf(posted).map(({ body }) => body);
  assert.deepEqual(
    bodies.map((body) => Object.keys(body)[0]),
    ["commit", "gap"],
  );
  assert.equal(outbox.comeBack(), true);
  assert.equal(outbox.comeBack(), false);
});

test("numbers_ascend_when_leaving_begins_again", async () => {
  const { outbox, add, sequences } = newOutbox();
  for (const store of ["a", "b"]) {
    add(commit(store, 300_000));
    await pass(1000);
    while (endTurns() > 0);
  }
  assert.deepEqual(sequences(), [1, 2]);
  // Leaving was ended, and both may be lost.
  outbox.restart();
  outbox.leave();
  outbox.send();
  assert.deepEqual(sequences(), [1, 2]);
});

test("answer_about_stretches_is_known_with_the_deliverys_fate", async () => {
  const { outbox, add } = newOutbox();
  const asked = add('{"digests":{}}', { droppable: false });
  const fate = outbox.fateOf(asked);
  outbox.noteMatched(1, 3);
  // The port breaks, and the host has the delivery already: it does not answer once more.
  outbox.restart();
  outbox.send();
  outbox.acknowledge(1);
  assert.deepEqual([await fate, outbox.matchesOf(asked)], [true, 3]);
  // An answer that was lost, and one to a question that there was no room for.
  await pass(100);
  const unanswered = add('{"digests":{}}', { droppable: false });
  const turnedAway = add('{"digests":{}}', { droppable: false });
  await pass(100);
  const fates = [outbox.fateOf(unanswered), outbox.fateOf(turnedAway)];
  outbox.giveUp(3);
  outbox.noteMatched(99, 1);
  outbox.acknowledge(3);
  assert.deepEqual(await Promise.all(fates), [true, false]);
  assert.deepEqual([outbox.matchesOf(unanswered), outbox.matchesOf(turnedAway)], [0, 0]);
});
