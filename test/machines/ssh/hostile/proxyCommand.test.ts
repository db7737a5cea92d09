/** A program that carries the connection (`proxy_command`): with a real sshd behind it, and with programs that fail. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { proxyWords } from "../../../../src/machines/ssh/proxyCommand.js";
import { eventually } from "../../../support/eventually.js";
import { hostile, reach, refusal } from "./harness.js";

/** Writes its process id and that of a child that would live on, and joins its input and output with a port. */
const CARRIER = `
const child = require("child_process").spawn("sleep", ["300"], { stdio: "ignore" });
require("fs").writeFileSync(process.argv[3], process.pid + " " + child.pid);
const socket = require("net").connect(+process.argv[2], process.argv[1]);
process.stdin.on("end", () => undefined); // it does not notice that nobody is there any more
process.stdin.pipe(socket, { end: false });
socket.pipe(process.stdout);
setInterval(() => undefined, 1000);
`;

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

test("programs run over it, no port of the host is asked for otherwise, and it ends with its children and the connection", async () => {
  const host = await hostile();
  const pids = join(host.directory, "pids");
  const { host: address, port } = host.settings();
  const connection = await reach(
    host.settings({
      proxyCommand: [process.execPath, "-e", CARRIER, address, String(port), pids],
    }),
  );
  const channel = await connection.open("echo over-$((1+1))");
  let text = "";
  channel.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  channel.stderr.resume();
  await channel.ended;
  expect(text).toBe("over-2\n");
  const processes = readFileSync(pids, "utf8").split(" ").map(Number);
  expect(processes.map(isAlive)).toEqual([true, true]);
  await connection.close();
  await eventually("the program and its child have ended", async () => !processes.some(isAlive));
});

test("what it wrote to standard error, and its exit code, stand in the error", async () => {
  const host = await hostile();
  const proxyCommand = ["sh", "-c", 'echo "TargetNotConnected: $0 is not connected." >&2; exit 254', "%i"];
  expect(await refusal(reach(host.settings({ proxyCommand, machineId: "i-0123", connectTimeoutMs: 500 })))).toMatch(
    /could not be reached within 0.5 s .*; last error: proxy_command sh ended with exit code 254: TargetNotConnected: i-0123 is not connected\./,
  );
});

test("a program that is not there is named", async () => {
  const host = await hostile();
  const proxyCommand = ["no-such-program", "%h"];
  expect(await refusal(reach(host.settings({ proxyCommand, connectTimeoutMs: 300 })))).toContain(
    "proxy_command no-such-program cannot be started: it was not found",
  );
});

test("values are data: each word stays one argument, and no shell reads it", async () => {
  const target = { host: "$(touch /tmp/x); %p", port: 2222, user: "me me", machineId: "i-1" };
  expect(proxyWords(["ssh", "-W", "%h:%p", "%r", "%i", "100%%", "%x"], target)).toEqual([
    "ssh",
    "-W",
    "$(touch /tmp/x); %p:2222",
    "me me",
    "i-1",
    "100%",
    "%x",
  ]);
  const host = await hostile();
  const trace = join(host.directory, "trace");
  const proxyCommand = ["true", `; touch ${trace}`, `$(touch ${trace})`];
  await refusal(reach(host.settings({ proxyCommand, connectTimeoutMs: 300 })));
  expect(existsSync(trace)).toBe(false);
});
