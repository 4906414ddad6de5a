export const all = (selector) => [...document.querySelectorAll(selector)];

// Shows the body of a page of the extension. Its scripts do not run.
export function show(html) {
  document.body.replaceWith(new DOMParser().parseFromString(html, "text/html").body);
}

export function style(css) {
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
}

export function press(key, control) {
  const target = document.activeElement ?? document.body;
  target.dispatchEvent(new KeyboardEvent("keydown", { key, ctrlKey: control, bubbles: true, cancelable: true }));
}

export function write(element, text) {
  element.focus();
  element.value = text;
  element.dispatchEvent(new InputEvent("input", { bubbles: true }));
}

export const click = (element) => element.click();

export const focused = () => document.activeElement;

export const nextTurn = () => new Promise((resolve) => setTimeout(resolve, 4));

export const value = (element) => element.value;
