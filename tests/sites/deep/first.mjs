// The same as a module.

import "/unseen/write.js";

const writeOnce = async (value) => {
  await write([["put", value, name]]);
  new BroadcastChannel("committed").postMessage(value);
};

void writeOnce(name);
onmessage = ({ data }) => writeOnce(data);
