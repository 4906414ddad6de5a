// Which document listens to a worker that outlives documents.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Routes } from "../../background/routes.js";

/** @param {number} tab */
const routeIn = (tab) => ({ tab, frame: 0, url: "https://a.example/w.js", channel: "c" });

function newRoutes() {
  /** @type {{ kept: any[], released: number[] }} */
  const seen = { kept: [], released: [] };
  const routes = new Routes(
    (all) => (seen.kept = JSON.parse(JSON.stringify(all))),
    ({ tab }) => void seen.released.push(tab),
  );
  return { routes, seen };
}

test("document_that_listened_before_is_released", () => {
  const { routes, seen } = newRoutes();
  routes.set("w", routeIn(1));
  routes.set("w", routeIn(1));
  assert.deepEqual(seen.released, []);
  routes.set("w", routeIn(2));
  assert.deepEqual(seen.released, [1]);
});

test("document_that_is_asked_too_late_is_released", () => {
  const { routes, seen } = newRoutes();
  routes.set("w", routeIn(1));
  routes.confirm("w", routeIn(1));
  assert.deepEqual(seen.released, []);
  routes.set("w", routeIn(2));
  routes.confirm("w", routeIn(1));
  assert.deepEqual(seen.released, [1, 1]);
});

test("routes_outlive_the_background", () => {
  const first = newRoutes();
  first.routes.set("w", routeIn(1));
  first.routes.set("v", routeIn(2));
  const { routes } = newRoutes();
  routes.set("v", routeIn(3));
  routes.restore(first.seen.kept);
  assert.equal(routes.get("w")?.channel, "c");
  assert.equal(routes.get("v")?.tab, 3);
});
