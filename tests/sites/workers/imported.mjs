import "./write.js";

// The module that imports this one has not run.
const written = write([["put", "from an import", "imported"]]);

export const answer = async ({ data, ports }) => {
  await written;
  ports[0].postMessage(await eval(data));
};
