/** Hosts that allow few sessions a connection, few logins at a time, or few connections. */
import { describe, expect, test } from "@jest/globals";

import { hostile, linkTo, program, untilTheEnd, warnings } from "./harness.js";
import { limited } from "./proxies.js";

describe.each([1, 2])("MaxSessions %i", (most) => {
  test("many programs run side by side, and one of them can be killed", async () => {
    const host = await hostile({ config: `MaxSessions ${most}` });
    const link = linkTo(host.settings());
    // Each waits until all have begun: none may wait for another one's session.
    const meet = "touch ~/at-$1; for n in 1 2 3 4 5 6; do until [ -e ~/at-$n ]; do sleep 0.2; done; done";
    const ends = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((n) => program(link, `${meet}; exit $1`, { args: [String(n)] })),
    );
    expect(ends.map(({ result }) => result)).toEqual(
      [1, 2, 3, 4, 5, 6].map((code) => ({ kind: "exited", code, outputs: new Map() })),
    );
    const late = await Promise.all([
      program(link, "sleep 60", { timeoutMs: 500, graceMs: 100 }),
      program(link, "sleep 2; echo done"),
    ]);
    expect(late[0].result).toMatchObject({ kind: "timed-out" });
    expect(late[1].text).toBe("done\n");
    expect(warnings).toEqual([]);
  });

  test("programs that ask with bl are answered, all at a time", async () => {
    const host = await hostile({ config: `MaxSessions ${most}` });
    const link = linkTo(host.settings());
    let asked = 0;
    let all: () => void = () => undefined;
    const everybody = new Promise<void>((resolve) => (all = resolve));
    const ends = await Promise.all(
      [1, 2, 3, 4].map(() =>
        program(link, "bl get color", {
          coordination: async () => {
            asked += 1;
            if (asked === 4) all();
            await everybody;
            return { code: 0, message: "", value: Buffer.from("blue") };
          },
        }),
      ),
    );
    expect(ends.map(({ text }) => text)).toEqual(["blue\n", "blue\n", "blue\n", "blue\n"]);
  });
});

test("a host that allows no session at all is told so", async () => {
  const host = await hostile({ config: "MaxSessions 0" });
  await expect(program(linkTo(host.settings()), "true")).rejects.toThrow(/refuses every session.*MaxSessions/);
});

test("where no more connections are possible, programs wait for their turn and nobody fails", async () => {
  const host = await hostile({ config: "MaxSessions 1" });
  const proxy = untilTheEnd(await limited(host.address, host.port, 2));
  const link = linkTo(host.through(proxy, { connectTimeoutMs: 1_500 }));
  const seconds = (n: number): string => (n > 2 ? "0.1" : "4");
  const ends = await Promise.all([1, 2, 3, 4, 5].map((n) => program(link, `sleep ${seconds(n)}; exit ${n}`)));
  expect(ends.map(({ result }) => result.kind === "exited" && result.code)).toEqual([1, 2, 3, 4, 5]);
  expect(warnings.join("\n")).toMatch(/accepts no more connections.*wait for a free channel/);
});

test("MaxStartups 1: connections are made one after the other", async () => {
  const host = await hostile({ config: "MaxStartups 1:100:1\nMaxSessions 1" });
  const link = linkTo(host.settings());
  const ends = await Promise.all([1, 2, 3, 4].map((n) => program(link, `sleep 1; exit ${n}`)));
  expect(ends.map(({ result }) => result.kind === "exited" && result.code)).toEqual([1, 2, 3, 4]);
});
