/**
 * A key-value database over TCP. A request is one line, and so is the answer; values are JSON without line breaks.
 *
 *   AUTH token        -> OK
 *   PING              -> OK
 *   GET key           -> VALUE json | NONE
 *   SET key json      -> OK
 *   INCR key          -> VALUE number
 *
 * A change is appended to a file and synced to disk before it is confirmed. At start the file is read back.
 */
import { timingSafeEqual } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

const { DATA, LISTEN, PORT, DB_TOKEN } = process.env;
const file = join(DATA, "data.log");
const values = readBack(file);
const log = openSync(file, "a", 0o600);

const server = createServer((socket) => {
  let trusted = false;
  socket.setNoDelay(true);
  const lines = createInterface({ input: socket });
  // readline repeats the socket's errors, and an error without a listener ends the process.
  for (const part of [socket, lines]) part.on("error", (error) => console.error(`connection: ${error.message}`));
  lines.on("line", (line) => {
    const answer = line.startsWith("AUTH ")
      ? authenticate(line.slice(5))
      : trusted
        ? answerTo(line)
        : "ERROR not authenticated";
    socket.write(`${answer}\n`);
  });

  function authenticate(token) {
    trusted = isToken(token);
    return trusted ? "OK" : "ERROR wrong token";
  }
});
server.listen(Number(PORT), LISTEN, () => console.log(`listening on ${LISTEN}:${PORT} with ${values.size} keys`));
process.on("SIGTERM", stop);

function answerTo(line) {
  const [verb, key, ...rest] = line.split(" ");
  if (verb === "PING") return "OK";
  if (!key) return "ERROR a key is missing";
  if (verb === "GET") return values.has(key) ? `VALUE ${values.get(key)}` : "NONE";
  if (verb === "SET") return change(key, rest.join(" ")) ?? "OK";
  if (verb === "INCR") {
    const next = String(Number(values.get(key) ?? 0) + 1);
    return change(key, next) ?? `VALUE ${next}`;
  }
  return `ERROR unknown request ${verb}`;
}

/** Writes a change to disk, then to memory. Returns an error text if the change is invalid. */
function change(key, json) {
  try {
    JSON.parse(json);
  } catch {
    return "ERROR the value is not JSON";
  }
  writeSync(log, `${key} ${json}\n`);
  fsyncSync(log);
  values.set(key, json);
  return undefined;
}

/**
 * The values that an earlier process wrote. An incomplete last line was never confirmed: the process died while writing.
 */
function readBack(path) {
  const found = new Map();
  if (!existsSync(path)) return found;
  const text = readFileSync(path, "utf8");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole.length < text.length) truncateSync(path, Buffer.byteLength(whole));
  for (const line of whole.split("\n").filter(Boolean)) {
    const space = line.indexOf(" ");
    found.set(line.slice(0, space), line.slice(space + 1));
  }
  return found;
}

function isToken(text) {
  const given = Buffer.from(text);
  const expected = Buffer.from(DB_TOKEN);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function stop() {
  server.close();
  closeSync(log);
  console.log("stopped");
  process.exit(0);
}
