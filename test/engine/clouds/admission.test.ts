/** Machines behind a firewall that names the launcher's earlier address. */
import { expect, test } from "@jest/globals";

import { Admissions } from "../../../src/engine/clouds/admission.js";
import type { Driver } from "../../../src/drivers/contract/driver.js";
import { DriverError } from "../../../src/drivers/contract/driver.js";
import { AuthenticationError, ConnectionError } from "../../../src/machines/contract/connection.js";
import { never } from "../../support/drivers.js";

const MACHINE = { cloud: "sky", host: "10.0.0.7" };

function admissions(admit: NonNullable<Driver["admit"]>) {
  const asked: string[] = [];
  const told: string[] = [];
  const own = new Admissions({
    run: { uid: "u" },
    store: { installation: async () => "i" } as never,
    driver: async () =>
      ({
        admit: async (...words: Parameters<NonNullable<Driver["admit"]>>) => {
          asked.push(`${words[0].installation}.${words[0].run} ${words[1]}`);
          return admit(...words);
        },
      }) as never,
    warn: (message) => told.push(message),
  });
  return { own, asked, told };
}

test("the driver is asked once when machines do not answer, and they are reached then", async () => {
  let open: (value: string) => void = () => undefined;
  const answer = new Promise<string>((resolve) => {
    open = resolve;
  });
  const { own, asked, told } = admissions(async () => {
    // The attempts under way get through a moment later.
    setImmediate(() => {
      open("connected");
    });
    return "the group now allows this computer";
  });
  const both = [1, 2].map(() => own.whileConnecting(MACHINE, answer, never));
  expect(await Promise.all(both)).toEqual(["connected", "connected"]);
  expect(asked).toEqual(["i.u 10.0.0.7"]);
  expect(told).toEqual(["the group now allows this computer"]);
});

test("a machine that answers in time costs no call, and a refused login is another matter", async () => {
  const { own, asked } = admissions(async () => "no");
  expect(await own.whileConnecting(MACHINE, Promise.resolve(1), never)).toBe(1);
  const refused = new AuthenticationError("no key fits");
  await expect(own.whileConnecting(MACHINE, Promise.reject(refused), never)).rejects.toBe(refused);
  expect(asked).toEqual([]);
});

test("a failure says what keeps the launcher out, as far as the driver can tell", async () => {
  const failed = async (admit: NonNullable<Driver["admit"]>): Promise<unknown> => {
    const failing = new Promise<never>((_, reject) => {
      setTimeout(() => {
        reject(new ConnectionError("no answer"));
      }, 5_500);
    });
    return admissions(admit)
      .own.whileConnecting(MACHINE, failing, never)
      .catch((error: unknown) => (error as Error).message);
  };
  const refused = new DriverError("UnauthorizedOperation");
  expect(
    await Promise.all([
      failed(async () => "the group allows 10.0.0.1 only"),
      failed(async () => null),
      failed(async () => Promise.reject(refused)),
    ]),
  ).toEqual([
    "no answer; the group allows 10.0.0.1 only",
    "no answer",
    "no answer; whether its firewall lets this computer in is not known: UnauthorizedOperation",
  ]);
}, 20_000);
