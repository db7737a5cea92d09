/**
 * The first process of a lab, in a network, a mount and a pid namespace of its own. It opens the socket on which the
 * lab's cloud answers and hands it to the test, starts machines and ends them by their process. When it ends, the
 * kernel ends everything in the lab with it, and it ends when the test's channel closes: also when the test's process
 * was killed.
 */
import { spawn } from "node:child_process";
import { createServer } from "node:net";

const machines = new Map();

process.on("disconnect", () => process.exit());
process.on("message", ({ start, kill, words }) => {
  if (start !== undefined) {
    const machine = spawn("unshare", ["--mount", "--pid", "--uts", "--fork", "--kill-child", ...words], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    machines.set(start, machine);
    machine.once("exit", (code, signal) => {
      machines.delete(start);
      process.send({ ended: start, how: signal ?? code });
    });
  }
  if (kill !== undefined) machines.get(kill)?.kill("SIGKILL");
});

const server = createServer();
server.listen(80, "127.0.0.1", () => {
  process.send("listening", server, {}, () => server.close());
});
