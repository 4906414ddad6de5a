// Passes what it is asked on to a worker inside.

const inner = new Worker("classic.js?inner");
globalThis.onmessage = ({ data, ports }) => inner.postMessage(data, ports);
