// What is asked of the window and of the document, past the elements that go by the same name.
//
// The name or id of an element is a member of the window, in front of what the window inherits and
// in the place of what the engine lacks; and of the document, in front of everything. At document
// start there are no elements. A document that is hooked late may have `<form name="head">`.

import { getterOf, uncurry } from "./pristine.js";

export const listenTo = uncurry(EventTarget.prototype.addEventListener);
export const stopListeningTo = uncurry(EventTarget.prototype.removeEventListener);
const createElementOf = uncurry(Document.prototype.createElementNS);
/**
 * An HTML element, also in documents that are SVG or other XML.
 * @param {string} name
 * @returns {HTMLElement}
 */
export const createElement = (name) => createElementOf(document, "http://www.w3.org/1999/xhtml", name);
/** Whether a document is hidden. */
export const isHidden = getterOf(Document.prototype, "hidden");
/**
 * At document start there is no `head` yet; where there is one, scripts of the page may have run.
 */
export const isLate = getterOf(Document.prototype, "head")(document) !== null;
