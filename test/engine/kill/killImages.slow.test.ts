/**
 * A launcher that is killed while machines are made what their image says, or while an image is built: everything is
 * done once, and nothing is left.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import Database from "better-sqlite3";
import { loadDriver } from "../../../src/drivers/registry.js";
import { loadImagePlan } from "../../../src/plan/imagePlan.js";
import { Launcher } from "../../support/launchers.js";
import type { Command, Report } from "../../support/launcher.js";
import { loadPlan } from "../../../src/library/plans.js";

/** Every so many points: all of them by hand, with BOOTLEVEL_KILL_EVERY=1. */
const EVERY = Number(process.env["BOOTLEVEL_KILL_EVERY"] ?? 11);

let directory: string;
let launcher: Launcher;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "bl-kill-images-"));
  launcher = new Launcher();
});
afterAll(async () => {
  await launcher.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Each recipe takes a moment, so that it goes on while its launcher is dead. */
const recipe = (facts: string, word: string) =>
  `{ command: "echo ${word}-begins >> '${facts}/ran'; sleep 0.2; echo ${word}-ends >> '${facts}/ran'; echo ${word} >> \\"$HOME/made\\"" }`;
const ONCE = ["base-begins", "base-ends", "apache-begins", "apache-ends"];

/** An installation of its own for one death. */
class Scene {
  readonly home: string;
  readonly facts: string;
  readonly file: string;

  constructor(name: string) {
    const own = join(directory, name);
    [this.home, this.facts, this.file] = [join(own, "home"), join(own, "facts"), join(own, "plan.yaml")];
    for (const folder of [this.home, this.facts]) mkdirSync(folder, { recursive: true });
    writeFileSync(
      this.file,
      `plan: kill
images:
  base: { packages: [], recipe: ${recipe(this.facts, "base")} }
  apache: { from: base, recipe: ${recipe(this.facts, "apache")} }
levels: [ { services: { web: { image: apache, boot: { command: "cat \\"$HOME/made\\" >> '${this.facts}/ran'" } } } } ]
`,
    );
  }

  boot = async (): Promise<Command> => ({ verb: "boot", plan: await loadPlan(this.file) });
  image = async (): Promise<Command> => ({
    verb: "image",
    plan: await loadImagePlan(this.file, { image: "apache", cloud: "local" }, loadDriver),
    image: "apache",
    cloud: "local",
  });
  ran = (): string[] =>
    existsSync(join(this.facts, "ran")) ? readFileSync(join(this.facts, "ran"), "utf8").trim().split("\n") : [];

  /** @returns the report, or null when it was killed */
  async carryOut(command: Command, point: number | null): Promise<Report | null> {
    const outcome = await launcher.carryOut({
      home: this.home,
      run: "kill",
      command,
      death: point === null ? null : { point },
    });
    return outcome.kind === "killed" ? null : outcome.report;
  }

  query(sql: string): string[] {
    const db = new Database(join(this.home, "bootlevel.db"), { readonly: true });
    try {
      return db.prepare(sql).pluck().all() as string[];
    } finally {
      db.close();
    }
  }

  folder = (name: string): string[] => {
    const path = join(this.home, "drivers", "local", name);
    return existsSync(path) ? readdirSync(path) : [];
  };
}

async function pointsOf(name: string, command: (scene: Scene) => Promise<Command>): Promise<readonly string[]> {
  const scene = new Scene(name);
  const report = await scene.carryOut(await command(scene), null);
  if (report === null || report.problems.length > 0) throw new Error(JSON.stringify(report));
  if (report.state === "ready") await scene.carryOut({ verb: "terminate" }, null);
  return report.points;
}

const chosen = (points: readonly string[]): number[] =>
  points.map((_, index) => index + 1).filter((point) => (point + 1) % EVERY === 0);

test("a launcher that dies while a machine is set up: the next one waits for what runs, and each recipe has run once", async () => {
  const points = await pointsOf("boot", (scene) => scene.boot());
  expect(points.filter((point) => point.includes("step-begun")).length).toBeGreaterThanOrEqual(6);
  let deaths = 0;
  for (const point of chosen(points)) {
    const scene = new Scene(`boot-${point}`);
    if ((await scene.carryOut(await scene.boot(), point)) === null) deaths += 1;
    const isRecorded = scene.query("SELECT name FROM runs").length > 0;
    const after = await scene.carryOut(isRecorded ? { verb: "resume" } : await scene.boot(), null);
    const where = `point ${point} (${points[point - 1] ?? ""})`;
    expect({ where, state: after?.state, problems: after?.problems, ran: scene.ran() }).toEqual({
      where,
      state: "ready",
      problems: [],
      ran: [...ONCE, "base", "apache"],
    });
    expect({
      where,
      open: after?.record?.open,
      down: (await scene.carryOut({ verb: "terminate" }, null))?.state,
    }).toEqual({ where, open: 0, down: "terminated" });
  }
  // What runs side by side does not always come in the same number of pieces.
  expect(deaths).toBeGreaterThanOrEqual(Math.floor(chosen(points).length * 0.9));
}, 300_000);

test("a launcher that dies while it builds an image: the same command goes on with it, and one image, no machine and no run is left", async () => {
  const points = await pointsOf("image", (scene) => scene.image());
  for (const part of [
    "before image-begun",
    "after image-changed",
    "before local createImage",
    "after local createImage",
  ])
    expect(points).toContain(part);
  const all = chosen(points);
  for (const part of ["after image-begun", "after local createImage", "after image-changed"])
    all.push(points.indexOf(part) + 1);
  let deaths = 0;
  for (const point of new Set(all)) {
    const scene = new Scene(`image-${point}`);
    if ((await scene.carryOut(await scene.image(), point)) === null) deaths += 1;
    const isBuilt = scene.query("SELECT 1 FROM built_images WHERE state = 'available'").length > 0;
    const after = isBuilt ? null : await scene.carryOut(await scene.image(), null);
    const where = `point ${point} (${points[point - 1] ?? ""})`;
    expect({ where, problems: after?.problems ?? [], ran: scene.ran() }).toEqual({ where, problems: [], ran: ONCE });
    expect({
      where,
      states: scene.query("SELECT state FROM built_images"),
      images: scene.folder("images").length,
      machines: scene.folder("machines"),
      runs: scene.query("SELECT name FROM runs WHERE state <> 'terminated'"),
    }).toEqual({ where, states: ["available"], images: 1, machines: [], runs: [] });
  }
  // What runs side by side does not always come in the same number of pieces.
  expect(deaths).toBeGreaterThanOrEqual(Math.floor(chosen(points).length * 0.9));
}, 300_000);
