import { after, endTurns, pass } from "./support.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Announcement } from "../isolated/announcement.js";

/** An announcement with a hook, and what was posted since this was last asked. */
function newAnnouncement() {
  const state = { isHookWriting: false, isAllSent: true, isHidden: false };
  /** @type {string[]} */
  const messages = [];
  const announcement = new Announcement({
    post: (message) => messages.push(Object.keys(JSON.parse(message))[0]),
    ask: () => state.isHookWriting || announcement.noteRested(),
    isAllSent: () => state.isAllSent,
    isHidden: () => state.isHidden,
    after,
  });
  const posted = () => messages.splice(0);
  const write = () => {
    state.isHookWriting = true;
    announcement.noteWriting();
  };
  return { announcement, state, posted, write };
}

test("write_is_announced_before_the_call_returns", async () => {
  const { state, posted, write } = newAnnouncement();
  write();
  assert.deepEqual(posted(), ["writing"]);
  await pass(1000);
  assert.deepEqual(posted(), [], "it still writes");
  state.isHookWriting = false;
  await pass(100);
  assert.deepEqual(posted(), ["rested"]);
  await pass(1000);
  assert.deepEqual(posted(), []);
});

test("page_that_writes_again_and_again_says_so_once", async () => {
  const { posted, write } = newAnnouncement();
  for (let number = 0; number < 100; number++) {
    write();
    await pass(5);
  }
  assert.deepEqual(posted(), ["writing"]);
});

test("document_rests_once_all_is_sent", async () => {
  const { state, posted, write } = newAnnouncement();
  write();
  state.isHookWriting = false;
  state.isAllSent = false;
  await pass(1000);
  assert.deepEqual(posted(), ["writing"]);
  state.isAllSent = true;
  await pass(100);
  assert.deepEqual(posted(), ["rested"]);
});

test("new_port_learns_what_is_not_sent", async () => {
  const { announcement, state, posted, write } = newAnnouncement();
  announcement.restart();
  assert.deepEqual(posted(), []);
  write();
  posted();
  announcement.restart();
  assert.deepEqual(posted(), ["writing"]);
  state.isHookWriting = false;
  await pass(100);
  posted();
  // The port has broken, and deliveries are sent once more.
  state.isAllSent = false;
  announcement.restart();
  assert.deepEqual(posted(), ["writing"]);
  state.isAllSent = true;
  await pass(100);
  assert.deepEqual(posted(), ["rested"]);
});

test("hidden_document_waits_for_no_timer", () => {
  const { announcement, state, posted, write } = newAnnouncement();
  state.isHidden = true;
  write();
  state.isHookWriting = false;
  announcement.noteCommit();
  endTurns();
  assert.deepEqual(posted(), ["writing", "rested"]);
});
