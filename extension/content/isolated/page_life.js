// The document's comings and goings: it may go away, freeze, go into the back/forward cache and
// come back; it may be hidden and shown.

import { listenTo } from "../shared/unnamed.js";

/**
 * Firefox interrupts the scripts of a page that it is about to close, and ends the one that comes
 * next if none is running: that of the first listener. A loop is where it looks.
 */
const beInterrupted = () => {
  for (let turn = 0; turn < 2; turn++);
};

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
    listenTo(window, "pagehide", beInterrupted, { capture: true });
    for (const name of ["pagehide", "pageshow", "freeze", "resume", "visibilitychange"]) {
      listenTo(window, name, handle, { capture: true });
    }
  };
  listen();
  // It also removes the document's children.
  new MutationObserver(listen).observe(document, { childList: true });
}
