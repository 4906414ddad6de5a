"use strict";

importScripts("first.js");

oninstall = () => skipWaiting();
onactivate = (event) => event.waitUntil(clients.claim());
// The page is controlled: what it loads waits for this worker.
onfetch = (event) => {
  if (event.request.url.endsWith("/ping")) event.respondWith(new Response("pong"));
};
