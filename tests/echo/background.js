// Passes messages between a page's port and the native echo, and times the native part.

const native = chrome.runtime.connectNative("dev.idb_relay.echo");

chrome.runtime.onConnect.addListener((page) => {
  let sent = 0;
  native.onMessage.addListener((message) => page.postMessage({ ...message, native: performance.now() - sent }));
  page.onMessage.addListener((message) => {
    sent = performance.now();
    native.postMessage(message);
  });
});
