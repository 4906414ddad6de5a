// On the page's request sends messages to the native echo and back, one after the other, and times
// them.

addEventListener("message", async ({ data }) => {
  if (!data.echo) return;
  const port = chrome.runtime.connect();
  const results = { native: [], page: [] };
  for (let number = 0; number < data.echo; number++) {
    const sent = performance.now();
    const answer = await new Promise((resolve) => {
      const listener = (message) => {
        port.onMessage.removeListener(listener);
        resolve(message);
      };
      port.onMessage.addListener(listener);
      port.postMessage({ number, filler: "x".repeat(250) });
    });
    results.page.push(performance.now() - sent);
    results.native.push(answer.native);
  }
  postMessage({ echoed: results });
});
