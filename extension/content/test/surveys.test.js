import { after, pass } from "./support.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Comparisons } from "../isolated/comparisons.js";
import { Surveys } from "../isolated/surveys.js";

/** @param {boolean[]} complete what each reading says of itself */
function newSurveys(complete) {
  const counts = { asked: 0, read: 0, ended: 0 };
  const surveys = new Surveys(false, {
    ask: () => (counts.asked += 1),
    read: async () => complete[counts.read++] ?? true,
    end: () => (counts.ended += 1),
    isStopped: () => false,
    after,
  });
  return { surveys, counts };
}

test("survey_is_asked_for_once_a_delay_for_many_changes", async () => {
  const { surveys, counts } = newSurveys([]);
  for (let each = 0; each < 10; each++) void surveys.askSoon();
  await pass(900);
  assert.equal(counts.asked, 0);
  await pass(200);
  assert.equal(counts.asked, 1);
  assert.equal(surveys.isWanted, true);
  // Those during the delay may have come too late for what was asked for.
  await pass(10_000);
  assert.equal(counts.asked, 2);
});

test("survey_is_repeated_while_databases_change_but_not_forever", async () => {
  const { surveys, counts } = newSurveys([false, false, true]);
  void surveys.begin();
  await pass(60_000);
  assert.deepEqual(counts, { asked: 0, read: 3, ended: 1 });
  const stubborn = newSurveys(Array(100).fill(false));
  void stubborn.surveys.begin();
  await pass(600_000);
  assert.deepEqual(stubborn.counts, { asked: 0, read: 5, ended: 1 });
});

test("comparison_names_each_store_once_and_rests_afterwards", async () => {
  /** @type {string[][]} */
  const read = [];
  const comparisons = new Comparisons(
    () => false,
    async (stores) => {
      read.push(stores.map(({ store }) => store));
      await after(50);
    },
    after,
  );
  const store = (/** @type {string} */ name) => ({ bucket: "", database: "d", store: name });
  void comparisons.compareSoon([store("a"), store("b")]);
  void comparisons.compareSoon([store("a")]);
  await pass(1100);
  assert.deepEqual(read, [["a", "b"]]);
  void comparisons.compareSoon([store("a")]);
  await pass(4000);
  assert.equal(read.length, 1);
  await pass(3000);
  assert.deepEqual(read[1], ["a"]);
});
