/** Outputs that an execute program has set before its launcher died: nobody gets them once the program runs again. */
import { expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation, type Installation } from "../support/installation.js";
import { begun, levels, letGo, waitFor } from "../support/liveRun.js";

const heard = (own: Installation) => (own.fact("heard") ?? "").trim().split("\n");

/** The n-th suite sets vn. The first one then waits for nobody, and ends with 10 when no launcher comes in time. */
const suite = (own: Installation) =>
  `#!/bin/sh
echo x >>'${own.facts}/runs'; n=$(wc -l <'${own.facts}/runs')
[ $n = 1 ] || { ${waitFor(own, "second")}; }
bl set x v$n && printf s$n | bl set s || exit
[ $n != 1 ] || { bl barrier both --parties 2; bl barrier never --parties 3 --timeout 3; c=$?; echo $c >'${own.facts}/over'; exit $c; }
`;

/** Asks a launcher first for what is set, then for what is to be set. */
const asks = (own: Installation) =>
  `#!/bin/sh
bl barrier both --parties 2; ${waitFor(own, "asks")}
for name in suite:x s; do
  c=10; while [ $c = 10 ]; do bl get $name --no-wait >>'${own.facts}/early'; c=$?; done
  echo $c >>'${own.facts}/codes'
done
touch '${own.facts}/go-second'
for name in suite:x s; do bl get $name >>'${own.facts}/heard' || exit; done
`;

test.each(["run", "boot"])(
  "after a killed launcher, `%s --resume` runs an execute program again, and a follower waits for its new values",
  async (verb) => {
    const own = installation();
    const folder = own.plan(
      levels(
        "again",
        [
          `
      asks: { inputs: { s: suite.s }, execute: asks.sh }
      suite: { outputs: [x, { name: s, secret: true }], execute: suite.sh }
    `,
        ],
        // One place: on the resume, the follower is served before the machine of the suite is asked.
        "concurrency: 1\n",
      ),
      { "asks.sh": asks(own), "suite.sh": suite(own) },
    );
    const first = own.start([verb, folder, "--name", "again", ...(verb === "run" ? ["--keep", "always"] : [])]);
    await begun(own, "asks");
    first.child.kill("SIGKILL");
    await first.ended;
    await eventually("the suite found no launcher in its time", () => own.fact("over") === "10\n");
    letGo(own, "asks");
    const resumed = await own.call([verb, "--resume", "again"]);
    expect({ resumed, heard: heard(own), early: own.fact("early"), codes: own.fact("codes") }).toMatchObject({
      resumed: { code: 0 },
      heard: ["v2", "s2"],
      early: "",
      codes: "1\n1\n",
    });
  },
  60_000,
);

test("an execute program that lives on, and one that has ended well meanwhile, are not run again: what they have set counts", async () => {
  const own = installation();
  const source = (name: string) => `outputs: [x], execute: { command: "bl set x ${name}; ${waitFor(own, name)}" }`;
  const folder = own.plan(
    levels("living", [
      `
    asks: { execute: { command: "${waitFor(own, "asks")}; for s in lives done; do until bl get $s:x >> '${own.facts}/heard'; do [ $? = 10 ] || exit 1; done; done; touch '${own.facts}/go-lives'" } }
    lives: { ${source("lives")} }
    done: { ${source("done")} }
  `,
    ]),
  );
  const first = own.start(["run", folder, "--name", "living"]);
  for (const name of ["asks", "lives", "done"]) await begun(own, name);
  first.child.kill("SIGKILL");
  await first.ended;
  letGo(own, "asks", "done");
  expect(await own.call(["run", "--resume", "living"])).toMatchObject({ code: 0 });
  expect(heard(own)).toEqual(["lives", "done"]);
}, 60_000);

/** Publishes by the output file. A follower of the same level asks at once. */
const again = (own: Installation, value: string, before: string) =>
  levels("file", [
    `
    asks: { execute: { command: "echo ${value} $(bl get job:f) $(bl get job:b) >> '${own.facts}/heard'" } }
    job: { outputs: [b, f], boot: { command: "bl set b boot" }, execute: { command: "${before}; echo f=${value} >> $BOOTLEVEL_OUTPUT" } }
  `,
  ]);

test("a changed execute program sets its outputs anew, also after a killed launcher; those of the boot program stay", async () => {
  const own = installation();
  expect(await own.call(["boot", own.plan(again(own, "one", "true")), "--name", "file"])).toMatchObject({ code: 0 });
  const folder = own.plan(again(own, "two", waitFor(own, "job")));
  const reload = own.start(["reload", "file", folder, "--yes"]);
  await begun(own, "job");
  reload.child.kill("SIGKILL");
  await reload.ended;
  letGo(own, "job");
  expect(await own.call(["boot", "--resume", "file"])).toMatchObject({ code: 0 });
  expect(heard(own).at(0)).toBe("one one boot");
  expect(heard(own).slice(1)).toContain("two two boot");
  expect(heard(own).slice(1)).not.toContain("two one boot");
}, 60_000);
