/** Reload: the run follows its changed plan; what did not change goes on as it is. */
import { rmSync } from "node:fs";

import { test, expect } from "@jest/globals";

import { filesWith } from "../support/traces.js";
import { installation, type Document, type Installation } from "../support/installation.js";
import { begun, boot, letGo, levels, localMachines, tell, told, waitFor } from "../support/liveRun.js";

let folders = 0;
/** Writes a version of a plan; `script` is the boot program of `a`. */
const version = (own: Installation, services: readonly string[], head = "", script = "") =>
  own.plan(
    levels("live", services, head),
    { "a.sh": `#!/bin/sh\n${tell(own, "a")}\n${script}\n`, "end.sh": `#!/bin/sh\n${tell(own, "end")}\n` },
    `version ${++folders}`,
  );

async function reload(
  own: Installation,
  folder: string,
  words: readonly string[] = [],
): Promise<{ code: number | null; changes: string[]; words: string[] }> {
  const { code, document } = await own.json(["reload", "live", folder, "--yes", ...words]);
  if (document.error) throw new Error(JSON.stringify(document.error));
  const changes = document.changes.filter(
    (change: Document) => change.action !== "keep" || change.differences.length > 0 || change.was !== null,
  );
  return {
    code,
    changes: changes.map(
      ({ name, was, action, differences }: Document) =>
        `${name}${was === null ? "" : ` was ${was}`}: ${action} (${differences.join("; ")})`,
    ),
    words: told(own).sort(),
  };
}

const a = (keys: string, rest = "") => `a: { boot: { program: a.sh, ${keys} }, ${rest} }`;

test("each kind of change does what it must, to its service alone", async () => {
  const own = installation();
  const lone = `lone: { boot: { command: "${tell(own, "lone")}" } }`;
  const ready = (word: string) => `ready: { command: "${tell(own, word)}" }`;
  await boot(own, version(own, [`${a("args: [x]")}\n${lone}`]), "live");
  expect(await reload(own, version(own, [`${a("args: [x]")}\n${lone}`]))).toEqual({ code: 0, changes: [], words: [] });
  expect(await reload(own, version(own, [`${a("args: [x]")}\n${lone}`], "", "# changed"))).toEqual({
    code: 0,
    changes: ["a: boot (boot: changed)"],
    words: ["a"],
  });
  expect(
    await reload(
      own,
      version(own, [`${a("args: [y], env: { E: 1 }", "attributes: { port: 80 }")}\n${lone}`], "", "# changed"),
    ),
  ).toEqual({
    code: 0,
    changes: ["a: boot (boot.args: changed; attributes.port: new; boot.env.E: new)"],
    words: ["a"],
  });
  expect(
    await reload(
      own,
      version(
        own,
        [`${a("args: [y], env: { E: 1 }", `attributes: { port: 80 }, ${ready("r")}`)}\n${lone}`],
        "",
        "# changed",
      ),
    ),
  ).toMatchObject({ code: 0, changes: [expect.stringContaining("a: verify (ready: new")], words: ["r"] });
  expect(
    await reload(
      own,
      version(
        own,
        [`${a("args: [y], env: { E: 1 }", `attributes: { port: 80 }, ${ready("r")}, terminate: end.sh`)}\n${lone}`],
        "",
        "# changed",
      ),
    ),
  ).toMatchObject({ code: 0, words: [] });
  expect(localMachines(own)).toEqual(["a.1", "lone.1"]);
  expect(
    await reload(
      own,
      version(
        own,
        [
          `${a("args: [y], env: { E: 1 }", `size: big, attributes: { port: 80 }, ${ready("r")}, terminate: end.sh`)}\n${lone}`,
        ],
        "",
        "# changed",
      ),
    ),
  ).toEqual({ code: 0, changes: ["a: replace (size: none → big)"], words: ["a", "end", "r"] });
  expect(localMachines(own)).toEqual(["a.2", "lone.1"]);
});

test("services are added, removed and moved; the programs of a removed one need no files any more", async () => {
  const own = installation();
  const first = version(own, [
    `a: { boot: { command: "true" }, terminate: end.sh }`,
    `b: { boot: { command: "${tell(own, "b")}" } }`,
  ]);
  await boot(own, first, "live");
  rmSync(first, { recursive: true });
  const second = version(own, [
    `b: { boot: { command: "${tell(own, "b")}" } }\nn: { boot: { command: "${tell(own, "n")}" } }`,
  ]);
  expect(await reload(own, second)).toEqual({
    code: 0,
    changes: ["b: keep (level: l2 → l1)", "n: add ()", "a: remove ()"],
    words: ["end", "n"],
  });
  expect(localMachines(own)).toEqual(["b.1", "n.1"]);
  expect((await reload(own, version(own, [`a: { boot: { command: "${tell(own, "a")}" } }`]))).words).toEqual(["a"]);
  expect(localMachines(own)).toEqual(["a.2"]);
  expect(await own.call(["terminate", "live", "--yes"])).toMatchObject({ code: 0 });
  expect(localMachines(own)).toEqual([]);
});

test("variables: --var and changed defaults count, given values stay, a secret is never shown", async () => {
  const own = installation();
  const plan = (word: string) =>
    version(
      own,
      [
        `a: { boot: { command: "true", env: { S: "\${var.secret}" } } }\nb: { boot: { command: "${tell(own, "b \${var.word}")}" } }\nc: { boot: { command: "${tell(own, "c \${var.other}")}" } }`,
      ],
      `variables: { word: ${word}, other: ${word}, secret: { secret: true, default: unused } }\n`,
    );
  expect(
    (await own.call(["boot", plan("one"), "--name", "live", "--var", "other=mine", "--var", "secret=hunter-one"])).code,
  ).toBe(0);
  told(own);
  expect(await reload(own, plan("two"))).toMatchObject({ words: ["b two"] });
  expect(await reload(own, plan("two"), ["--var", "other=yours"])).toMatchObject({ words: ["c yours"] });
  const secret = await own.call(["reload", "live", plan("two"), "--yes", "--var", "secret=hunter-two"]);
  expect(secret.code).toBe(0);
  expect(secret.stdout).toContain("boot.env.S: changed");
  expect((await reload(own, plan("two"))).changes).toEqual([]);
  expect(secret.stdout + secret.stderr + (await own.call(["events", "live"])).stdout).not.toContain("hunter");
  expect(filesWith(own.home, ["hunter-one", "hunter-two"])).toEqual([]);
});

test("what is only shown, not answered or wrong changes nothing: --dry-run, no terminal, mistakes, a changed cloud", async () => {
  const own = installation();
  const [cloud, other] = [
    "clouds: { k: { driver: local } }\n",
    "clouds: { k: { driver: existing, hosts: [127.0.0.9] } }\n",
  ];
  await boot(own, version(own, [`a: { boot: { command: "${tell(own, "a")}" } }`], cloud), "live");
  const changed = version(own, [`a: { boot: { command: "${tell(own, "changed")}" } }`], cloud);
  expect(await own.json(["reload", "live", changed, "--dry-run"])).toMatchObject({
    code: 0,
    document: { version: 1, command: "reload", applied: false, changes: [{ name: "a", action: "boot" }] },
  });
  const asked = await own.call(["reload", "live", changed]);
  expect(asked.code).toBe(2);
  expect([asked.stdout, asked.stderr]).toEqual([
    expect.stringMatching(/a +boots again +boot: changed/) as unknown,
    expect.stringContaining("use --yes") as unknown,
  ]);
  const wrong = await own.call([
    "reload",
    "live",
    version(own, ['a: { boot: { command: "echo ${var.none}" } }'], cloud),
    "--yes",
  ]);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain('unknown variable "none"');
  const moved = await own.call(["reload", "live", version(own, ["a: {}"], other), "--yes"]);
  expect(moved.code).toBe(2);
  expect(moved.stderr).toContain('changes cloud "k", which still has machines of run');
  for (const { stderr } of [asked, wrong, moved]) expect(stderr).not.toMatch(/^ +at /m);
  expect(told(own)).toEqual([]);
  expect((await own.json(["reload", "live", changed, "--dry-run"])).document.changes).toMatchObject([
    { action: "boot" },
  ]);
});

test("the machines of a cloud that the plan has no more are ended all the same", async () => {
  const own = installation();
  const services = (clouds: Record<string, string>) => [
    Object.entries(clouds)
      .map(([name, cloud]) => `${name}: { cloud: ${cloud}, terminate: { command: "${tell(own, `${name}-ends`)}" } }`)
      .join("\n"),
  ];
  await boot(
    own,
    version(
      own,
      services({ a: "one", b: "two", c: "one" }),
      "clouds: { one: { driver: local }, two: { driver: local } }\n",
    ),
    "live",
  );
  expect(
    await reload(own, version(own, services({ a: "two", b: "two" }), "clouds: { two: { driver: local } }\n")),
  ).toEqual({ code: 0, changes: ["a: replace (cloud: one → two)", "c: remove ()"], words: ["a-ends", "c-ends"] });
  expect(localMachines(own)).toEqual(["a.2", "b.1"]);
});

test("a reload that failed or was killed half-way: the same plan again says so with 1, repair finishes it", async () => {
  const own = installation();
  const plan = (command: string) =>
    version(own, [
      `a: { boot: { command: "${command}" } }`,
      `z: { boot: { command: "${tell(own, "z \${run.name}")}" }, attributes: { v: ${folders} } }`,
    ]);
  const bad = plan("exit 3");
  expect((await own.call(["boot", bad, "--name", "live"])).code).toBe(1);
  const same = await own.call(["reload", "live", bad, "--yes"]);
  expect([same.code, same.stdout]).toEqual([1, expect.stringContaining("bootlevel repair live") as unknown]);
  expect(await reload(own, plan(tell(own, "a")))).toMatchObject({ code: 0, words: ["a", "z live"] });
  const long = plan(`${waitFor(own, "a")}; ${tell(own, "a")}`);
  const killed = own.start(["reload", "live", long, "--yes"]);
  await begun(own, "a");
  killed.child.kill("SIGKILL");
  await killed.ended;
  letGo(own, "a");
  expect((await own.call(["reload", "live", long, "--yes"])).code).toBe(1);
  expect(await own.call(["repair", "live"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["a", "z live"]);
  expect((await own.call(["reload", "live", long, "--yes"])).stdout).toBe(
    "live already follows this plan: nothing to change.\n",
  );
});
