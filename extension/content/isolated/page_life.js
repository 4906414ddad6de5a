// The document's comings and goings: it may go away, freeze, go into the back/forward cache and
// come back; it may be hidden and shown.

import { listenTo } from "../shared/unnamed.js";

/**
 * @param {(mayComeBack: boolean) => void} leave
 * @param {() => void} comeBack
 * @param {() => void} changeSight
 */
export function watchPageLife(leave, comeBack, changeSight) {
  /** @param {Event | PageTransitionEvent} event */
  const handle = (event) => {
    if (!event.isTrusted) return;
    if (event.type === "pagehide") leave(/** @type {PageTransitionEvent} */ (event).persisted);
    else if (event.type === "freeze") leave(true);
    else if (event.type === "visibilitychange") changeSight();
    else comeBack();
  };
  // `document.open()` removes the window's listeners. Listening twice changes nothing.
  const listen = () => {
    for (const name of ["pagehide", "pageshow", "freeze", "resume", "visibilitychange"]) {
      listenTo(window, name, handle, { capture: true });
    }
  };
  listen();
  // It also removes the document's children.
  new MutationObserver(listen).observe(document, { childList: true });
}
