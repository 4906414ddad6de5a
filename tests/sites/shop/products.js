// What is on the shelf when the shop opens, and how it looks.

export const PRODUCTS = [
  { sku: "mug-01", name: "Stoneware mug", price: 1450, stock: 12, tags: ["kitchen", "clay"] },
  { sku: "pot-02", name: "Little teapot", price: 3900, stock: 4, tags: ["kitchen"] },
  { sku: "lamp-03", name: "Reading lamp", price: 6400, stock: 3, tags: ["home", "light"] },
  { sku: "note-04", name: "Dotted notebook", price: 900, stock: 40, tags: ["paper"] },
  { sku: "fern-05", name: "Potted fern", price: 2100, stock: 6, tags: ["home", "green"] },
  { sku: "bag-06", name: "Canvas bag", price: 2800, stock: 1, tags: ["carry"] },
];

const PICTURES = {
  mug: ["#c96f4a,#8f3f24", "M5 8h10v8a3 3 0 0 1-3 3H8a3 3 0 0 1-3-3zM15 10h2a2 2 0 0 1 0 5h-2M8 5V3M12 5V3"],
  pot: [
    "#4a7f8f,#27505e",
    "M6 10h9v5a4 4 0 0 1-4 4h-1a4 4 0 0 1-4-4zM15 12l4-3M6 12H4a1 1 0 0 0 0 4h2M9 10a1.5 1.5 0 0 1 3 0M10.5 8V7",
  ],
  lamp: ["#d6a24a,#9b6a1c", "M8 4h8l3 8H5zM12 12v7M8 20h8M16 12v3"],
  note: ["#7b6fb0,#4b4083", "M7 3h10a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H7zM7 3v18M10 8h5M10 12h5M5 7h2M5 12h2M5 17h2"],
  fern: ["#5d9363,#2f5e3a", "M8 15h8l-1 6H9zM12 15V6M12 11c-4 0-5-3-5-5 4 0 5 3 5 5M12 9c4 0 5-3 5-6-4 0-5 3-5 6"],
  bag: ["#a7795a,#6b4630", "M5 9h14l-1 11H6zM9 9V7a3 3 0 0 1 6 0v2"],
};

export function picture(sku) {
  const [colours, path] = PICTURES[sku.split("-")[0]];
  return `<div class="picture" style="background:linear-gradient(150deg,${colours})">
    <svg viewBox="0 0 24 24" aria-hidden="true"><path d="${path}"/></svg></div>`;
}
