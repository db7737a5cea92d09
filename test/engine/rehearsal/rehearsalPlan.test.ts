/** A plan as it is rehearsed: nothing real is left in it. */
import { expect, test } from "@jest/globals";

import { PLACEHOLDER, rehearsalPlan, withSeed } from "../../../src/engine/rehearsal/rehearsalPlan.js";
import type { ProgramSpec, Template } from "../../../src/plan/launchPlan/launchPlan.js";
import { plan, service } from "../../support/plans.js";

const program = (parts: Partial<ProgramSpec> = {}): ProgramSpec => ({
  run: { kind: "file", path: "/plan/boot.sh" },
  args: [["--to", { kind: "self", attribute: "host" }]],
  env: { A: ["b"] },
  files: ["/plan/data"],
  timeoutMs: 5,
  where: "machine",
  sudo: true,
  ...parts,
});
const on = (host: Template) => ({ placement: { kind: "host" as const, host } });
const USUAL = { launch: { latency: "1s" } };

test("every cloud is simulated with the faults, and no key of another driver stays", () => {
  const clouds = {
    rack: { name: "rack", driver: "existing", options: { hosts: ["10.0.0.1"] } },
    sky: { name: "sky", driver: "sim", options: { seed: 1, capacity: 3, file: "/real.db" } },
  };
  const levels = [
    {
      name: "one",
      services: [
        service("a", { placement: { kind: "cloud", cloud: "rack" }, launch: { disk: 7 } }),
        service("b", { placement: { kind: "cloud", cloud: "sky" }, launch: { latency: "3s" } }),
      ],
    },
  ];
  const given = rehearsalPlan(plan(levels, { clouds }), { visibility: "5s" }, USUAL);
  expect(given.clouds).toEqual({
    rack: { name: "rack", driver: "sim", options: { visibility: "5s" } },
    sky: { name: "sky", driver: "sim", options: { visibility: "5s" } },
  });
  expect(given.levels[0]?.services.map(({ launch }) => launch)).toEqual([{}, { latency: "3s" }]);
  expect(rehearsalPlan(plan(levels, { clouds }), null, USUAL).clouds).toEqual({
    rack: { name: "rack", driver: "sim", options: USUAL },
    sky: { name: "sky", driver: "sim", options: { seed: 1, capacity: 3 } },
  });
});

test("a host that exists becomes a simulated machine, a guest of another service stays one", () => {
  const guest: Template = [{ kind: "service", service: "a", replica: 0, attribute: "host" }];
  const elsewhere: Template = [{ kind: "service", service: "a", replica: 0, attribute: "public_ip" }];
  const services = [
    service("a", on(["192.0.2.1"])),
    service("b", on([{ kind: "variable", name: "host" }])),
    service("c", on(guest)),
    service("d", on(elsewhere)),
    service("e", on([...guest, ".example"])),
  ];
  const made = rehearsalPlan(plan([{ name: "one", services }]), null, USUAL);
  const hosts = { kind: "cloud", cloud: "hosts" };
  expect(made.levels[0]?.services.map(({ placement }) => placement)).toEqual([
    hosts,
    hosts,
    { kind: "host", host: guest },
    hosts,
    hosts,
  ]);
  expect(made.clouds["hosts"]).toEqual({ name: "hosts", driver: "sim", options: USUAL });
  expect(
    Object.keys(rehearsalPlan(plan([{ name: "one", services: [service("a", on(guest))] }]), null, USUAL).clouds),
  ).toEqual(["local"]);
  const taken = rehearsalPlan(
    plan([{ name: "one", services }], { clouds: { hosts: { name: "hosts", driver: "local", options: {} } } }),
    null,
    USUAL,
  );
  expect(taken.levels[0]?.services[0]?.placement).toEqual({ kind: "cloud", cloud: "hosts-2" });
});

test("programs carry no files and run on machines only; their references stay", () => {
  const ready = { ...program({ where: "launcher" }), everyMs: 1, retries: 3, windowMs: 9, bounded: true };
  const made = rehearsalPlan(
    plan([
      {
        name: "one",
        services: [
          service("a", { boot: program(), ready, terminate: program({ run: { kind: "command", line: ["x"] } }) }),
        ],
      },
    ]),
    null,
    USUAL,
  );
  const [a] = made.levels[0]?.services ?? [];
  const expected = {
    ...program(),
    run: { kind: "command", line: ["/plan/boot.sh"] },
    files: [],
    where: "machine",
    sudo: false,
  };
  expect(a?.boot).toEqual(expected);
  expect(a?.ready).toEqual({ ...expected, everyMs: 1, retries: 3, windowMs: 9, bounded: true });
  expect(a?.terminate).toEqual({ ...expected, run: { kind: "command", line: ["x"] } });
});

test("variables without a value are made up, and so are all secrets", () => {
  const variable = {
    name: "v",
    description: "",
    default: null,
    secret: false,
    env: "V",
    source: { file: "", line: 1, column: 1 },
  };
  const made = rehearsalPlan(
    plan([], {
      variables: [variable, { ...variable, default: "given" }, { ...variable, default: "real", secret: true }],
    }),
    null,
    USUAL,
  );
  expect(made.variables.map(({ default: value, env }) => [value, env])).toEqual([
    [PLACEHOLDER, "V"],
    ["given", "V"],
    [PLACEHOLDER, null],
  ]);
});

test("each cloud gets luck of its own from one seed", () => {
  const made = withSeed(
    rehearsalPlan(
      plan([], {
        clouds: { a: { name: "a", driver: "local", options: {} }, b: { name: "b", driver: "local", options: {} } },
      }),
      null,
      USUAL,
    ),
    "7.1",
  );
  expect(Object.values(made.clouds).map(({ options }) => options)).toEqual([
    { ...USUAL, seed: "7.1 a" },
    { ...USUAL, seed: "7.1 b" },
  ]);
});
