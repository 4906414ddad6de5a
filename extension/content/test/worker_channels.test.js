// The bridge's end of the channels of workers, over real channels.

import { settle } from "./support.js";
import assert from "node:assert/strict";
import { test } from "node:test";

import { WorkerChannels } from "../isolated/worker_channels.js";

function newChannels() {
  /** @type {string[]} */
  const received = [];
  const channels = new WorkerChannels({
    commit: (text) => void received.push(text),
    compare: (stores) => void received.push(`compare ${stores.length}`),
    survey: () => void received.push("survey"),
    miss: (url) => void received.push(`missed ${url}`),
  });
  return { channels, received };
}

/**
 * Posts messages as a hook does; what is answered until the last of them is received.
 * @param {string} name
 * @param {any[]} messages
 */
async function post(name, ...messages) {
  const channel = new BroadcastChannel(name);
  /** @type {any[]} */
  const answers = [];
  channel.onmessage = ({ data }) => void answers.push(data);
  // Receives all that is posted.
  const witness = new BroadcastChannel(name);
  let left = messages.length;
  await new Promise((resolve) => {
    witness.onmessage = () => --left === 0 && resolve(undefined);
    for (const message of messages) channel.postMessage(message);
  });
  for (let turn = 0; turn < 20; turn++) await settle();
  channel.close();
  witness.close();
  return answers;
}

test("hook_that_asks_is_answered_behind_what_it_posted", async () => {
  const { channels, received } = newChannels();
  const name = channels.nameFor("https://a.example/w.js", false);
  const answers = await post(name, "a", { ask: 7, id: 1 }, { missed: "https://a.example/w.js" });
  assert.deepEqual(received, ["a", "missed https://a.example/w.js"]);
  assert.deepEqual(answers, [{ taken: 7, id: 1 }]);
  channels.rest();
});

test("channel_of_outliving_worker_is_forgotten_when_the_document_rests", async () => {
  const { channels, received } = newChannels();
  const own = channels.nameFor("https://a.example/w.js", false);
  const lent = channels.lend(undefined);
  channels.rest();
  channels.comeBack();
  await post(own, "own");
  await post(lent, "lent");
  assert.deepEqual(received, ["own"]);
  // The background asks again.
  channels.lend(lent);
  await post(lent, "lent");
  assert.deepEqual(received, ["own", "lent"]);
  channels.leave(own);
  channels.leave(lent);
  await post(own, "own");
  await post(lent, "of another");
  assert.deepEqual(received, ["own", "lent", "own"]);
  channels.rest();
});

test("hooks_are_stopped_when_nothing_is_wanted", async () => {
  const { channels, received } = newChannels();
  const own = channels.nameFor("https://a.example/w.js", false);
  const lent = channels.lend("lent");
  channels.stop();
  assert.deepEqual(await post(own, "a"), [{ stop: true }]);
  // Another document may listen to it yet.
  assert.deepEqual(await post(lent, "a"), []);
  assert.deepEqual(received, []);
  channels.rest();
});
