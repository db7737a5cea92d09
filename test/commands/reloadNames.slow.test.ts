/** Reload and names: replicas that come and go, services that are renamed, exchanged, removed and added again. */
import { test, expect } from "@jest/globals";

import { installation, type Installation } from "../support/installation.js";
import { boot, letGo, levels, localMachines, shownServices, tell, told } from "../support/liveRun.js";

let folders = 0;
const version = (own: Installation, services: readonly string[]) =>
  own.plan(levels("live", services), {}, `version ${++folders}`);
const reload = async (own: Installation, services: readonly string[]) => {
  const { code, stdout, stderr } = await own.call(["reload", "live", version(own, services), "--yes"]);
  return { code, words: told(own).sort(), text: stdout + stderr };
};
const service = (own: Installation, name: string, keys = "", word = name) =>
  `${name}: { ${keys} boot: { command: "${tell(own, word)}" } }`;
const machineOf = async (own: Installation, name: string) => (await shownServices(own, "live"))[name].machine as string;

test("replicas 1 → 3 → 1 → 0: those that stay keep their machines, and who counts on all of them boots again", async () => {
  const own = installation();
  const web = (replicas: number) => [
    `web: { replicas: ${replicas}, boot: { command: "${tell(own, "$BOOTLEVEL_SERVICE")}" }, terminate: { command: "${tell(own, "$BOOTLEVEL_SERVICE-ends")}" } }`,
    `lb: { boot: { command: "${tell(own, "lb \${web.*.host}")}" } }\none: { boot: { command: "${tell(own, "one")}" } }`,
  ];
  await boot(own, version(own, web(1)), "live");
  const first = await machineOf(own, "web");
  const up = await reload(own, web(3));
  const hosts = Object.values(await shownServices(own, "live"))
    .slice(0, 3)
    .map(({ host }) => host as string)
    .join(",");
  expect(up).toMatchObject({ code: 0, words: [`lb ${hosts}`, "web-2", "web-3"] });
  expect(await machineOf(own, "web-1")).toBe(first);
  expect((await shownServices(own, "live"))["web-1"].attributes.replicas.value).toBe("3");
  expect(await reload(own, web(1))).toMatchObject({
    code: 0,
    words: [`lb ${hosts.split(",")[0]}`, "web-2-ends", "web-3-ends"],
  });
  expect(await machineOf(own, "web")).toBe(first);
  expect(await reload(own, web(0))).toMatchObject({ code: 0, words: ["lb", "web-ends"] });
  expect(localMachines(own)).toEqual(["lb.1", "one.1"]);
});

test("a renamed service keeps its machine; `was` that stays in the plan does nothing more", async () => {
  const own = installation();
  await boot(
    own,
    version(own, [service(own, "a"), `z: { boot: { command: "${tell(own, "z \${a.host}")}" } }`]),
    "live",
  );
  const machine = await machineOf(own, "a");
  const renamed = (word = "a") => [
    service(own, "b", "was: a,", word),
    `z: { boot: { command: "${tell(own, "z \${b.host}")}" } }`,
  ];
  expect(await reload(own, renamed())).toMatchObject({ code: 0, words: [] });
  expect(await machineOf(own, "b")).toBe(machine);
  expect((await reload(own, renamed())).text).toContain("nothing to change");
  expect(await reload(own, renamed("changed"))).toMatchObject({ code: 0, words: ["changed"] });
  expect(await machineOf(own, "b")).toBe(machine);
});

test("two services that exchange their names do so once, however often the plan is reloaded", async () => {
  const own = installation();
  await boot(own, version(own, [`${service(own, "a", "", "one")}\n${service(own, "b", "", "two")}`]), "live");
  const before = [await machineOf(own, "a"), await machineOf(own, "b")];
  const exchanged = (word = "one") => [`${service(own, "a", "was: b,", "two")}\n${service(own, "b", "was: a,", word)}`];
  expect(await reload(own, exchanged())).toMatchObject({ code: 0, words: [] });
  expect([await machineOf(own, "b"), await machineOf(own, "a")]).toEqual(before);
  expect((await reload(own, exchanged())).text).toContain("nothing to change");
  expect(await reload(own, exchanged("other"))).toMatchObject({ code: 0, words: ["other"] });
  expect([await machineOf(own, "b"), await machineOf(own, "a")]).toEqual(before);
  expect(await own.call(["status", "live"])).toMatchObject({ code: 0 });
});

test("a service that is removed and added again is a new one, also while the old one could not be ended", async () => {
  const own = installation();
  const a = `a: { boot: { command: "${tell(own, "a")}" }, terminate: { command: "test -f '${own.facts}/go-end' && ${tell(own, "end")}" } }`;
  await boot(own, version(own, [`${a}\nb: {}`]), "live");
  expect(await reload(own, ["b: {}"])).toMatchObject({ code: 1, words: [] });
  const again = await reload(own, [`${a}\nb: {}`]);
  expect(again).toMatchObject({ code: 1, words: ["a"] });
  expect(again.text).not.toMatch(/^ +at |UNIQUE/m);
  expect(localMachines(own)).toEqual(["a.1", "a.2", "b.1"]);
  letGo(own, "end");
  expect(await own.call(["repair", "live"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["end"]);
  expect(localMachines(own)).toEqual(["a.2", "b.1"]);
  expect(
    (await own.json(["history", "live"])).document.machines.map(
      ({ service: name, end }: { service: string; end: string }) => [name, end],
    ),
  ).toEqual([
    ["a", "removed"],
    ["b", ""],
    ["a", ""],
  ]);
  expect(await own.call(["terminate", "live", "--yes"])).toMatchObject({ code: 0 });
  expect(told(own)).toEqual(["end"]);
});

test("a service's log follows it to another name, also when two exchange theirs", async () => {
  const own = installation();
  const log = (name: string, word: string, keys = "") =>
    `${name}: { ${keys} boot: { command: "echo said by ${word}" } }`;
  await boot(own, version(own, [`${log("a", "one")}\n${log("b", "two")}`]), "live");
  expect(await reload(own, [`${log("a", "two", "was: b,")}\n${log("b", "one", "was: a,")}`])).toMatchObject({
    code: 0,
  });
  const said = async (name: string) => (await own.call(["logs", "live", name])).stdout.match(/said by \w+/g);
  expect([await said("a"), await said("b")]).toEqual([["said by two"], ["said by one"]]);
});
