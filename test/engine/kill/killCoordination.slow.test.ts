/**
 * Launchers that die, and runs that are aborted, while programs talk: at points all over their way, on the real driver
 * for this computer.
 */
import { expect, test } from "@jest/globals";

import { killEverywhere } from "../../support/killing.js";
import { judgeDown, talkScenarios } from "../../support/killScenarios.js";
import { Lane } from "../../support/lane.js";

const EVERY = Number(process.env["BOOTLEVEL_KILL_EVERY"] ?? 47);

test.each(talkScenarios)(
  "$name, killed: each program runs once, unless it was told that there is no launcher, and outputs are right",
  async (scenario) => {
    const { deaths, wrong } = await killEverywhere(scenario, {
      cloud: { driver: "local" },
      lanes: 4,
      choose: (point) => point % EVERY === 5 % EVERY,
    });
    expect(wrong).toEqual([]);
    expect(deaths).toBeGreaterThan(0);
  },
  600_000,
);

const LANES = 4;

test.each(talkScenarios)(
  "$name, aborted: it has failed or is done, and nothing is left of it after a terminate",
  async (scenario) => {
    const lanes = Array.from({ length: LANES }, () => new Lane({ driver: "local" }));
    const wrong: string[] = [];
    try {
      const casts = await Promise.all(lanes.map((lane) => scenario.prepare(lane)));
      for (const lane of lanes) lane.save();
      const { points } = await (lanes[0] as Lane).finish(
        (casts[0] as { command: Parameters<Lane["finish"]>[0] }).command,
      );
      const queue = points.flatMap((name, index) =>
        (index + 1) % EVERY === 7 % EVERY ? [{ name, point: index + 1 }] : [],
      );
      await Promise.all(
        lanes.map(async (lane, index) => {
          for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
            lane.restore();
            wrong.push(
              ...(await abortAt(lane, casts[index]?.command as Parameters<Lane["finish"]>[0], next.point)).map(
                (words) => `point ${next?.point} (${next?.name}): ${words}`,
              ),
            );
          }
        }),
      );
    } finally {
      for (const lane of lanes) await lane.close();
    }
    expect(wrong).toEqual([]);
  },
  600_000,
);

async function abortAt(lane: Lane, command: Parameters<Lane["finish"]>[0], point: number): Promise<string[]> {
  const end = await lane.carryOut(command, { point, signal: "abort" });
  if (end.kind === "killed") return ["the launcher died"];
  const { state, problems, record } = end.report;
  const wrong: string[] = [];
  if (state === "error" || (state !== "failed" && state !== "ready") || record?.state !== state)
    wrong.push(`state ${state} (${record?.state ?? "none"}): ${problems.join("; ")}`);
  if ((record?.open ?? 0) > 0) wrong.push(`${record?.open} programs without an end`);
  return [
    ...wrong,
    ...judgeDown(lane, await lane.finish({ verb: "terminate" })).map((words) => `after terminate: ${words}`),
  ];
}
