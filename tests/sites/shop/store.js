// Everything that the shop reads from and writes to IndexedDB. Each write is one transaction.

import { PRODUCTS } from "./products.js";

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const completed = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("The order was not placed."));
  });

export class Store {
  static async open() {
    const request = indexedDB.open("shop", 1);
    request.onupgradeneeded = () => {
      const products = request.result.createObjectStore("products", { keyPath: "sku" });
      request.result.createObjectStore("cart", { keyPath: "sku" });
      request.result.createObjectStore("orders", { keyPath: "id", autoIncrement: true });
      request.result.createObjectStore("settings");
      for (const product of PRODUCTS) products.add(product);
    };
    return new Store(await done(request));
  }

  constructor(database) {
    this.database = database;
  }

  #reading(store) {
    return this.database.transaction(store, "readonly").objectStore(store);
  }

  #writing(...stores) {
    return this.database.transaction(stores, "readwrite");
  }

  products() {
    return done(this.#reading("products").getAll());
  }

  cart() {
    return done(this.#reading("cart").getAll());
  }

  orders() {
    return done(this.#reading("orders").getAll());
  }

  theme() {
    return done(this.#reading("settings").get("theme"));
  }

  async setTheme(theme) {
    const transaction = this.#writing("settings");
    transaction.objectStore("settings").put(theme, "theme");
    await completed(transaction);
  }

  // Adds a product to the cart, or changes how many of it there are; none takes it out.
  async change(sku, by) {
    const transaction = this.#writing("cart");
    const cart = transaction.objectStore("cart");
    cart.get(sku).onsuccess = ({ target: { result: line } }) => {
      const count = (line?.count ?? 0) + by;
      if (count > 0) cart.put({ sku, count, since: line?.since ?? new Date() });
      else cart.delete(sku);
    };
    await completed(transaction);
  }

  async emptyCart() {
    const transaction = this.#writing("cart");
    transaction.objectStore("cart").clear();
    await completed(transaction);
  }

  // Turns the cart into an order. Three stores, one transaction: if the stock does not suffice,
  // nothing has happened.
  async placeOrder() {
    const transaction = this.#writing("cart", "orders", "products");
    const products = transaction.objectStore("products");
    transaction.objectStore("cart").getAll().onsuccess = ({ target: { result: lines } }) => {
      const bought = [];
      for (const { sku, count } of lines) {
        products.get(sku).onsuccess = ({ target: { result: product } }) => {
          products.put({ ...product, stock: product.stock - count });
          bought.push({ sku, name: product.name, count, price: product.price });
          if (product.stock < count) return transaction.abort();
          if (bought.length < lines.length) return;
          const total = bought.reduce((sum, line) => sum + line.count * line.price, 0);
          transaction.objectStore("orders").add({ placed: new Date(), status: "paid", lines: bought, total });
          transaction.objectStore("cart").clear();
        };
      }
    };
    await completed(transaction);
  }

  // Ships every paid order, with a cursor.
  async ship() {
    const transaction = this.#writing("orders");
    transaction.objectStore("orders").openCursor().onsuccess = ({ target: { result: cursor } }) => {
      if (!cursor) return;
      if (cursor.value.status === "paid") cursor.update({ ...cursor.value, status: "shipped" });
      cursor.continue();
    };
    await completed(transaction);
  }

  async cancel(id) {
    const transaction = this.#writing("orders");
    transaction.objectStore("orders").delete(id);
    await completed(transaction);
  }

  // Adds what is new; what is there already fails alone and stays as it is.
  async restock(products) {
    const transaction = this.#writing("products");
    for (const product of products) {
      transaction.objectStore("products").add(product).onerror = (event) => {
        event.preventDefault();
        event.stopPropagation();
      };
    }
    await completed(transaction);
  }
}
