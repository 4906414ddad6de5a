// A worker of any kind: writes the given values, and answers when that has committed.

"use strict";

importScripts(`${origin}/unseen/write.js`);

const answer = async ({ data, ports }) => {
  await write(data);
  ports[0].postMessage("committed");
};

globalThis.onmessage = answer;
globalThis.onconnect = ({ ports }) => (ports[0].onmessage = answer);
globalThis.oninstall = () => skipWaiting();
