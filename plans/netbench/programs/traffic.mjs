/**
 * The client's side of a connection, by scenario, and its measurements. Each scenario ends this side of the connection
 * when the time is over.
 */
import { Times } from "./meter.mjs";

const ACTS = { download, upload, roundtrip };

/** Runs one scenario over a connection, until the server has ended its side too. */
export async function measure(name, { socket, meter, size, durationMs }) {
  const ended = serverEnded(name, socket);
  meter.start();
  socket.write(`${name} ${size}\n`);
  const more = ACTS[name]({ socket, meter, size, durationMs });
  await ended;
  return { bytes: meter.total, counts: meter.counts, elapsedMs: Math.round(meter.elapsedMs), ...more() };
}

/** Resolves when the server ends its side. It must not do so before the client has. */
function serverEnded(name, socket) {
  return new Promise((resolve, reject) => {
    const lost = (why) => reject(new Error(`${name}: ${why}`));
    if (socket.destroyed) lost("the connection was lost before the start");
    socket.once("error", (error) => lost(error.message));
    socket.once("close", () => lost("the server closed the connection"));
    socket.once("end", () => (socket.writableEnded ? resolve() : lost("the server ended before its time")));
  });
}

function download({ socket, meter, durationMs }) {
  socket.on("data", (chunk) => meter.add(chunk.length));
  setTimeout(() => socket.end(), durationMs);
  return () => ({});
}

function upload({ socket, meter, size, durationMs }) {
  const chunk = Buffer.alloc(size, "x");
  let [going, confirmed] = [true, ""];
  const count = (error) => {
    if (!error) meter.add(size);
  };
  const write = () => {
    while (going && !socket.destroyed && socket.write(chunk, count));
  };
  socket.on("drain", write);
  socket.on("data", (text) => {
    confirmed += text;
  });
  setTimeout(() => {
    going = false;
    socket.end();
  }, durationMs);
  write();
  return () => ({ confirmed: Number(confirmed) });
}

function roundtrip({ socket, meter, size, durationMs }) {
  const message = Buffer.alloc(size, "x");
  const times = new Times();
  const until = performance.now() + durationMs;
  let [missing, sentAt] = [0, 0];
  const send = () => {
    [missing, sentAt] = [size, performance.now()];
    socket.write(message);
  };
  socket.on("data", (chunk) => {
    missing -= chunk.length;
    if (missing > 0) return;
    times.add(performance.now() - sentAt);
    meter.add(size);
    if (performance.now() < until) send();
    else socket.end();
  });
  send();
  return () => ({ classes: times.classes, longestMs: times.longestMs });
}
