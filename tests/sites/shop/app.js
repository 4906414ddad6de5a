// The shop's page. `window.demo.drive()` plays a scripted customer; so does the address with
// `?drive`.

import { drive } from "./drive.js";
import { picture } from "./products.js";
import { Store } from "./store.js";

const element = (id) => document.getElementById(id);
const euros = (cents) => `${(cents / 100).toFixed(2)} €`;
const store = await Store.open();

function item(html, actions) {
  const li = document.createElement("li");
  li.innerHTML = html;
  for (const [label, title, act] of actions) {
    const button = document.createElement("button");
    button.className = "quiet";
    button.textContent = label;
    button.title = title;
    button.onclick = () => perform(act);
    li.append(button);
  }
  return li;
}

async function perform(write) {
  element("notice").textContent = "";
  try {
    await write();
  } catch (error) {
    element("notice").textContent = error.message;
  }
  await redraw();
}

function productItem(product) {
  const li = document.createElement("li");
  li.className = "product";
  li.innerHTML = `${picture(product.sku)}<div><b>${product.name}</b>
    <span>${euros(product.price)}</span><small>${product.stock} in stock</small></div>`;
  const button = document.createElement("button");
  button.className = "primary";
  button.textContent = "Add to cart";
  button.disabled = product.stock === 0;
  button.onclick = () => perform(() => store.change(product.sku, 1));
  li.lastElementChild.append(button);
  return li;
}

async function redraw() {
  const [products, cart, orders, theme] = await Promise.all([
    store.products(),
    store.cart(),
    store.orders(),
    store.theme(),
  ]);
  const bySku = new Map(products.map((product) => [product.sku, product]));
  if (theme) document.documentElement.dataset.theme = theme;
  element("products").replaceChildren(...products.map(productItem));
  element("cart").replaceChildren(
    ...cart.map(({ sku, count }) =>
      item(`<span>${bySku.get(sku).name}<small>${count} × ${euros(bySku.get(sku).price)}</small></span>`, [
        ["−", "One less", () => store.change(sku, -1)],
        ["+", "One more", () => store.change(sku, 1)],
      ]),
    ),
  );
  element("orders").replaceChildren(
    ...orders.toReversed().map((order) =>
      item(
        `<span>No. ${order.id} · ${euros(order.total)}<small>${order.status},
          ${order.placed.toLocaleTimeString()}</small></span>`,
        order.status === "paid"
          ? [
              ["Ship", "Ship all paid orders", () => store.ship()],
              ["×", "Cancel", () => store.cancel(order.id)],
            ]
          : [],
      ),
    ),
  );
  element("cart-count").textContent = cart.reduce((sum, { count }) => sum + count, 0);
  element("cart-total").textContent = euros(
    cart.reduce((sum, { sku, count }) => sum + count * bySku.get(sku).price, 0),
  );
  element("checkout").disabled = cart.length === 0;
  element("empty").disabled = cart.length === 0;
}

element("checkout").onclick = () => perform(() => store.placeOrder());
element("empty").onclick = () => perform(() => store.emptyCart());
element("theme").onclick = () =>
  perform(() => {
    const dark = getComputedStyle(document.documentElement).getPropertyValue("color-scheme");
    const systemDark = matchMedia("(prefers-color-scheme: dark)").matches;
    const isDark = dark === "dark" || (dark !== "light" && systemDark);
    return store.setTheme(isDark ? "light" : "dark");
  });
element("drive").onclick = () => window.demo.drive();

await redraw();
window.demo = { drive: (pace = 400) => drive(store, redraw, pace) };
if (new URLSearchParams(location.search).has("drive")) await window.demo.drive();
