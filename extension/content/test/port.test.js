import { after } from "./support.js";
import assert from "node:assert/strict";
import { test } from "node:test";

/** @type {any} */ (globalThis).chrome = {
  runtime: { getURL: () => "chrome-extension:", connect: () => connect() },
};
/** @type {() => any} */
let connect;

const { BackgroundPort } = await import("../isolated/port.js");

/** @param {() => void} addListener */
const newPort = (addListener) => ({
  onMessage: { addListener },
  onDisconnect: { addListener },
  postMessage() {},
  disconnect() {},
});

test("port_without_listeners_is_not_open", () => {
  let opened = 0;
  const port = new BackgroundPort({ opened: () => (opened += 1), received: () => {}, refused: () => {} }, after);
  connect = () =>
    newPort(() => {
      throw new RangeError("no stack");
    });
  try {
    port.open();
  } catch {
    // It is open, or it is not.
  }
  assert.equal(port.isOpen, false);
  assert.equal(opened, 0);
});
