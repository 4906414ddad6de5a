// The writes of an application on localForage. It has no generated keys to offer; its transactions
// and cursors are its own.

import { writeBelow } from "../below.js";
import { Expectation, failure } from "../expectation.js";

const DATABASE = "localforage-site";
const STORE = "settings";

export async function run() {
  const expect = new Expectation(DATABASE);
  const settings = window.localforage.createInstance({
    name: DATABASE,
    storeName: STORE,
    driver: window.localforage.INDEXEDDB,
  });

  expect.createdStore(STORE);
  expect.createdStore("local-forage-detect-blob-support");

  await settings.setItem("theme", "dark");
  await settings.setItem("theme", { name: "light", contrast: 1.25 });
  await settings.setItem("recent", [new Date(0), null, "x"]);
  await settings.setItem("nothing", undefined);
  expect.created(STORE, "theme", "dark");
  expect.updated(STORE, "theme", { name: "light", contrast: 1.25 });
  expect.created(STORE, "recent", [{ $date: "1970-01-01T00:00:00.000Z" }, null, "x"]);
  // localForage turns undefined into null, and null into undefined.
  expect.created(STORE, "nothing", { $undefined: true });

  await settings.removeItem("recent");
  expect.deleted(STORE, "recent");
  await failure(settings.setItem("never seen", () => "functions cannot be cloned"));
  await settings.clear();
  expect.truncated(STORE, "nothing", "theme");
  await writeBelow(
    expect,
    STORE,
    (key, value) => [value, key],
    (_key, value) => value,
  );
  await settings.setItem("last", true);
  expect.created(STORE, "last", true);
  return expect.exactly();
}
