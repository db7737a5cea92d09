/** `run` gets signals at random moments: what is left of it is said, found, and ended. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "@jest/globals";

import { processesAt } from "../../support/traces.js";
import { installation, type Installation } from "../../support/installation.js";
import { levels, localMachines } from "../../support/liveRun.js";
import { random } from "../../support/seed.js";

/** About a second and a half from its begin to its end. */
const services = [
  'a: { replicas: 2, outputs: [n], boot: { command: "sleep 0.1; bl set n 1" }, terminate: { command: "sleep 0.1" }, report: { command: "sleep 0.1" } }',
  'b: { boot: { command: "echo ${a-1.n}" }, execute: { command: "sleep 0.4" } }\nc: { execute: { command: "bl barrier both --parties 2 --timeout 1s; sleep 0.2" } }',
];

/** Those that there are; a run that was stopped at its very begin has not even a folder for them. */
const machines = (own: Installation): string[] =>
  existsSync(join(own.home, "drivers", "local", "machines")) ? localMachines(own) : [];

const SIGNALS = [
  ["SIGTERM"],
  ["SIGINT", "SIGKILL"],
  ["SIGHUP", "SIGTERM"],
  ["SIGTERM", "SIGTERM"],
  ["SIGKILL"],
] as const;

test.each(SIGNALS)(
  "%s %s: no machine is left without a word, and --resume brings the run to its end",
  async (...signals) => {
    for (let round = 0; round < 3; round += 1) {
      const own = installation();
      const run = own.start(["run", own.plan(levels("hit", services)), "--name", "hit"]);
      for (const signal of signals) {
        await sleep(150 + random() * 1_500);
        run.child.kill(signal);
      }
      const ended = await run.ended;
      const text = ended.stdout + ended.stderr;
      const { runs } = (await own.json(["list", "--all"])).document;
      if (runs.length === 0) continue;
      const left = machines(own).length;
      if (left > 0 && ended.signal === null) expect(text).toContain("bootlevel terminate hit");
      if (left === 0 && ended.signal === null && ended.code === 0) expect(text).toContain("No machine is left");
      if (ended.signal === null) expect([0, 1, 130]).toContain(ended.code);
      const resumed = await own.json(["run", "--resume", "hit"]);
      expect({ text, resumed }).toMatchObject({ resumed: { document: { terminated: { state: "terminated" } } } });
      expect(machines(own)).toEqual([]);
      expect(processesAt(`${own.home}/drivers`)).toEqual([]);
    }
  },
  120_000,
);
