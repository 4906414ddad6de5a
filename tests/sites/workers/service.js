// Answers for scripts with "served" behind their names, out of its own hands.

globalThis.oninstall = () => skipWaiting();
globalThis.onactivate = (event) => event.waitUntil(clients.claim());
globalThis.onfetch = (event) => {
  if (!event.request.url.endsWith("?served")) return;
  const made = fetch(event.request.url.replace("?served", ""))
    .then((answer) => answer.text())
    .then((text) => new Response(text, { headers: { "Content-Type": "text/javascript" } }));
  event.respondWith(made);
};
