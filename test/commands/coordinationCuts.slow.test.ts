/** Programs that talk while their connection is cut, hangs, or their launcher dies: each request counts once. */
import { afterEach, expect, test } from "@jest/globals";

import { eventually, within } from "../support/eventually.js";
import { installation, type Document, type Installation } from "../support/installation.js";
import { random } from "../support/seed.js";
import { startProxy, startSshHost, type SshHost, type TcpProxy } from "../support/sshHost.js";

const started: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of started.splice(0).reverse()) await one.stop();
}, 30_000);

async function host(): Promise<{ machine: SshHost; proxy: TcpProxy }> {
  const machine = await startSshHost();
  const proxy = await startProxy(machine.address, machine.port);
  started.push(machine, proxy);
  return { machine, proxy };
}

/** How often each program talks. */
const ROUNDS = 25;

/** Two services on one host: each says a number and meets the other, round by round; then they exchange values. */
function plan(own: Installation, { machine, proxy }: { machine: SshHost; proxy: TcpProxy }): string {
  const talk = `#!/bin/sh
i=0
while [ $i -lt ${ROUNDS} ]; do
  i=$((i+1)); echo $i >"$FACTS/$BOOTLEVEL_SERVICE.at"
  bl say "$i" || { echo "say $i: $?" >>"$FACTS/bad"; exit 1; }
  bl set v "$i" || { echo "set $i: $?" >>"$FACTS/bad"; exit 1; }
  bl barrier "round" --parties 2 || { echo "barrier $i: $?" >>"$FACTS/bad"; exit 1; }
done
bl get a:v >>"$FACTS/$BOOTLEVEL_SERVICE.got"; bl get b:v >>"$FACTS/$BOOTLEVEL_SERVICE.got"
`;
  const service = `host: 127.0.0.1, outputs: [v], boot: { program: talk.sh, env: { FACTS: "${own.facts}" } }`;
  const ssh = `user: ${machine.user}, port: ${proxy.port}, identity: "${machine.identity}", agent: false, host_keys: accept-new, keepalive: 1s, connect_timeout: 10s`;
  return own.plan(
    `plan: cuts\ndefaults: { timeout: 100s, ssh: { ${ssh} } }\nlevels:\n  - services:\n      a: { ${service} }\n      b: { ${service} }\n`,
    { "talk.sh": talk },
  );
}

async function expectOnce(own: Installation): Promise<void> {
  expect(own.fact("bad")).toBe(null);
  const { document } = await own.json(["events", "cuts"]);
  for (const name of ["a", "b"]) {
    const said = document.events
      .filter(({ type, service }: Document) => type === "said" && service === name)
      .map(({ data }: Document) => Number(data.text));
    expect(said).toEqual(Array.from({ length: ROUNDS }, (_, at) => at + 1));
    expect(own.fact(`${name}.got`)).toBe(`${ROUNDS}\n${ROUNDS}\n`);
  }
}

const round = (own: Installation): number => Number(own.fact("a.at") ?? 0);

test("with a connection that is cut again and again, each text is said once, in order, and every barrier opens", async () => {
  const own = installation();
  const there = await host();
  const boot = own.start(["boot", plan(own, there), "--name", "cuts"]);
  await eventually("it talks", () => round(own) > 1);
  let over = false;
  void boot.ended.then(() => (over = true));
  for (let cut = 0; cut < 12 && !over; cut += 1) {
    there.proxy.cut();
    await new Promise((resolve) => setTimeout(resolve, 200 + random() * 1_000)); // the chance is the point
  }
  const ended = await within("the boot ends", boot.ended, 100_000);
  expect(ended).toMatchObject({ code: 0 });
  await expectOnce(own);
  const { document } = await own.json(["events", "cuts"]);
  const types = document.events.map(({ type }: Document) => type);
  expect(types.filter((type: string) => type === "connection-lost").length).toBeGreaterThan(0);
  expect(types.filter((type: string) => type === "connection-restored").length).toBeGreaterThan(0);
}, 150_000);

test("a machine that hangs is told of, and its programs go on over the next connection", async () => {
  const own = installation();
  const there = await host();
  const boot = own.start(["boot", plan(own, there), "--name", "cuts"]);
  let shown = "";
  boot.child.stdout?.on("data", (text: string) => (shown += text));
  await eventually("it talks", () => round(own) > 2);
  there.proxy.hang();
  await eventually("the loss is told", () => shown.includes("lost the connection to"));
  const { document } = await own.json(["status", "cuts"]);
  expect(document.services.map(({ message }: Document) => message)).toEqual([
    expect.stringContaining("its launcher lost the connection to"),
    expect.stringContaining("its launcher lost the connection to"),
  ]);
  there.proxy.resume();
  expect(await within("the boot ends", boot.ended, 100_000)).toMatchObject({ code: 0 });
  expect(shown.split("lost the connection to").length).toBe(2);
  expect(shown).toMatch(/which runs programs of (a, b|b, a)/);
  expect(shown).toContain("again after");
  await expectOnce(own);
}, 150_000);

test("a launcher that is killed, and the one that resumes, handle each request once between them", async () => {
  const own = installation();
  const there = await host();
  const boot = own.start(["boot", plan(own, there), "--name", "cuts"]);
  await eventually("it talks", () => round(own) > 3);
  boot.child.kill("SIGKILL");
  await boot.ended;
  for (const at of [8, 14]) {
    const next = own.start(["boot", "--resume", "cuts"]);
    await eventually("it talks on", () => round(own) >= at);
    next.child.kill("SIGKILL");
    await next.ended;
  }
  expect(await within("it ends", own.call(["boot", "--resume", "cuts"]), 100_000)).toMatchObject({ code: 0 });
  await expectOnce(own);
}, 200_000);
