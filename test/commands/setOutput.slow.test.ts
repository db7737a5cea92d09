/** `bootlevel output` and `bootlevel set`: operators read and set what programs exchange. */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation, type Installation } from "../support/installation.js";
import { begun, levels, letGo, waitFor } from "../support/liveRun.js";

const SECRET = "0p3rator-s3cret-token";

const talking = (own: Installation) =>
  levels("talk", [
    `
    web: { outputs: [port, { name: pw, secret: true }], boot: { command: "${waitFor(own, "web")}" } }
    asks: { replicas: 2, outputs: [id], inputs: { pw: web.pw }, boot: { command: "bl set id $BOOTLEVEL_REPLICA; bl get web:port --timeout 30 >> '${own.facts}/port'; bl get pw --timeout 30 >> '${own.facts}/pw'" } }
  `,
    `late: { boot: { command: "echo \${web.port} >> '${own.facts}/late'" } }`,
  ]);

/** Every file below a folder that contains the text. */
function filesWith(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile() && readFileSync(path).includes(text));
}

test("set wakes the programs that wait, while their launcher works; a secret comes on standard input and stays one", async () => {
  const own = installation();
  const boot = own.start(["boot", own.plan(talking(own)), "--name", "talk"]);
  await begun(own, "web");
  await eventually("the replicas have set their numbers", async () => {
    const { document } = await own.json(["output", "talk"]);
    return (
      document.outputs.filter(({ name, set }: { name: string; set: boolean }) => name === "id" && set).length === 2
    );
  });
  expect(await own.call(["output", "talk", "web.port"])).toMatchObject({
    code: 1,
    stdout: "",
    stderr: "bootlevel: web.port is not set\n",
  });
  expect(await own.json(["set", "talk", "web.port", "8080"])).toMatchObject({
    code: 0,
    document: { run: "talk", service: "web", output: "port", secret: false, workedOnBy: "boot", due: [] },
  });
  await eventually("both have the port", () => own.fact("port") === "8080\n8080\n");
  const shown = await own.call(["set", "talk", "web.pw", SECRET]);
  expect(shown).toMatchObject({ code: 2, stdout: "" });
  expect(shown.stderr).toContain("web.pw is a secret, and process lists show arguments: pass it on standard input");
  expect(own.fact("pw")).toBe("");
  expect(await own.call(["set", "talk", "web.pw", "-"], { input: SECRET })).toMatchObject({ code: 0 });
  await eventually("both have the password", () => own.fact("pw") === `${SECRET}\n${SECRET}\n`);
  letGo(own, "web");
  const ended = await boot.ended;
  expect(ended).toMatchObject({ code: 0 });
  expect(ended.stderr + ended.stdout).toContain("web set port");
  expect(ended.stderr + ended.stdout).toContain("web set pw");
  expect(ended.stderr + ended.stdout).not.toContain(SECRET);
  expect(own.fact("late")).toBe("8080\n");
  expect(filesWith(own.home, SECRET)).toEqual([]);
  expect(filesWith(own.home, Buffer.from(SECRET).toString("base64"))).toEqual([]);
}, 60_000);

test("output prints one value as it is, all in a table, and secrets only on demand; mistakes name what there is", async () => {
  const own = installation();
  const folder = own.plan(
    levels("read", [
      `
    db: { attributes: { port: 5432 }, outputs: [url, { name: token, secret: true }, raw, unset], boot: { command: "bl set url postgres://db; printf %s '${SECRET}' | bl set token; printf 'a\\\\377\\\\n' | bl set raw; exit 3" } }
    web: { replicas: 2, outputs: [id], boot: { command: "bl set id w$BOOTLEVEL_REPLICA" } }
  `,
    ]),
  );
  expect(await own.call(["boot", folder, "--name", "read"])).toMatchObject({ code: 1 });
  const value = async (...words: string[]) => own.call(["output", "read", ...words]);
  expect(await value("db.url")).toMatchObject({ code: 0, stdout: "postgres://db\n", stderr: "" });
  expect(await value("db.url", "--raw")).toMatchObject({ code: 0, stdout: "postgres://db" });
  expect(await value("web-2.id")).toMatchObject({ code: 0, stdout: "w2\n" });
  expect(await value("db.port")).toMatchObject({ code: 0, stdout: "5432\n" });
  expect((await value("web-1.host")).stdout).toMatch(/^127\.[0-9.]+\n$/);
  expect(await value("db.token")).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining(
      "db.token is a secret. To print it: bootlevel output read db.token --reveal",
    ) as unknown as string,
  });
  expect(await value("db.token", "--reveal")).toMatchObject({ code: 0, stdout: `${SECRET}\n` });
  expect((await value("web.id")).stderr).toContain('service "web" has 2 replicas\n  say which: web-1, web-2');
  expect((await value("dv.url")).stderr).toContain('run "read" has no service "dv", did you mean "db"?');
  expect((await value("db.ulr")).stderr).toContain(
    'service "db" has no output or attribute "ulr", did you mean "url"?\n  bootlevel output read lists the outputs',
  );
  expect((await value("db")).stderr).toContain('"db" does not name an output: write SERVICE.NAME');
  const table = await value();
  expect(table.stdout.split("\n").map((line) => line.trim().split(/ {2,}/))).toEqual(
    expect.arrayContaining([
      ["SERVICE", "OUTPUT", "VALUE"],
      ["db", "url", "postgres://db"],
      ["db", "token", "(secret)"],
      ["db", "unset", "(not set)"],
      ["web-2", "id", "w2"],
    ]),
  );
  const { document } = await own.json(["output", "read"]);
  expect(document.outputs).toContainEqual({
    service: "db",
    name: "token",
    kind: "output",
    secret: true,
    set: true,
    value: null,
  });
  expect(document.outputs).toContainEqual({
    service: "db",
    name: "raw",
    kind: "output",
    secret: false,
    set: true,
    value: "a\udcff\n",
  });
}, 60_000);

test("without a launcher set does it itself: services that refer to the value are due, and a repair carries that out", async () => {
  const own = installation();
  const folder = own.plan(
    levels("alone", [
      `db: { outputs: [port, { name: pw, secret: true }], boot: { command: "bl set port 1; echo pw=first-of-all >> $BOOTLEVEL_OUTPUT" } }`,
      `web: { boot: { command: "echo \${db.port} >> '${own.facts}/web'" } }`,
    ]),
  );
  expect(await own.call(["boot", folder, "--name", "alone"])).toMatchObject({ code: 0 });
  expect(await own.call(["set", "alone", "db.port", "--", "-2"])).toMatchObject({
    code: 0,
    stdout: "db.port is set. web refers to it and must follow: bootlevel repair alone\n",
  });
  expect(await own.call(["output", "alone", "db.port"])).toMatchObject({ stdout: "-2\n" });
  expect(await own.call(["repair", "alone"])).toMatchObject({ code: 0 });
  expect(own.fact("web")).toBe("1\n-2\n");
  expect(await own.call(["set", "alone", "db.port", "--", "-2"])).toMatchObject({ stdout: "db.port is set.\n" });
  expect(await own.call(["set", "alone", "db.pw"], { input: SECRET })).toMatchObject({ code: 0 });
  expect(await own.call(["output", "alone", "db.pw", "--reveal"])).toMatchObject({ stdout: `${SECRET}\n` });
  expect(filesWith(own.home, SECRET)).toEqual([]);
  const wrong = await own.call(["set", "alone", "db.prot", "1"]);
  expect(wrong).toMatchObject({ code: 2 });
  expect(wrong.stderr).toContain('service "db" has no output "prot", did you mean "port"?');
  expect((await own.call(["set", "alone", "db.host", "1"])).stderr).toContain('service "db" has no output "host"');
  const large = await own.call(["set", "alone", "db.pw", "-"], { input: "x".repeat(70_000) });
  expect(large).toMatchObject({ code: 2 });
  expect(large.stderr).toContain("is 70000 bytes long; the limit is 65536 bytes");
  expect(await own.call(["--complete", "bash", "output", "alone", "db.p"])).toMatchObject({
    stdout: "db.port\ndb.pw\n",
  });
  expect(await own.call(["--complete", "bash", "set", "alone", "db.p"])).toMatchObject({ stdout: "db.port\ndb.pw\n" });
  expect(await own.call(["terminate", "alone"])).toMatchObject({ code: 0 });
  const over = await own.call(["set", "alone", "db.port", "3"]);
  expect(over).toMatchObject({ code: 2 });
  expect(over.stderr).toContain('run "alone" is terminated');
}, 60_000);

test("a launcher that was killed is not waited for: set takes the run, and the resumed boot goes on with the value", async () => {
  const own = installation();
  const boot = own.start(["boot", own.plan(talking(own)), "--name", "talk"]);
  await begun(own, "web");
  boot.child.kill("SIGKILL");
  await boot.ended;
  expect(await own.json(["set", "talk", "web.port", "7"])).toMatchObject({ code: 0, document: { workedOnBy: null } });
  expect(await own.call(["set", "talk", "web.pw", "-"], { input: SECRET })).toMatchObject({ code: 0 });
  letGo(own, "web");
  expect(await own.call(["boot", "--resume", "talk"])).toMatchObject({ code: 0 });
  expect(own.fact("late")).toBe("7\n");
}, 60_000);
