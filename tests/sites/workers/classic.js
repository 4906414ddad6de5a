// Answers what an expression is, once it is known. Sloppy, as is what it evaluates.

var lineOfScript = Number(/classic\.js[^:]*:(\d+)/.exec(new Error().stack)[1]);

var isFirstSloppy = (function () {
  return this !== undefined;
})();

importScripts(`${origin}/workers/write.js`);

var answer = async ({ data, ports }) => ports[0].postMessage(await eval(data));
globalThis.onmessage = answer;
globalThis.onconnect = ({ ports }) => (ports[0].onmessage = answer);
