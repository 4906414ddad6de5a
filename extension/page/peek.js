// Reads one record for the inspector, when a person looks at it.
//
// Injected into the isolated world on demand, between two injections that ask and take the answer: files take no arguments. Its answer
// is the text of a `protocol::commit::Records` body, or null where another origin is.

import "./builtins.js";
import "./platform.js";
import { readRecords } from "./reader.js";

/** @type {any} The isolated world's own global object; the page has another. */
const world = globalThis;
world.idbRelayRecords =
  location.origin === world.idbRelayRead?.origin ? readRecords(world.idbRelayRead) : null;
