/**
 * A launcher that freezes anywhere in a boot (SIGSTOP), is silent for so long that another one takes its run over, and
 * wakes up when that one has done its work: it writes nothing more, calls no cloud and starts no program.
 */
import { expect, test } from "@jest/globals";

import { judgeDown, judgeUp, scenarioOf, type Cast } from "../../support/killScenarios.js";
import { Lane } from "../../support/lane.js";

const boot = scenarioOf("boot");

test("a launcher that freezes at any point, is replaced and wakes up does nothing more", async () => {
  const lanes = Array.from({ length: 4 }, () => new Lane({ driver: "test", options: "access: driver" }));
  try {
    const casts = await Promise.all(lanes.map(async (lane) => boot.prepare(lane)));
    for (const lane of lanes) lane.save();
    const { points } = await (lanes[0] as Lane).finish((casts[0] as Cast).command);
    // The last two writes are of no further consequence.
    const queue = points
      .map((name, index) => ({ point: index + 1, name }))
      .filter(({ point }) => point % 3 === 0 && point < points.length - 2);
    const wrong: string[] = [];
    await Promise.all(
      lanes.map(async (lane, index) => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          const { point, name } = next;
          wrong.push(
            ...(await freezeOnce(lane, casts[index] as Cast, point)).map(
              (words) => `frozen at ${point} (${name}): ${words}`,
            ),
          );
        }
      }),
    );
    expect(wrong).toEqual([]);
    expect(points.length).toBeGreaterThan(80);
  } finally {
    for (const lane of lanes) await lane.close();
  }
}, 120_000);

async function freezeOnce(lane: Lane, { command }: Cast, point: number): Promise<string[]> {
  lane.restore();
  const sleeper = await lane.freeze(command, point);
  if (!sleeper.frozen) return ["it did not freeze"];
  const busy = await lane.finishBeside({ verb: "terminate" });
  const wrong = /RunBusyError: .* is busy: boot \(process \d+ on /.test(busy.problems.join())
    ? []
    : [`it was not busy: ${JSON.stringify(busy)}`];
  lane.silence();
  const up = point % 2 === 0;
  const judge = up
    ? (report: typeof busy) => judgeUp(lane, report, { db: 1, cache: 1, web: 1 })
    : (report: typeof busy) => judgeDown(lane, report);
  const taken = await lane.finishBeside({ verb: up ? "resume" : "terminate" });
  wrong.push(...judge(taken).map((words) => `taken over: ${words}`));
  const before = { calls: lane.calls(), events: lane.events() };
  const woken = await sleeper.wake();
  if (
    woken.kind !== "report" ||
    !/LeaseLostError: .*another launcher took over this run, because this launcher had stopped responding/.test(
      woken.report.problems.join(),
    )
  )
    wrong.push(`it woke up to ${JSON.stringify(woken)}`);
  if (JSON.stringify({ calls: lane.calls(), events: lane.events() }) !== JSON.stringify(before))
    wrong.push("it wrote, or called the cloud");
  if (woken.kind === "report")
    wrong.push(...judge({ ...taken, record: woken.report.record }).map((words) => `woken up: ${words}`));
  return wrong;
}
