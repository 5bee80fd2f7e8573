// One stream for all tabs: a browser opens only six connections to a server, and each stream keeps one.

import { follow } from "./source.js";

const ports = new Set();
let stream = null;

function tell(name, data) {
  for (const port of ports) port.postMessage([name, data]);
}

self.onconnect = ({ ports: [port] }) => {
  ports.add(port);
  port.onmessage = ({ data }) => {
    if (data === "restart") stream?.restart();
    if (data === "bye") {
      ports.delete(port);
      if (ports.size === 0) {
        stream?.stop();
        stream = null;
      }
    }
  };
  // A new tab needs a snapshot; the others take it as well.
  if (stream) stream.restart();
  else stream = follow(tell);
};
