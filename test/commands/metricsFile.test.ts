/** `status --prometheus`: a file that is whole, readable by others and never older than it says. */
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  watch,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { eventually } from "../support/eventually.js";
import { metric } from "../support/metrics.js";
import { pluginLine, readMetrics, shop, spoil } from "../support/shop.js";

test("--prometheus writes metrics that another user may read, and prints and ends as without it", async () => {
  const own = await shop();
  const folder = join(own.directory, "textfile");
  mkdirSync(folder);
  const file = join(folder, "shop.prom");
  const before = Date.now() / 1000;
  // From cron under a strict umask the file must still be readable.
  const umask = process.umask(0o077);
  const table = await own.call(["status", "shop", "--prometheus", file]).finally(() => process.umask(umask));
  expect(table).toMatchObject({ code: 0, stderr: "", stdout: expect.stringMatching(/Healthy: 3 of 3/) });
  expect((statSync(file).mode & 0o7777).toString(8)).toBe("644");
  const metrics = readMetrics(file);
  expect(metric(metrics, "bootlevel_run_ready", { run: "shop" })).toBe(1);
  expect(metric(metrics, "bootlevel_run_state", { run: "shop", state: "ready" })).toBe(1);
  expect(metric(metrics, "bootlevel_machines", { state: "running" })).toBe(3);
  expect(
    metrics
      .get("bootlevel_service_healthy")
      ?.samples.map(({ labels, value }) => [labels["level"], labels["service"], value]),
  ).toEqual([
    ["storage", "db", 1],
    ["web", "web-1", 1],
    ["web", "web-2", 1],
  ]);
  expect(metrics.get("bootlevel_service_check_duration_seconds")?.samples).toHaveLength(2);
  expect(metric(metrics, "bootlevel_check_timestamp_seconds")).toBeGreaterThanOrEqual(before);
  spoil(own);
  const { code, document } = await own.json(["status", "shop", "--prometheus", file]);
  expect({ code, healthy: document.healthy }).toEqual({ code: 1, healthy: false });
  expect(metric(readMetrics(file), "bootlevel_run_ready")).toBe(0);
  expect(metric(readMetrics(file), "bootlevel_service_healthy", { service: "web-2" })).toBe(0);
  const line = await own.call(["status", "shop", "--nagios", "--prometheus", file]);
  expect({ code: line.code, state: pluginLine(line).state }).toEqual({ code: 2, state: "CRITICAL" });
  expect(readdirSync(folder)).toEqual(["shop.prom"]);
});

test("a collector that has the old metrics open reads them to their end; a link stays a link", async () => {
  const own = await shop();
  const file = join(own.directory, "real.prom");
  const old = "# an old file, longer than any other\n".repeat(1_000);
  writeFileSync(file, old);
  symlinkSync(file, join(own.directory, "link.prom"));
  const reader = openSync(file, "r");
  try {
    expect((await own.call(["status", "shop", "--prometheus", join(own.directory, "link.prom")])).code).toBe(0);
    expect(readFileSync(reader, "utf8")).toBe(old);
  } finally {
    closeSync(reader);
  }
  expect(metric(readMetrics(file), "bootlevel_run_ready")).toBe(1);
});

test("while it is written, the metrics have a name that no collector reads", async () => {
  const own = await shop();
  const folder = join(own.directory, "textfile");
  mkdirSync(folder);
  const seen = new Set<string>();
  const watcher = watch(folder, (_event, name) => {
    seen.add(String(name));
  });
  try {
    expect((await own.call(["status", "shop", "--prometheus", join(folder, "shop.prom")])).code).toBe(0);
    await eventually("the watcher tells of the file", () => seen.has("shop.prom"));
  } finally {
    watcher.close();
  }
  const others = [...seen].filter((name) => name !== "shop.prom");
  expect(others).toHaveLength(1);
  expect(others[0]).not.toMatch(/\.prom$/);
});

test("metrics of an unknown run say that there was no check, and the call ends as without them", async () => {
  const own = await shop();
  const file = join(own.directory, "shop.prom");
  expect((await own.call(["status", "shop", "--prometheus", file])).code).toBe(0);
  expect(await own.call(["status", "ghost", "--prometheus", file])).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining('there is no run "ghost"'),
  });
  expect([...readMetrics(file).keys()]).toEqual(["bootlevel_check_success", "bootlevel_check_timestamp_seconds"]);
  expect(metric(readMetrics(file), "bootlevel_check_success", { run: "ghost" })).toBe(0);
});

test("metrics that cannot be written are a clear error, and leave nothing", async () => {
  const own = await shop();
  const folder = join(own.directory, "textfile");
  mkdirSync(folder);
  expect(await own.call(["status", "shop", "--prometheus", folder])).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining(`cannot write ${folder}: it is a directory`),
  });
  const nowhere = join(folder, "none", "shop.prom");
  const line = await own.call(["status", "shop", "--nagios", "--prometheus", nowhere]);
  expect({ code: line.code, text: pluginLine(line).text }).toEqual({
    code: 3,
    text: expect.stringContaining(": no such directory"),
  });
  // Why there was no check comes first; the file is only told beside it.
  const both = await own.call(["status", "ghost", "--prometheus", nowhere]);
  expect(both.code).toBe(2);
  expect(both.stderr).toMatch(/cannot write .*\n.*there is no run "ghost"/);
  expect(await own.call(["status", "shop", "--prometheus", "a", "--prometheus", "b"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--prometheus can be given only once"),
  });
  expect(readdirSync(folder)).toEqual([]);
  if (process.getuid?.() !== 0) {
    chmodSync(folder, 0o500);
    expect((await own.call(["status", "shop", "--prometheus", join(folder, "shop.prom")])).stderr).toContain(
      "permission denied",
    );
    chmodSync(folder, 0o700);
  }
});
