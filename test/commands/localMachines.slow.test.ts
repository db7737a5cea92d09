/** Machines on this computer: each has its own address, home and processes, and leaves nothing. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { test, expect } from "@jest/globals";

import { eventually, isAlive } from "../support/eventually.js";
import { filesBelow } from "../support/traces.js";
import { installation, type Installation } from "../support/installation.js";

test("two services listen on the same port, each on its own address, and a third reaches both", async () => {
  const own = installation();
  const server = `#!${process.execPath}\nimport { createServer } from "node:net";\ncreateServer((socket) => socket.end(process.env.BOOTLEVEL_SERVICE)).listen(7432, process.argv[2]);\n`;
  const client = `#!${process.execPath}\nimport { connect } from "node:net";\nimport { appendFileSync } from "node:fs";\nfor (const host of process.argv[2].split(",")) await new Promise((resolve, reject) => connect(7432, host).once("error", reject).on("data", (name) => appendFileSync(${JSON.stringify(join(own.facts, "names"))}, name + "\\n")).once("close", resolve));\n`;
  const folder = own.plan(
    `plan: ports
levels:
  - name: servers
    services:
      web: { replicas: 2, boot: { program: boot.sh, files: [server.mjs], args: ["\${self.host}"] } }
  - name: client
    services:
      client: { ready: { program: client.mjs, args: ["\${web.*.host}"], every: 100ms, timeout: 20s } }
`,
    { "boot.sh": '#!/bin/sh\nnohup ./server.mjs "$1" >/dev/null 2>&1 &\n', "server.mjs": server, "client.mjs": client },
  );
  expect(await own.call(["boot", folder, "--name", "ports"])).toMatchObject({ code: 0 });
  expect((own.fact("names") ?? "").split("\n").slice(-3)).toEqual(["web-1", "web-2", ""]);
  expect(await own.call(["terminate", "ports", "--yes"])).toMatchObject({ code: 0 });
});

test("a program finds its own HOME and TMPDIR, where it starts something of its own, and nothing of the launcher's environment", async () => {
  const own = installation();
  const look = `#!/bin/sh\nset -e\nenv > '${own.facts}/'$BOOTLEVEL_SERVICE\n[ "$1" != machine ] || { echo mine > "$HOME/file"; echo mine > "$TMPDIR/file"; }\nls "$HOME" > '${own.facts}/home-of-'$BOOTLEVEL_SERVICE\n`;
  const folder = own.plan(
    "plan: env\nlevels:\n  - name: one\n    services:\n      a: { boot: { program: look.sh, args: [machine] } }\n      b: { boot: { program: look.sh, args: [machine], env: { MORE: more words } } }\n      c: { boot: { program: look.sh, where: launcher } }\n",
    { "look.sh": look },
  );
  const env = {
    SECRET_TOKEN: "sesame",
    AWS_SECRET_ACCESS_KEY: "sesame",
    NODE_OPTIONS: "--no-warnings",
    LD_LIBRARY_PATH: "/sesame",
    TMPDIR: own.facts,
  };
  expect(await own.call(["boot", folder, "--name", "env"], { env })).toMatchObject({ code: 0 });
  const seen = (name: string) =>
    Object.fromEntries(
      (own.fact(name) ?? "")
        .trim()
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
  const [a, b, c] = ["a", "b", "c"].map(seen) as [
    Record<string, string>,
    Record<string, string>,
    Record<string, string>,
  ];
  for (const one of [a, b, c]) {
    expect(Object.values(one).join()).not.toContain("sesame");
    expect(Object.keys(one)).not.toEqual(expect.arrayContaining(["BOOTLEVEL_HOME"]));
    expect(Object.keys(one).filter((name) => Object.hasOwn(env, name) && name !== "TMPDIR")).toEqual([]);
  }
  expect(a["HOME"]).not.toBe(b["HOME"]);
  expect(a["TMPDIR"]).not.toBe(b["TMPDIR"]);
  expect(b["MORE"]).toBe("more words");
  expect(a["HOME"]).toContain(own.home);
  expect(c["HOME"]).toBe(join(own.directory, "operator"));
  expect(own.fact("home-of-a")).toBe("file\n");
});

/** Leaves servers in every way there is; each writes its pid and then waits. */
const leaving = (facts: string) => `#!/bin/sh
facts='${facts}'
sleep 3001 & echo $! > "$facts/plain"
nohup sleep 3002 >/dev/null 2>&1 & echo $! > "$facts/nohup"
setsid sh -c 'echo $$ > "$1/setsid"; exec sleep 3003' x "$facts" </dev/null >/dev/null 2>&1 &
( setsid env -i /bin/sh -c '( echo $$ >/dev/null; exec setsid /bin/sh -c "echo \\$\\$ > \\"$1/daemon\\"; cd /; exec sleep 3004" ) & ' x "$facts" </dev/null >/dev/null 2>&1 & )
( sh -c 'trap "" TERM HUP INT; echo $$ > "$1/stubborn"; while :; do sleep 0.2; done' x "$facts" </dev/null >/dev/null 2>&1 & )
until [ -s "$facts/plain" ] && [ -s "$facts/nohup" ] && [ -s "$facts/setsid" ] && [ -s "$facts/daemon" ] && [ -s "$facts/stubborn" ]; do sleep 0.05; done
`;
const kinds = ["plain", "nohup", "setsid", "daemon", "stubborn"];
const livingOnes = (own: Installation) => kinds.filter((kind) => isAlive(Number(own.fact(kind))));

test.each(["machine", "launcher"])(
  "what programs leave running on the %s outlives the command, and is gone after terminate, however it was started",
  async (where) => {
    const own = installation();
    const folder = own.plan(
      `plan: leave\nlevels:\n  - name: one\n    services:\n      a: { boot: { program: leave.sh, where: ${where} } }\n`,
      { "leave.sh": leaving(own.facts) },
    );
    expect(await own.call(["boot", folder, "--name", "leave"])).toMatchObject({ code: 0 });
    expect(livingOnes(own)).toEqual(kinds);
    expect(await own.call(["status", "leave"])).toMatchObject({ code: 0 });
    expect(livingOnes(own)).toEqual(kinds);
    const pids = kinds.map((kind) => Number(own.fact(kind)));
    try {
      expect(await own.call(["terminate", "leave", "--yes"])).toMatchObject({ code: 0 });
      expect(livingOnes(own)).toEqual([]);
    } finally {
      for (const pid of pids.filter(isAlive)) process.kill(pid, "SIGKILL");
    }
  },
);

test("terminate ends the run's own processes only: another run's go on", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: two\nlevels:\n  - name: one\n    services:\n      a: { boot: { command: "sleep 3005 & echo $! > '${own.facts}/'$BOOTLEVEL_RUN" } }\n`,
  );
  for (const name of ["first", "second"])
    expect(await own.call(["boot", folder, "--name", name])).toMatchObject({ code: 0 });
  expect(await own.call(["terminate", "first", "--yes"])).toMatchObject({ code: 0 });
  expect(isAlive(Number(own.fact("first")))).toBe(false);
  expect(isAlive(Number(own.fact("second")))).toBe(true);
});

test("terminate leaves no directory, no claim and nothing in memory of the run's machines", async () => {
  const own = installation();
  const memory = `dirname $BOOTLEVEL_ATTRIBUTES >> '${own.facts}/memory'`;
  const folder = own.plan(
    `plan: clean\nlevels:\n  - name: one\n    services:\n      a: { replicas: 2, boot: { command: "${memory}; mkdir -p ~/closed/in && touch ~/closed/in/x && chmod 000 ~/closed" }, ready: { command: "${memory}; true" }, terminate: { command: "${memory}; true" } }\n      b: { boot: { command: "${memory}; true", where: launcher } }\n`,
  );
  expect(await own.call(["boot", folder, "--name", "clean"])).toMatchObject({ code: 0 });
  expect(await own.call(["status", "clean"])).toMatchObject({ code: 0 });
  const machines = join(own.home, "drivers", "local", "machines");
  expect(readdirSync(machines)).toHaveLength(3);
  expect(await own.call(["terminate", "clean", "--yes"])).toMatchObject({ code: 0 });
  expect(readdirSync(machines)).toEqual([]);
  expect(readdirSync(join(own.home, "drivers", "local", "claims"))).toEqual([]);
  const inMemory = (own.fact("memory") ?? "").trim().split("\n");
  expect(inMemory).toHaveLength(9);
  expect(inMemory.filter((path) => existsSync(path))).toEqual([]);
  const left = filesBelow(own.home)
    .map((file) => file.slice(own.home.length + 1))
    .filter((file) => !file.startsWith("bootlevel.db") && !/^runs\/[^/]+\/logs\//.test(file));
  expect(left.filter((file) => /launcher|work|machines|claims/.test(file))).toEqual([]);
});

test("logs outlive the machines", async () => {
  const own = installation();
  const folder = own.plan(
    "plan: log\nlevels: [{ name: one, services: { a: { boot: { command: 'echo up' }, terminate: { command: 'echo down' } } } }]\n",
  );
  await own.call(["boot", folder, "--name", "log"]);
  await own.call(["terminate", "log", "--yes"]);
  const logs = await own.json(["logs", "log"]);
  expect(
    logs.document.logs.map((log: { step: string; path: string }) => [
      log.step,
      readFileSync(log.path, "utf8").includes(log.step === "boot" ? "up\n" : "down\n"),
    ]),
  ).toEqual([
    ["boot", true],
    ["terminate", true],
  ]);
});

test("`logs --follow` shows what a program prints while it runs, and ends with the boot", async () => {
  const own = installation();
  const folder = own.plan(
    `plan: follow\nlevels:\n  - name: one\n    services:\n      a: { boot: { command: "echo early; touch '${own.facts}/begun'; until test -f '${own.facts}/go'; do sleep 0.05; done; echo late" } }\n`,
  );
  const boot = own.start(["boot", folder, "--name", "follow"]);
  await eventually("the program has begun", () => own.fact("begun") !== null);
  const follow = own.start(["logs", "follow", "--follow"]);
  let shown = "";
  follow.child.stdout?.on("data", (text: string) => {
    shown += text;
  });
  await eventually("the early line is shown", () => shown.includes("a boot | early"));
  own.plan("", { go: "" }, "facts");
  expect(await follow.ended).toMatchObject({ code: 0 });
  expect(shown).toContain("a boot | late");
  await boot.ended;
});
