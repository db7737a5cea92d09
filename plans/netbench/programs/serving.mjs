/** The server's side of a connection, by scenario. `count.bytes` is the number of bytes moved. */
import { SIZE } from "./scenarios.mjs";

const LONGEST_HEADER = 100;
const SERVES = { download, upload, roundtrip };

/** Reads a connection's first line and serves its scenario. Closes the connection if the line is invalid. */
export function attend(socket, counted) {
  let text = Buffer.alloc(0);
  const onData = (chunk) => {
    text = Buffer.concat([text, chunk]);
    const end = text.indexOf(10);
    if (end < 0 && text.length <= LONGEST_HEADER) return;
    socket.off("data", onData);
    const [, name, size] = /^([a-z]+) ([0-9]{1,8})$/.exec(text.toString("latin1", 0, Math.max(0, end))) ?? [];
    if (!Object.hasOwn(counted, name ?? "") || Number(size) < SIZE.least || Number(size) > SIZE.most)
      return void socket.destroy();
    counted[name].connections += 1;
    // Data after the line in the same chunk belongs to the scenario.
    if (end + 1 < text.length) socket.unshift(text.subarray(end + 1));
    SERVES[name](socket, counted[name], Number(size));
  };
  socket.on("data", onData);
}

/** Sends until the client ends its side. */
function download(socket, count, bytes) {
  const message = Buffer.alloc(bytes, "x");
  let going = true;
  const write = () => {
    while (going && !socket.destroyed) {
      count.bytes += bytes;
      if (!socket.write(message)) return;
    }
  };
  socket.on("drain", write);
  socket.on("end", () => {
    going = false;
    socket.end();
  });
  socket.resume();
  write();
}

/** Reads until the client ends its side, then answers with the number of bytes. */
function upload(socket, count) {
  let own = 0;
  socket.on("data", (chunk) => {
    own += chunk.length;
    count.bytes += chunk.length;
  });
  socket.on("end", () => socket.end(`${own}\n`));
}

/** Sends everything back. */
function roundtrip(socket, count) {
  socket.on("data", (chunk) => {
    count.bytes += chunk.length;
    socket.write(chunk);
  });
  socket.on("end", () => socket.end());
}
