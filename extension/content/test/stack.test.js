// Many calls of ours come from inside calls of the page, whose stack may be at its end. Wherever
// that is, the next call works.

import { after, endTurns, pass } from "./support.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Comparisons } from "../isolated/comparisons.js";
import { Pacing } from "../isolated/pacing.js";
import { Surveys } from "../isolated/surveys.js";
import { Turn } from "../isolated/turn.js";
import { needStack } from "../shared/stack.js";

/** How many calls from the end of the stack are tried. */
const CALLS = 100;

/**
 * Acts so many calls from the end of the stack; whether that threw. To compile a function takes
 * more of the stack than to call it: `act` must have run before.
 * @template T
 * @param {number} calls
 * @param {(made: T) => void} act
 * @param {T} made
 */
function nearTheEnd(calls, act, made) {
  let unwound = 0;
  let threw = false;
  const goDown = () => {
    try {
      goDown();
    } catch {
      // Here it ends.
    }
    if (unwound++ !== calls) return;
    try {
      act(made);
    } catch {
      threw = true;
    }
  };
  goDown();
  return threw;
}

/**
 * Acts on something new at each of the last calls of the stack.
 * @template T
 * @param {(done: () => void) => T} make
 * @param {(made: T) => void} act
 * @param {(made: T, done: number) => void | Promise<void>} check
 */
async function atEachEnd(make, act, check) {
  act(make(() => {}));
  await pass(60_000);
  const all = [];
  for (let calls = 0; calls < CALLS; calls++) {
    const counted = { made: /** @type {any} */ (null), done: 0 };
    counted.made = make(() => (counted.done += 1));
    nearTheEnd(calls, act, counted.made);
    all.push(counted);
  }
  await pass(60_000);
  for (const { made } of all) act(made);
  await pass(60_000);
  for (const { made, done } of all) await check(made, done);
}

const isStopped = () => false;

test("survey_is_asked_for_after_the_stack_has_ended", () =>
  atEachEnd(
    (done) => new Surveys(false, { ask: done, read: async () => true, end: () => {}, isStopped, after }),
    (surveys) => void surveys.askSoon(),
    (surveys, done) => {
      assert.ok(done > 0);
      assert.equal(surveys.isWanted, true);
    },
  ));

test("databases_are_read_after_the_stack_has_ended", () =>
  atEachEnd(
    (done) => new Surveys(false, { ask: () => {}, read: async () => (done(), true), end: () => {}, isStopped, after }),
    (surveys) => void surveys.begin(),
    (_surveys, done) => assert.ok(done > 0),
  ));

test("stores_are_compared_after_the_stack_has_ended", () =>
  atEachEnd(
    (done) => new Comparisons(isStopped, async () => done(), after),
    (comparisons) => void comparisons.compareSoon([{ bucket: "", database: "d", store: "s" }]),
    (_comparisons, done) => assert.ok(done > 0),
  ));

test("stream_is_sent_after_the_stack_has_ended", () =>
  atEachEnd(
    (done) => ({ pacing: new Pacing(() => false, after), done }),
    ({ pacing, done }) => {
      pacing.noteSent();
      pacing.hasToWait({ isAnySent: true, unsentUnits: 1 }, done);
    },
    (_made, done) => assert.ok(done > 0),
  ));

test("page_gets_its_turn_after_the_stack_has_ended", () =>
  atEachEnd(
    (done) => new Turn(done),
    (turn) => {
      turn.give();
    },
    (turn) => {
      endTurns();
      assert.equal(turn.isGiven, false);
    },
  ));

test("stack_is_asked_for_before_it_ends", () => {
  needStack(20);
  const outcomes = Array.from({ length: CALLS }, (_none, calls) => nearTheEnd(calls, needStack, 20));
  assert.equal(outcomes[0], true);
  assert.equal(outcomes[CALLS - 1], false);
});

test("reading_that_fails_is_begun_again", async () => {
  let attempts = 0;
  let ended = 0;
  const read = async () => {
    attempts += 1;
    if (attempts === 1) throw new Error("memory");
    return true;
  };
  const surveys = new Surveys(false, { ask: () => {}, read, end: () => (ended += 1), isStopped, after });
  await surveys.begin();
  assert.deepEqual([attempts, ended], [1, 0]);
  await surveys.begin();
  assert.deepEqual([attempts, ended], [2, 1]);

  const comparisons = new Comparisons(isStopped, async () => (await read(), undefined), after);
  attempts = 0;
  for (let each = 0; each < 2; each++) {
    void comparisons.compareSoon([{ bucket: "", database: "d", store: "s" }]);
    await pass(60_000);
  }
  assert.equal(attempts, 2);
});
