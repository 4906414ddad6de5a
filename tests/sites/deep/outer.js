// A worker whose worker writes.

"use strict";

const inner = new Worker("first.js", { name });
onmessage = ({ data }) => inner.postMessage(data);
