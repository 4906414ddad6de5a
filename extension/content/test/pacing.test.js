import { after, pass } from "./support.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pacing } from "../isolated/pacing.js";

const ONE = { isAnySent: false, unsentUnits: 10 };

test("lone_commit_never_waits", async () => {
  const pacing = new Pacing(() => false, after);
  await pass(100);
  pacing.noteAdded();
  assert.equal(
    pacing.hasToWait(ONE, () => {}),
    false,
  );
});

test("stream_of_small_commits_is_sent_once_in_a_while", async () => {
  const pacing = new Pacing(() => false, after);
  let sent = 0;
  await pass(100);
  pacing.noteAdded();
  pacing.noteSent();
  for (let each = 0; each < 5; each++) {
    await pass(1);
    pacing.noteAdded();
    assert.equal(
      pacing.hasToWait(ONE, () => (sent += 1)),
      true,
    );
  }
  await pass(5);
  assert.equal(sent, 0);
  await pass(10);
  assert.equal(sent, 1);
});

test("much_text_or_a_hidden_page_never_waits", async () => {
  await pass(100);
  for (const [isHidden, unsentUnits] of /** @type {[boolean, number][]} */ ([
    [true, 10],
    [false, 64 * 1024],
  ])) {
    const pacing = new Pacing(() => isHidden, after);
    pacing.noteAdded();
    pacing.noteSent();
    pacing.noteAdded();
    assert.equal(
      pacing.hasToWait({ isAnySent: true, unsentUnits }, () => {}),
      false,
    );
  }
});
