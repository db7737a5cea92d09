/** Kills at random moments, with every fault at once, for as long as BOOTLEVEL_CHAOS_MINUTES says: run by hand. */
import { appendFileSync } from "node:fs";

import { expect, test } from "@jest/globals";

import { openEc2Lab } from "../support/ec2Lab.js";
import { random } from "../support/seed.js";

const MINUTES = Number(process.env["BOOTLEVEL_CHAOS_MINUTES"] ?? 0);
const LOG = process.env["BOOTLEVEL_CHAOS_LOG"];
const tell = (words: string): void => {
  if (LOG !== undefined) appendFileSync(LOG, `${new Date().toISOString()} ${words}\n`);
};

const text = (
  head: (keys: string) => string,
  heeds: boolean,
  db: number,
  web: number,
  size = "m5.large",
): string => `plan: chaos
${head(`heeds_tokens: ${heeds}, visibility_seconds: 5`)}defaults: { cloud: aws }
levels:
  - { name: first, services: { db: { replicas: ${db}, ready: { command: "true", where: launcher } } } }
  - { name: second, services: { web: { replicas: ${web}, size: ${size}, ready: { command: "true", where: launcher } } } }
`;

(MINUTES > 0 ? test : test.skip)(
  "random kills and faults",
  async () => {
    const lab = await openEc2Lab();
    const plan = (...what: readonly [boolean, number, number, string?]): string =>
      lab.plan(text((keys) => lab.head("", keys), ...what));
    const end = performance.now() + MINUTES * 60_000;
    const wrong: string[] = [];
    const counts: Record<string, number> = {};
    for (let round = 1; performance.now() < end; round += 1) {
      const [run, heeds] = [`c${round}`, round % 2 === 0];
      lab.faults.seed(round);
      lab.faults.set({
        throttled: 0.1,
        failedBefore: 0.03,
        failedAfter: 0.03,
        lostBefore: 0.03,
        lostAfter: 0.03,
        slowMs: 200,
        hiddenMs: 1_200,
        flicker: 0.3,
        pendingMs: 1_500,
        endingMs: 700,
        tokens: heeds,
      });
      const own = async () =>
        (await lab.instances()).filter(
          ({ tags, state }) => tags["bootlevel:run-name"] === run && state !== "terminated",
        );
      /** Repeats a command until it was not killed. */
      const through = async (first: readonly string[], again: readonly string[], kills: number): Promise<void> => {
        for (let time = 0; ; time += 1) {
          const words = time === 0 ? first : again;
          const { child, ended } = lab.start([...words, "--json"]);
          const timer = time < kills ? setTimeout(() => child.kill("SIGKILL"), 900 + random() * 7_000) : undefined;
          const { code, signal, stdout, stderr } = await ended;
          clearTimeout(timer);
          counts[words[0] ?? ""] = (counts[words[0] ?? ""] ?? 0) + 1;
          if (signal !== null) counts[`${words[0] ?? ""} killed`] = (counts[`${words[0] ?? ""} killed`] ?? 0) + 1;
          if (signal === null && code === 0) return;
          if (signal === null && !/no run|not.*found|There is no/i.test(stderr + stdout)) {
            wrong.push(`${run} ${words.join(" ")}: ${code ?? ""} ${stdout.slice(0, 300)} ${stderr.slice(0, 500)}`);
            tell(wrong.at(-1) ?? "");
            if (time > kills + 3) return;
          } else if (signal === null) return void (await through(first, first, 0)); // killed before it was on record
        }
      };
      const check = async (what: string, db: number, web: number) => {
        const live = await own();
        const keys = new Set(live.map(({ tags }) => tags["bootlevel:key"]));
        if (live.length !== db + web || keys.size !== db + web)
          wrong.push(`${run} after ${what}: ${live.length} machines, ${keys.size} keys, ${db + web} wanted`);
        if (live.length !== db + web || keys.size !== db + web) tell(wrong.at(-1) ?? "");
      };
      await through(["boot", plan(heeds, 3, 2), "--name", run], ["boot", "--resume", run], 2);
      await check("boot", 3, 2);
      const [victim] = await own();
      await lab.change("terminate", [victim?.id ?? ""]);
      await through(["repair", run], ["repair", run], 1);
      await check("repair", 3, 2);
      const next = plan(heeds, 2, 4, "m5.xlarge");
      // A reload that was killed is carried on with; it may have died before the new plan was on record.
      await through(["reload", run, next, "--yes"], ["boot", "--resume", run], 1);
      await through(["reload", run, next, "--yes"], ["boot", "--resume", run], 0);
      await check("reload", 2, 4);
      await through(["terminate", run], ["terminate", run], 1);
      await check("terminate", 0, 0);
      const groups = (await lab.inventory.securityGroups()).filter(({ Description }) =>
        Description?.includes(`run ${run};`),
      );
      if (groups.length > 0) wrong.push(`${run}: ${groups.length} groups left`);
      tell(`round ${round} ${JSON.stringify(counts)} wrong ${wrong.length}`);
    }
    await lab.close();
    expect(wrong).toEqual([]);
  },
  3_600_000,
);
