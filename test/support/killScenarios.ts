/** Commands that are killed everywhere, what comes after the kill, and how the run must be then. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { LaunchPlan } from "../../src/plan/launchPlan/launchPlan.js";
import type { Lane } from "./lane.js";
import type { Command, Record, Report } from "./launcher.js";

export interface Scenario {
  readonly name: string;
  /** Brings a new lane to where the command begins, and tells what it and what follows need. */
  prepare(lane: Lane): Promise<Cast>;
}

export interface Cast {
  readonly command: Command;
  /**
   * What follows the death at a point, and how often each service's boot program has run on its machine then; it all
   * ends with a terminate.
   */
  after(point: number): readonly After[];
  /** Machines that the command and all that follows make at most. */
  readonly creations: number;
}

export interface After {
  readonly command: Command;
  readonly boots?: { readonly [service: string]: number };
  /** It may fail, and then leaves no machine to these services. */
  readonly unused?: readonly string[];
}

const said = (facts: string, word: string) => `echo ${word} >> '${facts}/'\${self.instance_id}`;
const boot = (facts: string, work: string) =>
  `boot: { command: "${said(facts, "begin")}; ${work}; ${said(facts, "end")}" }`;

/**
 * A service that can fall sick, one whose machine can be lost, and one that refers to both and has a terminate program.
 */
const first = (facts: string, more = "") => `
  - name: base
    services:
      db: { outputs: [token], ${boot(facts, `rm -f '${facts}/sick'; echo token=t-1 >> \\"$BOOTLEVEL_OUTPUT\\"`)}, ready: { command: "test ! -e '${facts}/sick'", retries: 0 } }
      cache: { ${boot(facts, "true")} }
  - name: apps
    services:
      web: { ${boot(facts, "echo ${cache.host} ${db.token}")}, terminate: { command: "true" } }
${more}`;

const withOld = (facts: string) =>
  first(facts, `      old: { ${boot(facts, "true")}, terminate: { command: "true" } }\n`);

/** cache is replaced and with its address web, now www, boots again; old is removed, fresh is added. */
const second = (facts: string) => `
  - name: base
    services:
      db: { outputs: [token], ${boot(facts, `rm -f '${facts}/sick'; echo token=t-1 >> \\"$BOOTLEVEL_OUTPUT\\"`)}, ready: { command: "test ! -e '${facts}/sick'", retries: 0 } }
      cache: { size: big, ${boot(facts, "true")} }
  - name: apps
    services:
      www: { was: web, ${boot(facts, "echo ${cache.host} ${db.token}")}, terminate: { command: "true" } }
      fresh: { ${boot(facts, "true")} }
`;

/** Machines of all levels are asked for at once, but for one that is made from an attribute of another. */
const early = (facts: string, ready = "") => `
  - name: base
    services:
      db: { outputs: [token], ${boot(facts, `echo token=t-1 >> \\"$BOOTLEVEL_OUTPUT\\"`)}${ready} }
  - name: apps
    services:
      web: { replicas: 2, ${boot(facts, "echo ${db.token}")}, terminate: { command: "true" } }
      job: { size: "\${db.token}", ${boot(facts, "true")} }
  - name: edge
    services:
      front: { ${boot(facts, "echo ${web.*.host}")}, terminate: { command: "true" } }
`;
/**
 * Its first try to be ready fails, whichever command makes it: machines of later levels are ended then, and made again
 * by the next command.
 */
const failing = (facts: string) =>
  early(facts, `, ready: { command: "! mkdir '${facts}/tried' 2>/dev/null", retries: 0 }`);
const everyEarly = { db: 1, "web-1": 1, "web-2": 1, job: 1, front: 1 };

const once = { db: 1, cache: 1, web: 1 };

async function booted(lane: Lane, text: (facts: string) => string): Promise<void> {
  await ready(lane, await lane.plan(text));
}

async function ready(lane: Lane, plan: LaunchPlan): Promise<void> {
  const report = await lane.finish({ verb: "boot", plan });
  if (report.state !== "ready") throw new Error(JSON.stringify(report));
}

/** A program that is told so by `bl` ends with 10 where its launcher is gone, and is run again then. */
const talking = (facts: string, work: string) =>
  `command: "${said(facts, "begin")}; { ${work}; } || { c=$?; test $c = 10 && ${said(facts, "ten")}; exit $c; }; ${said(facts, "end")}"`;

/** Services of a level that talk, one that executes, and one that has a report and a terminate program. */
const talkers = (facts: string) => `
  - name: base
    services:
      db: { outputs: [token], boot: { ${talking(facts, `rm -f '${facts}/sick'; bl get web-1:up --timeout 0 && bl set token t-1`)} }, ready: { command: "test ! -e '${facts}/sick'", retries: 0 } }
      web: { replicas: 2, outputs: [up], inputs: { token: db.token }, boot: { ${talking(facts, "bl set up 1 && bl barrier met --timeout 0 && bl get token --timeout 0")} }, report: { command: "true" }, terminate: { command: "true" } }
  - name: tests
    services:
      suite: { outputs: [verdict], execute: { ${talking(facts, "bl say tests && bl get db:token && bl set verdict fine")} } }
`;
const everyTalker = { db: 1, "web-1": 1, "web-2": 1, suite: 1 };

/** Commands whose programs talk. */
export const talkScenarios: readonly Scenario[] = [
  {
    name: "boot of programs that talk",
    prepare: async (lane) => ({
      command: { verb: "boot", plan: await lane.plan(talkers) },
      creations: 4,
      after: () => [{ command: { verb: "resume" }, boots: everyTalker }],
    }),
  },
  {
    // What has been set before is stale, and set again: nobody who asks gets it meanwhile, and nothing is left of it.
    name: "repair of programs that talk",
    prepare: async (lane) => {
      await booted(lane, talkers);
      writeFileSync(join(lane.facts, "sick"), "");
      return {
        command: { verb: "repair" },
        creations: 1,
        after: () => [{ command: { verb: "repair" }, boots: { ...everyTalker, db: 2 } }],
      };
    },
  },
];

export const scenarios: readonly Scenario[] = [
  {
    name: "boot",
    prepare: async (lane) => ({
      command: { verb: "boot", plan: await lane.plan(first) },
      creations: 3,
      // What one point leaves behind is what the next one finds: so each is met by both.
      after: (point) => (point % 2 === 0 ? [{ command: { verb: "resume" }, boots: once }] : []),
    }),
  },
  {
    // The machines that a dead boot asked for must be found to be replaced, also those whose ids it never learnt.
    name: "boot that a reboot follows",
    prepare: async (lane) => ({
      command: { verb: "boot", plan: await lane.plan(first) },
      creations: 6,
      after: () => [{ command: { verb: "reboot" }, boots: once }],
    }),
  },
  {
    name: "resume",
    prepare: async (lane) => {
      const plan: LaunchPlan = await lane.plan(first);
      const { kind } = await lane.carryOut({ verb: "boot", plan }, { point: `after ${lane.cloudName} launch` });
      if (kind !== "killed") throw new Error("the boot was to die in its launch");
      return { command: { verb: "resume" }, creations: 1, after: () => [{ command: { verb: "resume" }, boots: once }] };
    },
  },
  {
    name: "repair",
    prepare: async (lane) => {
      await booted(lane, first);
      lane.lose("cache");
      writeFileSync(join(lane.facts, "sick"), "");
      return {
        command: { verb: "repair" },
        creations: 1,
        after: () => [{ command: { verb: "repair" }, boots: { db: 2, cache: 1, web: 2 } }],
      };
    },
  },
  {
    name: "reload",
    prepare: async (lane) => {
      await booted(lane, withOld);
      const plan = await lane.plan(second);
      return {
        command: { verb: "reload", plan },
        creations: 2,
        after: () => [
          { command: { verb: "repair" } },
          { command: { verb: "reload", plan }, boots: { db: 1, cache: 1, www: 2, fresh: 1 } },
        ],
      };
    },
  },
  {
    name: "reboot",
    prepare: async (lane) => {
      await booted(lane, first);
      return { command: { verb: "reboot" }, creations: 3, after: () => [{ command: { verb: "repair" }, boots: once }] };
    },
  },
  {
    name: "terminate",
    prepare: async (lane) => {
      await booted(lane, first);
      return { command: { verb: "terminate" }, creations: 0, after: () => [] };
    },
  },
];

const failsOnce: readonly After[] = [
  { command: { verb: "resume" }, unused: ["web-1", "web-2", "job", "front"] },
  { command: { verb: "resume" }, boots: everyEarly },
];

/** Commands that start machines of levels that have not begun. */
export const earlyScenarios: readonly Scenario[] = [
  {
    name: "early boot",
    prepare: async (lane) => ({
      command: { verb: "boot", plan: await lane.plan(early, "all") },
      creations: 5,
      after: (point) => (point % 2 === 0 ? [{ command: { verb: "resume" }, boots: everyEarly }] : []),
    }),
  },
  {
    name: "early boot that fails",
    prepare: async (lane) => ({
      command: { verb: "boot", plan: await lane.plan(failing, "all") },
      creations: 9,
      after: (point) => (point % 2 === 0 ? failsOnce : []),
    }),
  },
  {
    // The first level takes longer than it did in an earlier run: machines of the second one are asked for when it
    // should have begun.
    name: "just-in-time boot that fails",
    prepare: async (lane) => {
      const plan = await lane.plan(
        (facts) =>
          early(
            facts,
            `, ready: { command: "test -e '${facts}/tried' || { sleep 0.3; mkdir '${facts}/tried'; false; }", retries: 0 }`,
          ),
        "just-in-time",
      );
      const tried = join(lane.facts, "tried");
      mkdirSync(tried);
      await ready(lane, plan);
      await lane.finish({ verb: "terminate" });
      rmdirSync(tried);
      return { command: { verb: "boot", plan }, creations: 9, after: (point) => (point % 2 === 0 ? failsOnce : []) };
    },
  },
];

export function scenarioOf(name: string): Scenario {
  const found = [...scenarios, ...earlyScenarios, ...talkScenarios].find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`there is no scenario "${name}"`);
  return found;
}

/**
 * What is wrong with a run that is to be up: compared with the driver's own list, not with what the record believes.
 */
export function judgeUp(
  lane: Lane,
  { state, problems, record }: Report,
  boots: { readonly [service: string]: number } | undefined,
): string[] {
  if (record === null || state !== "ready" || record.state !== "ready")
    return [`state ${state} (${record?.state ?? "no record"}): ${problems.join("; ")}`];
  const wrong = [...problems, ...misplaced(lane, record), ...lane.doubles().map((pair) => `two at a time: ${pair}`)];
  const names = record.services.map(({ name }) => name);
  if (boots !== undefined && JSON.stringify([...names].sort()) !== JSON.stringify(Object.keys(boots).sort()))
    wrong.push(`services ${names.join(", ")}`);
  for (const { name, state: own, due, id } of record.services) {
    if (own !== "ready" || due !== null) wrong.push(`${name} is ${own}, due ${due ?? "nothing"}`);
    const ran = lane.boots(id ?? "none");
    // One that ended with 10 does not count: it was to be run again.
    const count = ran.filter((word) => word === "begin").length - ran.filter((word) => word === "ten").length;
    if (
      ran.length !== 2 * ran.filter((word) => word === "begin").length ||
      count === 0 ||
      (boots !== undefined && count !== boots[name])
    )
      wrong.push(`boot of ${name} ran: ${ran.join(" ")}`);
  }
  if (record.outputs["db.token"] !== "t-1") wrong.push(`outputs ${JSON.stringify(record.outputs)}`);
  if ((record.outputs["suite.verdict"] ?? "fine") !== "fine") wrong.push(`verdict ${JSON.stringify(record.outputs)}`);
  if (record.open > 0) wrong.push(`${record.open} programs without an end`);
  if (existsSync(join(lane.facts, "sick"))) wrong.push("db is sick");
  return wrong;
}

/** What is wrong with a run that may have failed in its first level. */
export function judgeFailed(lane: Lane, { state, record }: Report, unused: readonly string[]): string[] {
  if (state === "ready") return [];
  // A cloud that shows machines late may fail a later level: those of it that came up are used.
  const untouched = (record?.services ?? []).filter(
    ({ name, state: own }) => unused.includes(name) && (own === "planned" || own === "launching"),
  );
  const kept = lane.machines().filter(({ service }) => untouched.some(({ name }) => name === service));
  const known = untouched.filter(({ key }) => key !== null);
  const wrong = state === "failed" ? [] : [`state ${state}`];
  return kept.length + known.length === 0
    ? wrong
    : [...wrong, `unused machines: ${JSON.stringify(kept)}, on record: ${JSON.stringify(known)}`];
}

/** Machines and services, one to one. */
function misplaced(lane: Lane, { services, others }: Record): string[] {
  const listed = lane
    .machines()
    .map(({ id }) => id)
    .sort();
  const known = services.map(({ id }) => id ?? "none").sort();
  const wrong =
    JSON.stringify(listed) === JSON.stringify(known)
      ? []
      : [`the cloud has ${JSON.stringify(lane.machines())}, the record ${JSON.stringify(services)}`];
  return others.length === 0 ? wrong : [...wrong, `live machines of no service: ${others.join(", ")}`];
}

/** What is wrong with a run that is to be gone. */
export function judgeDown(lane: Lane, { state, problems, record }: Report): string[] {
  const wrong =
    state === "terminated" && record?.state === "terminated"
      ? []
      : [`state ${state} (${record?.state ?? "no record"}): ${problems.join("; ")}`];
  const left = lane.machines();
  if (left.length > 0) wrong.push(`lost: ${JSON.stringify(left)}`);
  if (lane.directories().length > 0) wrong.push(`directories ${lane.directories().join(", ")}`);
  const live = (record?.services ?? []).filter(({ key }) => key !== null);
  if (live.length > 0) wrong.push(`live in the record: ${JSON.stringify(live)}`);
  return [...wrong, ...lane.doubles().map((pair) => `two at a time: ${pair}`)];
}
