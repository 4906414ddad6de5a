import { after, pass } from "./support.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Watch } from "../isolated/watch.js";

const PUT = '{"commit":{"operations":[{"put":{"store":"s","key":1,"value":1}}]}}';

/**
 * A document that looks for unseen writes, in a browser whose meter the test moves.
 * @param {"exact" | "pages" | "none"} unit
 */
function newDocument(unit) {
  const seen = { bytes: 1001, compared: 0, accounted: 0 };
  const watch = new Watch({
    read: async () => (unit === "none" ? null : { bytes: seen.bytes, unit }),
    compare: () => {
      seen.compared += 1;
      void after(50).then(() => watch.noteCompared());
    },
    accounted: () => (seen.accounted += 1),
    after,
  });
  const commit = () => {
    seen.bytes += 300;
    watch.noteCommit(PUT);
  };
  return { watch, seen, commit };
}

test("unseen_write_is_compared_within_a_second_and_once", async () => {
  const { watch, seen } = newDocument("exact");
  watch.start(null);
  await pass(10_000);
  assert.equal(seen.compared, 0);
  seen.bytes += 300;
  await pass(1000);
  assert.equal(seen.compared, 1);
  await pass(3_600_000);
  assert.equal(seen.compared, 1);
});

test("captured_commits_are_not_compared", async () => {
  const { watch, seen, commit } = newDocument("exact");
  watch.start(null);
  for (let each = 0; each < 600; each++) {
    commit();
    await pass((each * 37) % 190);
  }
  await pass(2000);
  assert.equal(seen.compared, 0);
});

test("commit_reported_later_explains_a_movement", async () => {
  const { watch, seen } = newDocument("exact");
  watch.start(null);
  await pass(1000);
  for (let each = 0; each < 50; each++) {
    seen.bytes += 300;
    await pass(250);
    watch.noteOthers();
    await pass(400);
  }
  assert.equal(seen.compared, 0);
  assert.equal(seen.accounted, 50);
});

test("unseen_write_between_captured_commits_is_found", async () => {
  const { watch, seen, commit } = newDocument("exact");
  watch.start(null);
  await pass(1000);
  for (let each = 0; each < 10; each++) {
    commit();
    await pass(350);
    if (each === 5) seen.bytes += 300;
    await pass(350);
  }
  assert.equal(seen.compared, 1);
});

test("unseen_write_behind_the_start_of_a_comparison_leads_to_another_one", async () => {
  const { watch, seen } = newDocument("exact");
  watch.start(null);
  await pass(1000);
  seen.bytes += 300;
  while (seen.compared === 0) await pass(10);
  watch.noteFound();
  seen.bytes += 300;
  await pass(2000);
  assert.equal(seen.compared, 2);
});

test("document_that_takes_over_finds_what_was_written_in_between", async () => {
  const { watch, seen, commit } = newDocument("exact");
  watch.start(null);
  await pass(1000);
  const from = watch.stop();
  assert.deepEqual(from, { bytes: 1001, committed: false });
  const other = newDocument("exact");
  other.watch.start(from);
  await pass(2000);
  assert.equal(other.seen.compared, 0);
  other.watch.stop();
  // Here it was hidden all the time.
  other.seen.bytes += 300;
  other.watch.start(from);
  await pass(2000);
  assert.equal(other.seen.compared, 1);
  // What was committed meanwhile explains it.
  commit();
  assert.deepEqual(watch.stop(), { bytes: 1001, committed: true });
  await pass(2000);
  assert.equal(seen.compared, 0);
});

test("movements_that_were_none_are_compared_ever_less_often", async () => {
  const { watch, seen } = newDocument("exact");
  watch.start(null);
  for (let second = 0; second < 3600; second++) {
    seen.bytes += 300;
    await pass(1000);
  }
  assert.ok(seen.compared < 25, String(seen.compared));
  watch.noteFound();
  const before = seen.compared;
  seen.bytes += 300;
  await pass(1500);
  assert.equal(seen.compared, before + 1);
});

test("comparisons_follow_a_schedule_without_a_meter", async () => {
  const { watch, seen } = newDocument("none");
  watch.start(null);
  await pass(2600);
  assert.equal(seen.compared, 1);
  // A read of 50 ms is followed by a rest of 5 s at least.
  await pass(5100);
  assert.equal(seen.compared, 2);
  await pass(3_600_000);
  assert.ok(seen.compared > 15 && seen.compared < 25, String(seen.compared));
  const before = seen.compared;
  watch.suspect();
  await pass(6000);
  assert.equal(seen.compared, before + 1);
});

test("schedule_goes_on_often_while_unseen_writes_are_found", async () => {
  const { watch, seen } = newDocument("none");
  watch.start(null);
  for (let second = 0; second < 60; second++) {
    watch.noteFound();
    await pass(2600);
  }
  assert.ok(seen.compared >= 55, String(seen.compared));
});

test("meter_of_pages_is_no_reason_to_rest", async () => {
  const { watch, seen } = newDocument("pages");
  watch.start(null);
  await pass(100_000);
  assert.ok(seen.compared >= 4, String(seen.compared));
  const before = seen.compared;
  // It takes a page more.
  seen.bytes += 4096;
  await pass(1000);
  assert.equal(seen.compared, before + 1);
  // It gives pages back.
  seen.bytes -= 8192;
  await pass(1000);
  assert.equal(seen.compared, before + 1);
});

test("meter_that_a_commit_leaves_where_it_was_is_not_relied_on", async () => {
  const { watch, seen } = newDocument("exact");
  watch.start(null);
  await pass(10_000);
  for (let each = 0; each < 3; each++) {
    watch.noteCommit(PUT);
    await pass(1000);
  }
  await pass(10_000);
  assert.ok(seen.compared > 0);
});

test("commits_that_may_hide_a_worker_s_are_compared_sometimes", async () => {
  for (const [isSuspect, least, most] of /** @type {const} */ ([
    [true, 12, 25],
    [false, 4, 7],
  ])) {
    const { watch, seen, commit } = newDocument("exact");
    watch.start(null);
    if (isSuspect) watch.suspect();
    for (let each = 0; each < 3600; each++) {
      commit();
      await pass(1000);
    }
    assert.ok(seen.compared >= least && seen.compared <= most, `${isSuspect} ${seen.compared}`);
  }
});

test("comparisons_take_a_fraction_of_the_time", async () => {
  const seen = { bytes: 1001, compared: 0 };
  const watch = new Watch({
    read: async () => ({ bytes: (seen.bytes += 1), unit: "exact" }),
    compare: () => {
      seen.compared += 1;
      void after(5000).then(() => {
        watch.noteFound();
        watch.noteCompared();
      });
    },
    accounted: () => {},
    after,
  });
  watch.start(null);
  await pass(600_000);
  assert.ok(seen.compared >= 9 && seen.compared <= 12, String(seen.compared));
});

test("signs_of_workers_that_come_fast_delay_no_comparison", async () => {
  for (const unit of /** @type {const} */ (["exact", "pages"])) {
    const { watch, seen } = newDocument(unit);
    watch.start(null);
    await pass(1000);
    for (let each = 0; each < 200; each++) {
      watch.suspect();
      seen.bytes += 4096;
      await pass(300);
    }
    assert.ok(seen.compared >= 3, `${unit}: ${seen.compared}`);
  }
});
