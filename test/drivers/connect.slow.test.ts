/** A driver that connects to its machines itself gets programs, files, `bl`, reports and logins for it. */
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { driverModule } from "../support/driverModule.js";
import { eventually, isAlive } from "../support/eventually.js";
import { installation, type Document, type Installation } from "../support/installation.js";
import { begun, boot, letGo, levels, shownServices, waitFor } from "../support/liveRun.js";

const head = async (): Promise<string> =>
  `clouds: { c: { driver: "${await driverModule("shellCloud")}" } }\ndefaults: { cloud: c }\n`;

const state = (own: Installation, ...names: readonly string[]): string =>
  join(own.home, "drivers", "shell-cloud", ...names);
const machines = (own: Installation): string[] => readdirSync(state(own, "machines"));
/** How often the driver connected to each service's machine; what it told of the machine came back to it. */
function connects(own: Installation): Record<string, number> {
  const lines = readFileSync(state(own, "connects"), "utf8").trim().split("\n");
  const counts: Record<string, number> = {};
  for (const line of lines) {
    const [service = "", data] = line.split(" ");
    expect(data).toBe("42");
    counts[service] = (counts[service] ?? 0) + 1;
  }
  return counts;
}

test("files are staged, outputs passed on, values exchanged and reports brought home, over one connection a machine", async () => {
  const own = installation();
  const text = levels(
    "whole",
    [
      `db: { outputs: [word], boot: { program: boot.sh, files: [data.txt] } }`,
      `web: { boot: { env: { GIVEN: "\${db.word} at \${db.host}" }, command: 'echo "$GIVEN" > "${own.facts}/given"; bl set port 8080' }, outputs: [port], ready: { command: 'true' } }
       app: { boot: { env: { GIVEN: "\${db.word}" }, command: 'bl get web:port > "${own.facts}/port"; mkdir results; echo "$GIVEN" > results/a.txt' }, report: { patterns: ["results/*.txt"] } }`,
    ],
    await head(),
  );
  const folder = own.plan(text, {
    "boot.sh": '#!/bin/sh\necho "word=$(cat data.txt)" >> "$BOOTLEVEL_OUTPUT"\n',
    "data.txt": "sesame",
  });
  await boot(own, folder, "whole");
  expect([own.fact("given"), own.fact("port")]).toEqual(["sesame at 127.77.0.1\n", "8080\n"]);
  expect(connects(own)).toEqual({ db: 1, web: 1, app: 1 });
  expect((await own.call(["status", "whole"])).code).toBe(0);
  const login = await own.call(["ssh", "whole", "db", "--", "ls; echo words >&2; exit 7"]);
  expect(login).toMatchObject({ code: 7, stdout: "boot.sh\ndata.txt\n" });
  expect(login.stderr).toContain("words\n");
  expect(await own.call(["terminate", "whole", "--yes"])).toMatchObject({ code: 0 });
  expect(machines(own)).toEqual([]);
  expect(readdirSync(state(own, "directories"))).toEqual([]);
  expect((await own.call(["reports", "whole", "app", "--open", "a.txt"])).stdout).toBe("sesame\n");
}, 60_000);

test("a connection that breaks under a program is made again, and the program has run once", async () => {
  const own = installation();
  const command = `echo run >> "${own.facts}/runs"; echo early; ${waitFor(own, "end")}; echo word=kept >> $BOOTLEVEL_OUTPUT`;
  const text = levels(
    "cut",
    [`web: { outputs: [word], boot: { command: '${command.replaceAll("'", "''")}' } }`],
    await head(),
  );
  const booted = own.start(["boot", own.plan(text), "--name", "cut"]);
  await begun(own, "end");
  writeFileSync(state(own, "cut-web"), "");
  await eventually("the driver has connected again", () => connects(own)["web"] === 2, 20_000);
  letGo(own, "end");
  expect(await booted.ended).toMatchObject({ code: 0 });
  expect(own.fact("runs")).toBe("run\n");
  const shown = await shownServices(own, "cut");
  expect(shown["web"].state).toBe("ready");
  expect((await own.call(["logs", "cut", "web"])).stdout).toContain("early");
}, 60_000);

test("a program over its time limit is ended, with what it has started", async () => {
  const own = installation();
  const text = levels(
    "late",
    [`web: { boot: { timeout: 1s, command: 'sleep 3000 & echo $! > "${own.facts}/pid"; wait' } }`],
    await head(),
  );
  const { code, document } = await own.json(["boot", own.plan(text), "--name", "late"]);
  expect(code).toBe(1);
  expect(document.failures).toMatchObject([{ service: "web", step: "boot" }]);
  expect(document.failures[0].message).toMatch(/1 s|1s/);
  await eventually("the program is gone", () => !isAlive(Number(own.fact("pid"))));
}, 60_000);

test("a lost machine is seen by status and replaced by repair; a cloud that asks for fewer calls is asked again", async () => {
  const own = installation();
  const text = levels("lost", [`web: { boot: { command: 'echo up' }, ready: { command: 'true' } }`], await head());
  await boot(own, own.plan(text), "lost");
  const [before] = machines(own);
  rmSync(state(own, "directories", before as string), { recursive: true });
  expect((await own.call(["status", "lost"])).code).toBe(1);
  writeFileSync(state(own, "throttle"), "");
  expect(await own.call(["repair", "lost"])).toMatchObject({ code: 0 });
  expect(existsSync(state(own, "throttle"))).toBe(false);
  expect((await own.call(["status", "lost"])).code).toBe(0);
  const after = machines(own);
  expect(after).toHaveLength(1);
  expect(after).not.toEqual([before]);
  expect(await own.call(["terminate", "lost", "--yes"])).toMatchObject({ code: 0 });
  expect(machines(own)).toEqual([]);
}, 60_000);

test("a driver that gives the access and does not connect fails the service with words", async () => {
  const own = installation();
  const file = await driverModule("shellCloud");
  const text = levels(
    "mute",
    [`web: { boot: { command: 'true' } }`],
    "clouds: { c: { driver: ./mute.mjs } }\ndefaults: { cloud: c }\n",
  );
  const mute = `import whole from ${JSON.stringify(file)};\nexport default { ...whole, create: (context) => { const driver = whole.create(context); driver.connect = undefined; return driver; } };\n`;
  const { code, document } = await own.json(["boot", own.plan(text, { "mute.mjs": mute }), "--name", "mute"]);
  expect(code).toBe(1);
  expect(document.failures.map(({ message }: Document) => message as string).join()).toContain("does not connect");
}, 60_000);
