/** The line for monitors: its state, its words, its length, its performance data. */
import { expect, test } from "@jest/globals";

import { nagiosLine, nagiosState, nagiosUnknown } from "../../src/display/nagios.js";
import type { StatusReport } from "../../src/model/statusReport.js";
import { parsePluginLine } from "../support/nagiosLine.js";
import { many, notReady, notUp, serviceStatus, statusReport } from "../support/statusReports.js";

const fine = serviceStatus("db");
const silent = serviceStatus("far", {
  healthy: false,
  trouble: "silent",
  message: "the cloud rack gives no answer",
  machine: "unknown",
  exitCode: null,
  ms: null,
});
const due = serviceStatus("late", { healthy: false, trouble: "repair-due", message: "repair is due: db changed" });

test.each<[string, StatusReport, string]>([
  ["ready and healthy", statusReport([fine]), "OK"],
  ["ready and healthy, while a repair looks at it", statusReport([fine], { workedOnBy: "repair" }), "OK"],
  ["without services", statusReport([]), "OK"],
  ["not well", statusReport([fine, notReady("web")]), "CRITICAL"],
  ["not well, and a repair has begun", statusReport([fine, notReady("web")], { workedOnBy: "repair" }), "WARNING"],
  ["booting", statusReport([fine, notUp("web", "booting")], { state: "booting", workedOnBy: "boot" }), "WARNING"],
  ["repairing", statusReport([fine, notUp("web", "failed")], { state: "repairing", workedOnBy: "repair" }), "WARNING"],
  ["reloading", statusReport([fine, notUp("web", "planned")], { state: "reloading", workedOnBy: "reload" }), "WARNING"],
  [
    "failed, and a repair has begun",
    statusReport([fine, notUp("web", "failed")], { state: "failed", workedOnBy: "repair" }),
    "WARNING",
  ],
  ["failed", statusReport([fine, notUp("web", "failed")], { state: "failed" }), "CRITICAL"],
  ["failed, though every service is well now", statusReport([fine], { state: "failed" }), "CRITICAL"],
  ["interrupted", statusReport([fine, notUp("web", "booting")], { state: "interrupted" }), "CRITICAL"],
  ["being taken down", statusReport([fine], { state: "terminating", workedOnBy: "terminate" }), "CRITICAL"],
  ["about to be taken down", statusReport([notReady("web")], { workedOnBy: "terminate" }), "CRITICAL"],
  ["terminated", statusReport([notUp("web", "terminated")], { state: "terminated" }), "CRITICAL"],
  ["a repair is due", statusReport([fine, due]), "WARNING"],
  ["a repair is due and a service is not well", statusReport([due, notReady("web")]), "CRITICAL"],
  ["a cloud gives no answer", statusReport([fine, silent], { cloudUnreachable: true }), "UNKNOWN"],
  ["a cloud gives no answer, and a repair is due", statusReport([silent, due], { cloudUnreachable: true }), "UNKNOWN"],
  [
    "a cloud gives no answer, and a service elsewhere is broken",
    statusReport([silent, notReady("web")], { cloudUnreachable: true }),
    "CRITICAL",
  ],
  ["a service of a ready run never came up", statusReport([fine, notUp("web", "planned")]), "CRITICAL"],
  ...(["gone", "stopped", "unreachable", "refused"] as const).map((trouble): [string, StatusReport, string] => [
    trouble,
    statusReport([fine, { ...notReady("web"), trouble }]),
    "CRITICAL",
  ]),
])("a run that is %s", (_what, report, state) => {
  expect(nagiosState(report)).toBe(state);
  expect(parsePluginLine(nagiosLine(report)).state).toBe(state);
});

test("all is well in one short line", () => {
  expect(nagiosLine(statusReport(many(200)))).toBe(
    "BOOTLEVEL OK - 200 of 200 services of shop ready | services=200;;;0 ready=200;;;0;200 failed=0;;;0;200 pending=0;;;0;200 unknown=0;;;0;200 time=0.412s;;;0 slowest_ready=0.040s;;;0",
  );
});

test("the performance data count each service once, and tell the slowest ready program", () => {
  const report = statusReport(
    [fine, { ...notReady("slow"), ms: 2_345 }, silent, due, notUp("a", "planned"), notUp("b", "failed")],
    { state: "failed", ms: -3 },
  );
  const { data } = parsePluginLine(nagiosLine(report));
  expect(
    Object.fromEntries(Object.entries(data).map(([label, { value, unit }]) => [label, `${value}${unit}`])),
  ).toEqual({
    services: "6",
    ready: "1",
    failed: "2",
    pending: "2",
    unknown: "1",
    time: "0s",
    slowest_ready: "2.345s",
  });
  expect(data["failed"]).toMatchObject({ min: "0", max: "6" });
  expect(parsePluginLine(nagiosLine(statusReport([{ ...fine, ms: null }]))).data).not.toHaveProperty("slowest_ready");
});

test("the first services that are not well are named, broken ones first, and the others counted", () => {
  const { text } = parsePluginLine(nagiosLine(statusReport([due, silent, ...many(8, (name) => notReady(name))])));
  expect(text).toBe(
    `0 of 10 services of shop ready${[1, 2, 3, 4, 5].map((number) => `; web-${number}: the ready program failed: exit code 4`).join("")}; and 5 more`,
  );
  const two = parsePluginLine(nagiosLine(statusReport([due, silent, notReady("web")]))).text;
  expect(two).toBe(
    "0 of 3 services of shop ready; web: the ready program failed: exit code 4; far: the cloud rack gives no answer; late: repair is due: db changed",
  );
});

test("while a launcher works on it, services whose turn has not come are not named, failed ones are", () => {
  const services = [fine, notUp("web-1", "booting"), notUp("web-2", "failed"), notUp("web-3", "planned")];
  const { text } = parsePluginLine(nagiosLine(statusReport(services, { state: "booting", workedOnBy: "boot" })));
  expect(text).toBe("shop is booting, 1 of 4 services ready; web-2: the boot program failed: exit code 4");
  expect(parsePluginLine(nagiosLine(statusReport([notReady("a")], { workedOnBy: "repair" }))).text).toMatch(
    /^0 of 1 service of shop ready, repair works on it; a: /,
  );
});

test("long reasons are cut, and the line stays below 1 kB with its state, its data and the number of the others", () => {
  for (const letter of ["x", "ü", "語", "😀"]) {
    const line = nagiosLine(
      statusReport(
        many(200, (name) => notReady(`${name}-${letter.repeat(300)}`, letter.repeat(5_000))),
        { run: `r${letter.repeat(400)}` },
      ),
    );
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(1000);
    expect(line).not.toContain("\ufffd");
    const { state, text, data } = parsePluginLine(line);
    expect(state).toBe("CRITICAL");
    expect(text).toMatch(/; web-1-.*; and \d+ more$/);
    expect(data["failed"]?.value).toBe(200);
    const [, others] = /and (\d+) more$/.exec(text) ?? [];
    expect(Number(others)).toBe(200 - (text.match(/; web-\d+-/g) ?? []).length);
  }
});

test("line breaks, pipes and escape sequences of a program's words do not reach the line", () => {
  const line = nagiosLine(
    statusReport([notReady("a", "one\ntwo\r\nthree | services=9;;;0\u001b[31m red\u2028end\u0000")]),
  );
  const { text, data } = parsePluginLine(line);
  expect(text).toContain("a: one two three / services=9;;;0 red end");
  expect(data["services"]?.value).toBe(1);
});

test("a check that could not be made is UNKNOWN in one line, whatever the reason holds", () => {
  expect(nagiosUnknown('there is no run "nope"')).toBe('BOOTLEVEL UNKNOWN - there is no run "nope"');
  expect(parsePluginLine(nagiosUnknown(`a\nb|c ${"語".repeat(9_000)}`))).toMatchObject({
    state: "UNKNOWN",
    text: expect.stringMatching(/^a b\/c 語+\.\.\.$/),
  });
  expect(parsePluginLine(nagiosUnknown("\n"))).toMatchObject({ state: "UNKNOWN", text: expect.stringMatching(/\w/) });
});
