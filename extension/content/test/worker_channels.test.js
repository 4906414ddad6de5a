// The bridge's end of the channels of workers, over real channels.

import { settle } from "./support.js";
import assert from "node:assert/strict";
import { test } from "node:test";

import { WorkerChannels } from "../isolated/worker_channels.js";

function newChannels() {
  /** @type {string[]} */
  const heard = [];
  const channels = new WorkerChannels({
    commit: (text) => void heard.push(text),
    compare: (stores) => void heard.push(`compare ${stores.length}`),
    survey: () => void heard.push("survey"),
    miss: (url) => void heard.push(`missed ${url}`),
  });
  return { channels, heard };
}

/**
 * Posts messages as a hook does; what is answered until the last of them is heard.
 * @param {string} name
 * @param {any[]} messages
 */
async function post(name, ...messages) {
  const channel = new BroadcastChannel(name);
  /** @type {any[]} */
  const answers = [];
  channel.onmessage = ({ data }) => void answers.push(data);
  // Hears all that is posted.
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
  const { channels, heard } = newChannels();
  const name = channels.nameFor("https://a.example/w.js", false);
  const answers = await post(name, "a", { ask: 7, id: 1 }, { missed: "https://a.example/w.js" });
  assert.deepEqual(heard, ["a", "missed https://a.example/w.js"]);
  assert.deepEqual(answers, [{ taken: 7, id: 1 }]);
  channels.rest();
});

test("channel_of_outliving_worker_is_forgotten_when_the_document_rests", async () => {
  const { channels, heard } = newChannels();
  const own = channels.nameFor("https://a.example/w.js", false);
  const lent = channels.lend(undefined);
  channels.rest();
  channels.comeBack();
  await post(own, "own");
  await post(lent, "lent");
  assert.deepEqual(heard, ["own"]);
  // The background asks again.
  channels.lend(lent);
  await post(lent, "lent");
  assert.deepEqual(heard, ["own", "lent"]);
  channels.leave(own);
  channels.leave(lent);
  await post(own, "own");
  await post(lent, "of another");
  assert.deepEqual(heard, ["own", "lent", "own"]);
  channels.rest();
});

test("hooks_are_stopped_when_nothing_is_wanted", async () => {
  const { channels, heard } = newChannels();
  const own = channels.nameFor("https://a.example/w.js", false);
  const lent = channels.lend("lent");
  channels.stop();
  assert.deepEqual(await post(own, "a"), [{ stop: true }]);
  // Another document may listen to it yet.
  assert.deepEqual(await post(lent, "a"), []);
  assert.deepEqual(heard, []);
  channels.rest();
});
