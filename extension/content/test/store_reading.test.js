// A store that is read, against a host that has another mirror of it. The database is as small as
// the reading needs it; real ones are read in `tests/tests/browsers/comparisons.rs`.

import "./idle.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import "../shared/builtins.js";
import { readStore } from "../isolated/store_reading.js";

/** @typedef {Map<number, string>} Records the values by their keys, in any order */

/** @type {any} */
const scope = globalThis;

/** What `indexedDB` has: one database with one store. */
const database = { records: /** @type {[number, string][]} */ ([]), version: 1, transactions: 0, read: () => {} };

class FakeRange {
  /**
   * @param {number} lower
   * @param {number} upper
   */
  constructor(lower, upper) {
    this.lower = lower;
    this.upper = upper;
  }
  static lowerBound = (/** @type {number} */ lower) => new FakeRange(lower, Infinity);
  static upperBound = (/** @type {number} */ upper) => new FakeRange(-Infinity, upper);
  static bound(/** @type {number} */ lower, /** @type {number} */ upper) {
    assert.ok(lower < upper, "a range of no keys is an error");
    return new FakeRange(lower, upper);
  }
}

/** @param {any} result */
function request(result) {
  /** @type {any} */
  const request = { result };
  setImmediate(() => request.onsuccess?.());
  return request;
}

const sorted = (/** @type {Records} */ records) => [...records].sort(([one], [other]) => one - other);

/**
 * @param {FakeRange | undefined} range
 * @param {number} count
 */
const found = (range, count) =>
  database.records.filter(([key]) => range === undefined || (key > range.lower && key <= range.upper)).slice(0, count);

const objectStore = {
  keyPath: null,
  getAllKeys: (/** @type {any} */ range, /** @type {number} */ count) =>
    request(found(range, count).map(([key]) => key)),
  getAll: (/** @type {any} */ range, /** @type {number} */ count) =>
    request(found(range, count).map(([, value]) => value)),
};

scope.IDBKeyRange = FakeRange;
scope.indexedDB = {
  cmp: (/** @type {number} */ one, /** @type {number} */ other) => one - other,
  databases: async () => [{ name: "d" }],
  open() {
    const { version } = database;
    return request({
      version,
      close() {},
      transaction() {
        database.transactions += 1;
        database.read();
        return { objectStore: () => objectStore, commit() {} };
      },
    });
  },
};

const OF = { bucket: "", database: "d", store: "s" };

/** The records behind the one key, up to and with the other, as they are in a snapshot. */
const textsOf = (/** @type {Records} */ records, after = -Infinity, until = Infinity) =>
  sorted(records)
    .filter(([key]) => key > after && key <= until)
    .map(([key, value]) => `{"key":${key},"value":${JSON.stringify(value)}}`);

/**
 * A host with a mirror. It takes what comes as the real one does, and checks that all comes in the
 * order of keys.
 * @param {Records} mirror
 */
function newHost(mirror) {
  const seen = { asked: 0, sent: 0, bodies: 0, bytes: 0, snapshots: /** @type {number[]} */ ([]) };
  /** @type {number | undefined} */
  let reached;
  let isOver = false;
  const pass = (/** @type {number | undefined} */ after, /** @type {number | undefined} */ until) => {
    assert.equal(after, reached);
    assert.ok(!isOver);
    reached = until;
    isOver = until === undefined;
  };
  const note = (/** @type {string} */ body) => {
    seen.bodies += 1;
    seen.bytes += body.length;
    return JSON.parse(body);
  };
  const host = {
    async compare(/** @type {string} */ body) {
      const { after, stretches } = note(body).digests;
      assert.ok(stretches.length <= 64);
      seen.asked += 1;
      let from = after;
      for (const [index, { until, records, digest }] of stretches.entries()) {
        const texts = textsOf(mirror, from, until);
        const isAlike = createHash("sha256").update(texts.join()).digest("hex").startsWith(digest);
        if (!isAlike || texts.length !== records) return index;
        pass(from, until);
        from = until;
      }
      return stretches.length;
    },
    async tell(/** @type {string} */ body) {
      const { after = -Infinity, until = Infinity, records } = note(body).snapshot;
      pass(after === -Infinity ? undefined : after, until === Infinity ? undefined : until);
      for (const key of [...mirror.keys()]) if (key > after && key <= until) mirror.delete(key);
      for (const { key, value } of records) mirror.set(key, value);
      seen.sent += records.length;
      seen.snapshots.push(records.length);
      return true;
    },
  };
  return { host, seen, isOver: () => isOver };
}

/**
 * Reads a store of these records for a host with this mirror.
 * @param {Records} records
 * @param {Records} mirror
 * @param {boolean} isLittle
 */
async function read(records, mirror, isLittle) {
  database.records = sorted(records);
  database.transactions = 0;
  const { host, seen, isOver } = newHost(mirror);
  await readStore(OF, isLittle, host);
  assert.ok(isOver(), "it is read to its end");
  assert.deepEqual(sorted(mirror), sorted(records));
  return { ...seen, transactions: database.transactions };
}

const many = (/** @type {number} */ count) =>
  new Map(Array.from({ length: count }, (_, key) => [key, `the value of record ${key}`.padEnd(80, ".")]));

test("unchanged_store_costs_one_reading_and_a_few_kilobytes", async () => {
  const records = many(20_000);
  const whole = await read(records, new Map(), false);
  const again = await read(records, new Map(records), false);
  assert.equal(again.sent, 0);
  assert.ok(again.bodies <= 6 && again.bytes < 3000, JSON.stringify(again));
  assert.ok(whole.bytes > 500 * again.bytes, JSON.stringify(whole));
  // The last one may find that nothing is left.
  assert.ok(again.transactions <= whole.transactions + 1, JSON.stringify([again, whole]));
});

test("only_differing_pieces_are_sent", async () => {
  const records = many(20_000);
  const mirror = new Map(records);
  mirror.set(12_345, "another").delete(3);
  mirror.set(18_000.5, "gone since");
  const { sent, asked, bytes } = await read(records, mirror, false);
  assert.ok(sent <= 600 && asked < 40 && bytes < 120_000, JSON.stringify({ sent, asked, bytes }));
});

/** The page goes on writing, and what it has captured is with the host before what is read. */
test("steady_writes_send_few_records", async () => {
  const records = many(20_000);
  const mirror = new Map(records);
  const { host, seen } = newHost(mirror);
  database.records = sorted(records);
  let number = 0;
  database.read = () => {
    // A few writes while a stretch is read: each in another place.
    if (++number % 3 !== 0) return;
    const key = (number * 7919) % 20_000;
    const value = `written ${number}`;
    database.records[key] = [key, value];
    mirror.set(key, value);
  };
  await readStore(OF, false, host);
  database.read = () => {};
  assert.deepEqual(sorted(mirror), database.records);
  assert.ok(seen.sent < 6000, JSON.stringify(seen));
});

test("store_that_the_host_lacks_is_sent_once", async () => {
  const records = many(20_000);
  const { sent, asked } = await read(records, new Map(), false);
  assert.equal(sent, 20_000);
  assert.ok(asked <= 10, String(asked));
});

test("short_store_is_sent_without_a_question", async () => {
  for (const count of [0, 1, 3]) {
    const { asked, bodies } = await read(many(count), many(count), true);
    assert.deepEqual([asked, bodies], [0, 1]);
  }
});

test("store_of_a_few_records_is_asked_for_once", async () => {
  const { asked, sent } = await read(many(12), many(12), true);
  assert.deepEqual([asked, sent], [1, 0]);
});

test("host_ends_with_what_is_there_after_any_difference", async () => {
  let seed = 1;
  const random = (/** @type {number} */ below) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let round = 0; round < 25; round++) {
    const records = many(random(1500));
    const mirror = new Map(records);
    for (let change = random(20); change > 0; change--) {
      const from = random(1500);
      const length = random(5) === 0 ? random(700) : 1;
      for (let key = from; key < from + length; key++) {
        if (change % 3 === 0) mirror.delete(key);
        else mirror.set(change % 3 === 1 ? key : key + 0.5, `another ${change}`);
      }
    }
    await read(records, mirror, random(2) === 0);
  }
});

test("pieces_without_an_equal_are_sent", async () => {
  const records = many(3000);
  database.records = sorted(records);
  const { host, seen } = newHost(new Map());
  let asked = 0;
  await readStore(OF, false, {
    tell: host.tell,
    compare: async () => {
      asked += 1;
      return 0;
    },
  });
  assert.equal(seen.sent, 3000);
  assert.ok(asked > 0 && asked <= 10, String(asked));
});

test("refused_piece_is_sent_in_smaller_ones", async () => {
  const records = many(64);
  database.records = sorted(records);
  const { host, seen } = newHost(new Map());
  /** @type {number[]} */
  const turnedAway = [];
  const reading = readStore(OF, true, {
    compare: host.compare,
    tell: async (body) => {
      const count = JSON.parse(body).snapshot.records.length;
      if (count <= 3) return host.tell(body);
      turnedAway.push(count);
      return false;
    },
  });
  await reading;
  assert.deepEqual(turnedAway.slice(0, 3), [16, 8, 4]);
  assert.equal(seen.sent, 64);
});

test("database_that_changes_meanwhile_is_left_to_another_reading", async () => {
  database.records = sorted(many(1000));
  const { host } = newHost(new Map());
  const reading = readStore(OF, true, {
    compare: host.compare,
    tell: async (body) => {
      database.version += 1;
      return host.tell(body);
    },
  });
  await assert.rejects(reading, /the database changes/);
  database.version = 1;
});
