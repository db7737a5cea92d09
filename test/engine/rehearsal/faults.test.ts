/** A file of faults: checked like a plan, and as usual where it says nothing. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { readFaults } from "../../../src/engine/rehearsal/faults.js";
import { REALISTIC } from "../../../src/engine/rehearsal/fittingDurations.js";
import { sentences } from "../../plan/planFolder.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

function faults(text: string): string {
  const file = join(temporaryDirectory(), "faults.yaml");
  writeFileSync(file, text);
  return file;
}

const mistakes = (text: string) => sentences(Promise.resolve().then(() => readFaults(faults(text))));

test("what the file does not say takes as long as usual", () => {
  expect(
    readFaults(
      faults("launch: { refuse: 0.1 }\nprograms: { boot: { fail: 0.2 }, ready: { duration: 5s } }\nvisibility: 5s"),
    ),
  ).toEqual({
    launch: { ...REALISTIC.launch, refuse: 0.1 },
    visibility: "5s",
    programs: {
      boot: { ...REALISTIC.programs.boot, fail: 0.2 },
      ready: { duration: "5s" },
      terminate: REALISTIC.programs.terminate,
    },
  });
  expect(readFaults(faults("# nothing\n"))).toEqual(REALISTIC);
});

test("mistakes are told with their line and what would be right", async () => {
  expect(await mistakes("launch:\n  refuse: 2\nmachine: {}\nscript: [{ call: launch, fault: explode }]")).toEqual([
    '2: "refuse" of "launch" must be at most 1, not 2',
    '3: unknown key "machine" in the faults file -> machines',
    '4: "fault" of item 1 of "script" must be throttle, lost-reply, unreachable, refuse, die or invisible, not "explode"',
  ]);
  expect(await mistakes("[1, 2]")).toEqual([
    "1: a faults file is a map of the keys of a simulated cloud, such as launch: { refuse: 0.05 }",
  ]);
  expect(await mistakes('seed: 1\nfile: x\nvisibility: "${var.x}"')).toEqual([
    "1: remove this key: each rehearsal gets its own seed; --seed sets them all",
    "2: remove this key: each rehearsal uses its own cloud, which is deleted afterwards",
    "3: a faults file cannot contain references; write the value itself",
  ]);
  expect((await sentences(Promise.resolve().then(() => readFaults("/nonexistent/faults.yaml"))))[0]).toBe(
    "0: no such file",
  );
});
