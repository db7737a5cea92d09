/** Outputs of before: nobody who asks while their service boots again is given one. */
import { expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation, type Installation } from "../support/installation.js";
import { begun, boot, levels, letGo, loseMachine, waitFor } from "../support/liveRun.js";

const heard = (own: Installation) => (own.fact("heard") ?? "").trim().split("\n");

/**
 * A source whose value is another one each time, slow to be there; one that asks by name and one that is given a link.
 */
const plan = (own: Installation) =>
  own.plan(
    levels("stale", [
      `
  source: { outputs: [x], boot: { command: "echo boot >> '${own.facts}/boots'; sleep 1; bl set x v$(wc -l < '${own.facts}/boots')" } }
  asks: { boot: { command: "echo asks $(bl get source:x --timeout 20) >> '${own.facts}/heard'" } }
  linked: { inputs: { x: source.x }, boot: { command: "grep -o '\\"x\\": *\\"v[0-9]\\"' $BOOTLEVEL_ATTRIBUTES | grep -o v[0-9] >> '${own.facts}/early'; echo linked $(bl get x --timeout 20) >> '${own.facts}/heard'" } }
  job: { outputs: [y], execute: { command: "test -f '${own.facts}/no-y' || bl set y 1" } }
`,
    ]),
  );

test("a service whose machine is lost sets its outputs anew: those who ask before it boots wait for that, and so do those whose link it is", async () => {
  const own = installation();
  await boot(own, plan(own), "stale");
  expect(heard(own).sort()).toEqual(["asks v1", "linked v1"]);
  for (const service of ["source", "asks", "linked"]) loseMachine(own, service);
  expect(await own.call(["repair", "stale", "--max-replacements", "9"])).toMatchObject({ code: 0 });
  expect(heard(own).slice(2).sort()).toEqual(["asks v2", "linked v2"]);
  // One whose source boots again is booted again, since its value has changed; one that has asked by name is not.
  expect(await own.call(["rerun", "stale", "source"])).toMatchObject({ code: 0 });
  expect(heard(own).slice(4)).toEqual(["linked v3"]);
  expect(own.fact("early")).toBe("v3\n");
}, 60_000);

test("what an execute program has set before does not count for one that is run anew", async () => {
  const own = installation();
  await boot(own, plan(own), "stale");
  own.plan("", { "no-y": "" }, "facts");
  const ended = await own.call(["rerun", "stale", "job"]);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toContain('the execute program did not set "y"');
}, 60_000);

test("the value of before is not handed out either when the launcher is killed while the source boots again, and it is resumed", async () => {
  const own = installation();
  const folder = own.plan(
    levels("killed", [
      `
    source: { outputs: [x], boot: { command: "echo boot >> '${own.facts}/boots'; n=$(wc -l < '${own.facts}/boots'); ${waitFor(own, "$n")}; bl set x v$n" } }
    asks: { boot: { command: "c=0; v=$(bl get source:x --timeout 20) || c=$?; echo $c $v >> '${own.facts}/heard'; exit $c" } }
  `,
    ])
      .replaceAll("'" + own.facts + "/begun-$n'", `'${own.facts}'/begun-$n`)
      .replaceAll("'" + own.facts + "/go-$n'", `'${own.facts}'/go-$n`),
  );
  own.plan("", { "go-1": "" }, "facts");
  await boot(own, folder, "killed");
  for (const service of ["source", "asks"]) loseMachine(own, service);
  const repair = own.start(["repair", "killed", "--max-replacements", "9"]);
  await begun(own, "2");
  repair.child.kill("SIGKILL");
  await repair.ended;
  const resumed = own.start(["boot", "--resume", "killed"]);
  letGo(own, "2", "3");
  expect(await resumed.ended).toMatchObject({ code: 0 });
  expect(heard(own)[0]).toBe("0 v1");
  // A source that found no launcher to tell its value to was run again.
  expect(heard(own).at(-1)).toBe(`0 v${(own.fact("boots") ?? "").trim().split("\n").length}`);
  expect(
    heard(own)
      .slice(1, -1)
      .every((line) => line.trim() === "10"),
  ).toBe(true);
}, 60_000);

test("what the dead try of a source has set is not handed out after a resume before it is known what became of that try", async () => {
  const own = installation();
  // One place: on the resume, whoever asks is served before the source's machine is asked.
  const folder = own.plan(
    levels(
      "dead",
      [
        `
    asks: { boot: { program: asks.sh } }
    source: { outputs: [x], boot: { program: source.sh } }
  `,
      ],
      "concurrency: 1\n",
    ),
    {
      "asks.sh": `#!/bin/sh\nbl barrier both --parties 2; ${waitFor(own, "asks")}; c=10; while [ $c = 10 ]; do bl get source:x --no-wait >>'${own.facts}/early'; c=$?; done\nbl get source:x >>'${own.facts}/heard'\n`,
      "source.sh": `#!/bin/sh\necho boot >>'${own.facts}/boots'; n=$(wc -l <'${own.facts}/boots'); bl set x v$n; [ $n = 2 ] || { bl barrier both --parties 2; bl barrier never --parties 3 --timeout 3; c=$?; echo $c >'${own.facts}/over'; exit $c; }\n`,
    },
  );
  const first = own.start(["boot", folder, "--name", "dead"]);
  await begun(own, "asks");
  first.child.kill("SIGKILL");
  await first.ended;
  await eventually("the source found no launcher in its time", () => own.fact("over") === "10\n");
  letGo(own, "asks");
  expect(await own.call(["boot", "--resume", "dead"])).toMatchObject({ code: 0 });
  expect({ early: own.fact("early"), heard: own.fact("heard") }).toEqual({ early: "", heard: "v2\n" });
}, 60_000);

test("what a source has set that lives on is handed out after a resume while it runs, and what one has set that has ended meanwhile", async () => {
  const own = installation();
  const source = (name: string) => `outputs: [x], boot: { command: "bl set x ${name}; ${waitFor(own, name)}" }`;
  const folder = own.plan(
    levels("living", [
      `
    asks: { boot: { command: "${waitFor(own, "asks")}; for s in lives done; do until bl get $s:x >> '${own.facts}/heard'; do [ $? = 10 ] || exit 1; done; done; touch '${own.facts}/go-lives'" } }
    lives: { ${source("lives")} }
    done: { ${source("done")} }
  `,
    ]),
  );
  const first = own.start(["boot", folder, "--name", "living"]);
  for (const name of ["asks", "lives", "done"]) await begun(own, name);
  first.child.kill("SIGKILL");
  await first.ended;
  letGo(own, "asks", "done");
  expect(await own.call(["boot", "--resume", "living"])).toMatchObject({ code: 0 });
  expect(own.fact("heard")).toBe("lives\ndone\n");
}, 60_000);

test("a replica that a reload takes away has no values any more for programs of services that stay, and for terminate programs of those that go", async () => {
  const own = installation();
  const folder = own.plan(
    levels("fewer", [
      `
    web: { replicas: 3, outputs: [v], boot: { command: "bl set v $BOOTLEVEL_REPLICA" }, terminate: { command: "echo down $(bl get web-3:v --timeout 5) >> '${own.facts}/heard'" } }
    asks: { inputs: { all: web.*.v }, boot: { command: "bl get all >> '${own.facts}/heard'; c=0; bl get web-3:v --no-wait >> '${own.facts}/heard' || c=$?; echo code $c >> '${own.facts}/heard'" } }
  `,
    ]),
  );
  await boot(own, folder, "fewer");
  expect(heard(own)).toEqual(["1,2,3", "3", "code 0"]);
  expect(await own.call(["reload", "fewer", folder, "--replicas", "web=1", "--yes"])).toMatchObject({ code: 0 });
  expect(heard(own).slice(3)).toEqual(["1", "code 7", "down 3", "down 3"]);
}, 60_000);
