/** A driver that answers nonsense: each answer is refused with words, and no machine is taken for gone because of it. */
import { expect, test } from "@jest/globals";

import type { Driver, LaunchRequest } from "../../../src/drivers/contract/driver.js";
import { checkAnswers } from "../../../src/engine/clouds/checkedAnswers.js";
import { never, request } from "../../support/drivers.js";

const SCOPE = { installation: "i", run: null };
const machine = (parts: object = {}) => ({
  id: "m-1",
  key: "k",
  mark: null,
  state: "running",
  host: "10.0.0.1",
  privateHost: null,
  hostname: null,
  access: null,
  reason: "",
  ...parts,
});
const answering = (answer: unknown) => {
  const say = async () => answer;
  return checkAnswers({ launch: say, describe: say, terminate: say, list: say } as unknown as Driver, "sky");
};
const WORDS = 'the driver of cloud "sky" answered ';

test.each<[string, unknown, string]>([
  ["no list", { m: 1 }, '{"m":1} instead of a list'],
  ["nothing", undefined, "nothing instead of a list"],
  ["no machine", [7], "a machine whose id is nothing"],
  ["an id that is no word", [machine({ id: "m\u001b[2J" })], 'a machine whose id is "m\\u001b[2J"'],
  ["an endless id", [machine({ id: "x".repeat(2_000) })], `a machine whose id is "${"x".repeat(79)}…`],
  ["a state of its own", [machine({ state: "ok" })], 'the state "ok" of machine m-1'],
  ["an address that is shell text", [machine({ host: "$(rm -rf /) x" })], 'the host "$(rm -rf /) x" of machine m-1'],
  ["an address that is a number", [machine({ privateHost: 7 })], "the privateHost 7 of machine m-1"],
  ["a mark that is none", [machine({ mark: { run: 1 } })], 'the mark {"run":1} of machine m-1'],
  [
    "an address that is an option",
    [machine({ host: "-oProxyCommand=x" })],
    'the host "-oProxyCommand=x" of machine m-1',
  ],
  ["an address with shell text", [machine({ host: "a;b" })], 'the host "a;b" of machine m-1'],
  ["an address that moves the cursor", [machine({ hostname: "a\u009bb" })], 'the hostname "a\u009bb" of machine m-1'],
  [
    "a port that is text",
    [machine({ access: { kind: "ssh", host: "a", port: "x;y", user: null } })],
    'the access {"kind":"ssh","host":"a","port":"x;y","user":null} of machine m-1',
  ],
  ["an access of its own", [machine({ access: { kind: "telnet" } })], 'the access {"kind":"telnet"} of machine m-1'],
])("%s", async (_what, answer, words) => {
  await expect(answering(answer).list(SCOPE, never)).rejects.toThrow(`${WORDS}list with ${words}`);
  await expect(answering(answer).describe(["m-1"], never)).rejects.toThrow(`${WORDS}describe with ${words}`);
});

test("machines that were not asked for, and too few of them", async () => {
  await expect(answering([]).describe(["m-1"], never)).rejects.toThrow("0 machines instead of 1");
  await expect(answering([machine()]).describe(["m-2"], never)).rejects.toThrow("machines that were not asked for");
});

test("launches: outcomes of others, two for one, none at all", async () => {
  const one: LaunchRequest = request("k", "run", "web");
  const launch = async (answer: unknown) => answering(answer).launch([one], never);
  const launched = { key: "k", kind: "launched", machine: machine() };
  expect(await launch([launched])).toEqual([launched]);
  expect(await launch([])).toEqual([]);
  await expect(launch([{ ...launched, key: "other" }])).rejects.toThrow("launch with the outcome of another request");
  await expect(launch([launched, launched])).rejects.toThrow("launch with two outcomes for k");
  await expect(launch([{ ...launched, machine: machine({ key: "zzz" }) }])).rejects.toThrow(
    "launch with a machine of another request for k",
  );
  const two = [one, { ...one, key: "k-2" }];
  const shared = [launched, { key: "k-2", kind: "launched", machine: machine({ key: null }) }];
  await expect(answering(shared).launch(two, never)).rejects.toThrow("launch with machine m-1 for two requests");
  await expect(answering([machine(), machine()]).list(SCOPE, never)).rejects.toThrow(
    "list with one machine more than once",
  );
  await expect(launch([{ key: "k", kind: "maybe" }])).rejects.toThrow('launch with the outcome "maybe"');
  await expect(launch([{ key: "k", kind: "launched" }])).rejects.toThrow("launch with a machine whose id is nothing");
  expect(await launch([{ key: "k", kind: "failed", error: "full" }])).toMatchObject([
    { key: "k", kind: "failed", error: { message: "full" }, leftover: null },
  ]);
});

test("a machine of which terminate says nothing still exists", async () => {
  const terminate = async (answer: unknown) => answering(answer).terminate(["m-1", "m-2"], never);
  expect(
    await terminate([
      { id: "m-2", kind: "terminated" },
      { id: "m-9", kind: "terminated" },
    ]),
  ).toMatchObject([
    { id: "m-1", kind: "failed", error: { message: `${WORDS}terminate with nothing on m-1` } },
    { id: "m-2", kind: "terminated" },
  ]);
  expect(
    await terminate([
      { id: "m-1", kind: "done" },
      { id: "m-2", kind: "failed" },
    ]),
  ).toMatchObject([
    { kind: "failed", error: { message: `${WORDS}terminate with nothing on m-1` } },
    { kind: "failed", error: { message: "it failed, and gave nothing as the reason" } },
  ]);
});

test("of two words about a machine that was to be destroyed, the worse counts", async () => {
  const twice = [
    { id: "m-1", kind: "failed", error: "busy" },
    { id: "m-1", kind: "terminated" },
    { id: "m-2", kind: "terminated" },
  ];
  for (const answer of [twice, [...twice].reverse()])
    expect(await answering(answer).terminate(["m-1", "m-2"], never)).toMatchObject([
      { kind: "failed", error: { message: "busy" } },
      { kind: "terminated" },
    ]);
});

test("missing fields are none, and a reason has a bound", async () => {
  const [status] = await answering([{ id: "m-1", state: "running", reason: "r".repeat(10_000) }]).list(SCOPE, never);
  expect(status).toMatchObject({ key: null, host: null, access: null, reason: "r".repeat(4_096) });
});
