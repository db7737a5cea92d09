/** Outputs with a default: it counts when the programs that could set them have ended without doing so. */
import { expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { installation } from "../support/installation.js";
import { begun, levels, letGo, waitFor } from "../support/liveRun.js";

test("whoever asks for an output with a default waits for its service: it gets what was set, or the default at the end", async () => {
  const own = installation();
  const folder = own.plan(
    levels("given", [
      `
    db: { outputs: [url, { name: mode, default: standalone }, { name: size, default: 3 }], boot: { command: "bl set url u; ${waitFor(own, "db")}; echo size=5 >> $BOOTLEVEL_OUTPUT" } }
    asks: { boot: { command: "bl get db:mode --no-wait; echo $? >> '${own.facts}/now'; echo $(bl get db:mode) $(bl get db:size) >> '${own.facts}/heard'" } }
  `,
      `late: { boot: { command: "echo \${db.mode} \${db.size} >> '${own.facts}/late'" } }`,
    ]),
  );
  const boot = own.start(["boot", folder, "--name", "given"]);
  await begun(own, "db");
  await eventually("it has asked without waiting", () => own.fact("now") === "1\n");
  expect(await own.call(["output", "given", "db.mode"])).toMatchObject({ code: 1 });
  expect(own.fact("heard")).toBeNull();
  letGo(own, "db");
  expect(await boot.ended).toMatchObject({ code: 0 });
  expect({ heard: own.fact("heard"), late: own.fact("late") }).toEqual({
    heard: "standalone 5\n",
    late: "standalone 5\n",
  });
  // An operator's value counts until the service boots again.
  expect(await own.call(["set", "given", "db.mode", "cluster"])).toMatchObject({ code: 0 });
  expect(await own.call(["output", "given", "db.mode"])).toMatchObject({ stdout: "cluster\n" });
  expect(await own.call(["repair", "given"])).toMatchObject({ code: 0 });
  expect(own.fact("late")).toBe("standalone 5\ncluster 5\n");
  expect(await own.call(["rerun", "given", "db"])).toMatchObject({ code: 0 });
  expect(await own.call(["output", "given", "db.mode"])).toMatchObject({ stdout: "standalone\n" });
  expect(own.fact("late")).toBe("standalone 5\ncluster 5\nstandalone 5\n");
}, 60_000);

test("with an execute program, the default counts at its end; an output without a default must still be set", async () => {
  const own = installation();
  const folder = own.plan(
    levels("executed", [
      `
    job: { outputs: [result, { name: mode, default: none }], boot: { command: "true" }, execute: { command: "bl get mode --no-wait; echo $? > '${own.facts}/during'; bl set result 1" } }
    bad: { outputs: [result, { name: mode, default: none }], boot: { command: "true" }, execute: { command: "true" } }
  `,
    ]),
  );
  const ended = await own.call(["boot", folder, "--name", "executed"]);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toContain('the execute program did not set "result", promised under outputs');
  expect(own.fact("during")).toBe("1\n");
  expect(await own.call(["output", "executed", "job.mode"])).toMatchObject({ stdout: "none\n" });
  expect(await own.call(["output", "executed", "bad.mode"])).toMatchObject({ code: 1 });
}, 60_000);
