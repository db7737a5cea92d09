/** `bl` and the program's environment in sessions of `bootlevel ssh`, on this computer and over SSH. */
import { existsSync } from "node:fs";

import { afterEach, expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation, type Installation } from "../support/installation.js";
import { begun, levels, letGo, waitFor } from "../support/liveRun.js";
import { startSshPool, type SshPool } from "../support/sshPool.js";

const pools: SshPool[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.stop();
});

const SECRET = "s3ssion-s3cret-token";

async function poolFor(where: string, hosts: number): Promise<string> {
  if (where === "here") return "";
  const pool = await startSshPool(hosts);
  pools.push(pool);
  return pool.head;
}

const plan = (own: Installation, head: string) =>
  levels(
    "talk",
    [
      `
    db: { outputs: [url, { name: token, secret: true }], boot: { command: "bl set token < '${own.facts}/token'; ${waitFor(own, "db")}; bl set url postgres://db" } }
    web: { attributes: { port: 80 }, inputs: { token: db.token, mode: fast }, outputs: [state], boot: { command: "${waitFor(own, "web")}", env: { GREETING: "it's me", WHERE: "\${self.host}" } } }
    asks: { boot: { command: "bl get web:state --timeout 30 >> '${own.facts}/heard'" } }
  `,
    ],
    head,
  );

test.each(["here", "over SSH"])(
  "a session %s has the program's environment and a bl that works while a launcher holds the run",
  async (where) => {
    const own = installation();
    own.plan("", { token: SECRET }, "facts");
    const boot = own.start(["boot", own.plan(plan(own, await poolFor(where, 3))), "--name", "talk"]);
    for (const name of ["db", "web"]) await begun(own, name);
    // Each session notes where it keeps what it has in memory.
    const inside = (line: string) =>
      own.call(["ssh", "talk", "web", "--", `cat .bl/rt-path >>'${own.facts}/memory'; ${line}`]);

    const env = await inside(
      'echo "$GREETING|$WHERE|$BOOTLEVEL_RUN|$BOOTLEVEL_SERVICE|$BOOTLEVEL_LEVEL"; cat "$BOOTLEVEL_ATTRIBUTES"',
    );
    const [line = "", attributes = ""] = env.stdout.split("\n");
    expect(env).toMatchObject({ code: 0, stderr: "" });
    expect(line).toMatch(/^it's me\|[0-9.]+\|talk\|web\|l1$/);
    expect(JSON.parse(attributes)).toMatchObject({ port: "80", mode: "fast", token: SECRET, replica: "1" });

    // The secret is in no command line: neither in that of the shell, nor in that of what prepared it.
    expect((await inside("ps -eo args | grep -c '[s]3ssion-s3cret'; bl get token; bl get mode")).stdout).toBe(
      `0\n${SECRET}\nfast\n`,
    );
    const live = own.start([
      "ssh",
      "talk",
      "web",
      "--",
      "bl get db:url --no-wait; echo $?; bl get db:url --timeout 30",
    ]);
    let heard = "";
    live.child.stdout?.on("data", (chunk: Buffer) => (heard += chunk.toString("utf8")));
    await eventually("the session has asked", () => heard.includes("1\n"));
    letGo(own, "db");
    expect(await live.ended).toMatchObject({ code: 0, stdout: "1\npostgres://db\n" });

    expect(await inside("bl say hello from the session; bl set state open && bl get state")).toMatchObject({
      code: 0,
      stdout: "open\n",
    });
    await eventually("the program that waited has the value", () => own.fact("heard") === "open\n");
    const wrong = await inside(
      "bl set stat 1; echo $?; bl barrier start; echo $?; bl get db:nothing; echo $?; bl random | wc -c",
    );
    expect(wrong.stdout.replace(/ /g, "")).toBe("7\n2\n7\n17\n");
    expect(wrong.stderr).toContain('service "web" has no output "stat", did you mean "state"?');
    expect(wrong.stderr).toContain("a session takes part in no barrier");
    const late = await inside("bl get db:url --timeout 1 >/dev/null; bl get asks:nothing; exit 5");
    expect(late.code).toBe(5);

    letGo(own, "web");
    const ended = await boot.ended;
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.stderr + ended.stdout).toContain("web says: hello from the session");
    expect(ended.stderr + ended.stdout).toContain("web set state = open");
    const memory = (own.fact("memory") ?? "").trim().split("\n");
    expect(memory.length).toBeGreaterThan(4);
    expect(memory.filter((directory) => existsSync(directory))).toEqual([]);
    expect((await inside("ls -d ../session-* 2>/dev/null | wc -l")).stdout.trim()).toBe("1");
  },
  120_000,
);

test("without a launcher a session sets values itself, and an abort in it ends the waits of others", async () => {
  const own = installation();
  const folder = own.plan(levels("alone", [`web: { outputs: [state], boot: { command: "bl set state closed" } }`]));
  expect(await own.call(["boot", folder, "--name", "alone"])).toMatchObject({ code: 0 });
  expect(await own.call(["ssh", "alone", "web", "bl", "set", "state", "open"])).toMatchObject({ code: 0, stderr: "" });
  expect(await own.call(["output", "alone", "web.state"])).toMatchObject({ stdout: "open\n" });
  const aborted = await own.call([
    "ssh",
    "alone",
    "web",
    "--",
    "bl abort 'not this one'; bl get state; echo $?; bl get state --ignore-abort",
  ]);
  expect(aborted.stdout).toBe("8\nopen\n");
  expect((await own.json(["show", "alone"])).document.abort).toMatchObject({
    reason: "not this one",
    origin: "operator",
  });
}, 60_000);

test("a machine that cannot take the session's files is logged in to all the same, with a word", async () => {
  const own = installation();
  const folder = own.plan(levels("full", [`web: { boot: { command: "true" } }`]));
  expect(await own.call(["boot", folder, "--name", "full"])).toMatchObject({ code: 0 });
  // Where the service's steps lie is a file now.
  expect(
    await own.call(["ssh", "full", "web", "--", 'cd .. && mv "$PWD" "$PWD-away" && cd .. && touch web && ls -d web']),
  ).toMatchObject({ code: 0 });
  const ended = await own.call(["ssh", "full", "web", "echo", "in"]);
  expect(ended).toMatchObject({ code: 0, stdout: "in\n" });
  expect(ended.stderr).toContain(
    "this session has neither bl nor the environment of web's programs: its files could not be written",
  );
}, 60_000);

test("a host that allows one session for each connection is logged in to with bl, too", async () => {
  const pool = await startSshPool(1, "MaxSessions 1");
  pools.push(pool);
  const own = installation();
  const folder = own.plan(
    levels("one", [`web: { outputs: [state], boot: { command: "bl set state open" } }`], pool.head),
  );
  expect(await own.call(["boot", folder, "--name", "one"])).toMatchObject({ code: 0 });
  expect(await own.call(["ssh", "one", "web", "--", "bl get state"])).toMatchObject({ code: 0, stdout: "open\n" });
}, 60_000);

test("the files of a session go when its launcher is killed", async () => {
  const own = installation();
  const folder = own.plan(levels("kill", [`web: { boot: { command: "true" } }`]));
  expect(await own.call(["boot", folder, "--name", "kill"])).toMatchObject({ code: 0 });
  const session = own.start(["ssh", "kill", "web", "--", "echo $BOOTLEVEL_COORDINATION; exec sleep 20"]);
  let runtime = "";
  session.child.stdout?.on("data", (chunk: Buffer) => (runtime += chunk.toString("utf8")));
  await eventually("the session has begun", () => runtime.endsWith("\n"));
  expect(existsSync(runtime.trim())).toBe(true);
  session.child.kill("SIGKILL");
  await eventually("its files are gone", () => !existsSync(runtime.trim()));
}, 60_000);
