/** The metrics of a run: names, values, and that whatever a name holds the format stays whole. */
import { expect, test } from "@jest/globals";

import { prometheusFailure, prometheusText } from "../../src/display/prometheus.js";
import { metric, parseMetrics } from "../support/metrics.js";
import { many, notReady, notUp, serviceStatus, statusReport } from "../support/statusReports.js";

const report = statusReport(
  [
    serviceStatus("db", { level: "storage", ms: 1_234 }),
    notReady("web-1"),
    notUp("web-2", "failed"),
    serviceStatus("guest", { machine: "host", ms: null }),
  ],
  { state: "failed", ms: 2_500 },
);

test("the run, its services and the check are told in base units", () => {
  const metrics = parseMetrics(prometheusText(report));
  const shop = { run: "shop" };
  expect(metric(metrics, "bootlevel_check_success", shop)).toBe(1);
  expect(metric(metrics, "bootlevel_check_timestamp_seconds", shop)).toBe(1_795_240_824.597);
  expect(metric(metrics, "bootlevel_check_duration_seconds", shop)).toBe(2.5);
  expect(metric(metrics, "bootlevel_check_cloud_unreachable", shop)).toBe(0);
  expect(metric(metrics, "bootlevel_run_ready", shop)).toBe(0);
  expect(metric(metrics, "bootlevel_run_worked_on", shop)).toBe(0);
  expect(metric(metrics, "bootlevel_service_healthy", { ...shop, level: "storage", service: "db" })).toBe(1);
  expect(metric(metrics, "bootlevel_service_healthy", { service: "web-1" })).toBe(0);
  expect(metric(metrics, "bootlevel_service_check_duration_seconds", { service: "db" })).toBe(1.234);
  expect(metric(metrics, "bootlevel_service_age_seconds", { service: "db" })).toBe(24.597);
  expect(() => metric(metrics, "bootlevel_service_check_duration_seconds", { service: "guest" })).toThrow("0 samples");
});

test("a run is in exactly one state, every service and every machine is counted once, and states without any are 0", () => {
  const metrics = parseMetrics(prometheusText(report));
  const sum = (name: string) => (metrics.get(name)?.samples ?? []).reduce((total, { value }) => total + value, 0);
  expect(metrics.get("bootlevel_run_state")?.samples).toHaveLength(8);
  expect([sum("bootlevel_run_state"), metric(metrics, "bootlevel_run_state", { state: "failed" })]).toEqual([1, 1]);
  expect(metrics.get("bootlevel_services")?.samples).toHaveLength(10);
  expect([
    sum("bootlevel_services"),
    metric(metrics, "bootlevel_services", { state: "ready" }),
    metric(metrics, "bootlevel_services", { state: "failed" }),
  ]).toEqual([4, 3, 1]);
  // A service on a host, and one whose machine is not there, have none.
  expect([sum("bootlevel_machines"), metric(metrics, "bootlevel_machines", { state: "running" })]).toEqual([2, 2]);
});

test("names and help follow the rules: one prefix, base units at the end, a sentence, and no count that only grows", () => {
  const metrics = parseMetrics(prometheusText(report));
  for (const [name, { type, help }] of metrics) {
    expect(name).toMatch(/^bootlevel_[a-z]+(_[a-z]+)*$/);
    expect(name).not.toMatch(/_(ms|milliseconds|minutes|total|count|sum|bucket|gauge)$/);
    if (/duration|age|timestamp/.test(name)) expect(name).toMatch(/_seconds$/);
    expect(type).toBe("gauge");
    expect(help).toMatch(/\S.*\.$/);
  }
});

test("whatever a name holds, the format stays whole and the name comes back", () => {
  const names = ['q"uote', "back\\slash", "line\nbreak", "tab\tand ünïcode 語", "}", '",level="x', "\\n", "\r"];
  const metrics = parseMetrics(
    prometheusText(
      statusReport(
        names.map((name) => serviceStatus(name, { level: name })),
        { run: 'a "b" \\' },
      ),
    ),
  );
  expect(metrics.get("bootlevel_service_healthy")?.samples.map(({ labels }) => labels)).toEqual(
    names.map((name) => ({ run: 'a "b" \\', level: name, service: name })),
  );
  expect(prometheusText(statusReport([serviceStatus("half \ud800")]))).toContain("half \ufffd");
});

test("what a program said is nowhere in the metrics", () => {
  const text = prometheusText(statusReport([notReady("web", "the ready program failed: its very words")]));
  expect(text).not.toMatch(/very words|last words/);
});

test("a check that could not be made leaves nothing but that, with its time", () => {
  const metrics = parseMetrics(prometheusFailure("shop", 1_795_240_824_597));
  expect([...metrics.keys()]).toEqual(["bootlevel_check_success", "bootlevel_check_timestamp_seconds"]);
  expect(metric(metrics, "bootlevel_check_success", { run: "shop" })).toBe(0);
  const success = parseMetrics(prometheusText(report));
  // node_exporter wants the same help in all files that have the metric.
  for (const [name, { help, type }] of metrics) expect(success.get(name)).toMatchObject({ help, type });
});

test("a run without services, and one with two hundred", () => {
  expect(parseMetrics(prometheusText(statusReport([]))).has("bootlevel_service_healthy")).toBe(false);
  expect(parseMetrics(prometheusText(statusReport(many(200)))).get("bootlevel_service_healthy")?.samples).toHaveLength(
    200,
  );
});

test("a clock that was set back gives no negative time", () => {
  const metrics = parseMetrics(prometheusText(statusReport([serviceStatus("a", { ms: -5 })], { ms: -5 })));
  expect(metric(metrics, "bootlevel_check_duration_seconds")).toBe(0);
  expect(metric(metrics, "bootlevel_service_check_duration_seconds")).toBe(0);
});
