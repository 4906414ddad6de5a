// A scripted customer: a bit of everything that a shop writes.

const CUSTOMER = [
  (store) => store.change("mug-01", 1),
  (store) => store.change("note-04", 3),
  (store) => store.change("mug-01", 1),
  (store) => store.change("fern-05", 1),
  (store) => store.change("fern-05", -1),
  (store) => store.placeOrder(),
  (store) => store.change("bag-06", 2),
  // There is only one bag: the transaction aborts.
  (store) => store.placeOrder().catch(() => {}),
  (store) => store.emptyCart(),
  (store) => store.change("lamp-03", 1),
  (store) => store.placeOrder(),
  (store) => store.ship(),
  // The mug is there already: its add fails, the other one goes on.
  (store) =>
    store.restock([
      { sku: "mug-01", name: "Another mug", price: 1, stock: 1, tags: [] },
      { sku: "pot-07", name: "Big teapot", price: 5200, stock: 2, tags: ["kitchen", "new"] },
    ]),
  async (store) => store.cancel((await store.orders()).at(-1).id),
  (store) => store.change("pot-02", 1),
  (store) => store.setTheme("dark"),
];

// Plays the customer, a step every `pace` milliseconds; resolves to the number of steps.
export async function drive(store, redraw, pace) {
  for (const step of CUSTOMER) {
    await step(store);
    await redraw();
    await new Promise((resolve) => setTimeout(resolve, pace));
  }
  return CUSTOMER.length;
}
