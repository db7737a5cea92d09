/** A driver that carries its own copy of bootlevel: its errors mean what they say. */
import { expect, test } from "@jest/globals";

import { driverModule } from "../support/driverModule.js";
import { installation, type Installation } from "../support/installation.js";

/** A plan on local machines whose cloud fails `times` times at a verb. */
async function failing(own: Installation, verb: string, error: string, times: number): Promise<string> {
  const file = await driverModule("failingCloud");
  return own.plan(
    `plan: shop\nclouds: { c: { driver: '${file}', verb: ${verb}, error: ${error}, times: ${times} } }\ndefaults: { cloud: c }\nimages: { base: { recipe: { command: "true" } } }\nlevels: [ { services: { web: { boot: { command: "true" } } } } ]\n`,
  );
}

test.each(["throttled", "lost"])("a launch whose call was %s is made again", async (error) => {
  const own = installation();
  const { code, document } = await own.json(["boot", await failing(own, "launch", error, 2), "--name", "shop"]);
  expect({ code, document }).toMatchObject({ code: 0, document: { state: "ready", failures: [] } });
});

test("a cloud that cannot be reached at launch is known as such, and its remedy is shown", async () => {
  const own = installation();
  const { code, document } = await own.json(["boot", await failing(own, "launch", "unreachable", 1), "--name", "shop"]);
  expect({ code, document }).toMatchObject({
    code: 4,
    document: {
      cloudUnreachable: true,
      failures: [
        { service: "web", step: "launch", remedy: "plug it in", message: expect.stringMatching("no network") },
      ],
    },
  });
  expect(await own.call(["repair", "shop"])).toMatchObject({ code: 0 });
});

test.each(["launch", "outcome"])("a driver's own failure (%s) is the service's, with its remedy", async (verb) => {
  const own = installation();
  const { code, document } = await own.json(["boot", await failing(own, verb, "driver", 1), "--name", "shop"]);
  expect({ code, document }).toMatchObject({
    code: 1,
    document: {
      cloudUnreachable: false,
      failures: [{ service: "web", step: "launch", message: "sold out", remedy: "take a smaller size" }],
    },
  });
});

test("status tells that the cloud cannot be reached, and terminate keeps the machine until it can be", async () => {
  const own = installation();
  await own.json(["boot", await failing(own, "describe", "unreachable", 1), "--name", "shop"]);
  expect(await own.json(["status", "shop"])).toMatchObject({ code: 4, document: { cloudUnreachable: true } });
  expect(await own.json(["status", "shop"])).toMatchObject({ code: 0, document: { cloudUnreachable: false } });
  const other = installation();
  await other.json(["boot", await failing(other, "terminate", "unreachable", 1), "--name", "shop"]);
  expect(await other.json(["terminate", "shop", "--yes"])).toMatchObject({
    code: 4,
    document: { runs: [{ cloudUnreachable: true, terminated: [] }] },
  });
  expect(await other.json(["terminate", "shop", "--yes"])).toMatchObject({ code: 0 });
});

test("an image that can never be made has failed; one whose cloud cannot be reached is still being built", async () => {
  const own = installation();
  const never = await failing(own, "createImage", "image", 1);
  const failed = await own.json(["image", "build", "base", "--cloud", "c", "--plan", never]);
  expect(failed.document.image).toMatchObject({ state: "failed", reason: "it cannot be made of this" });
  const other = installation();
  const later = await failing(other, "createImage", "unreachable", 1);
  const building = await other.json(["image", "build", "base", "--cloud", "c", "--plan", later]);
  expect(building.document.image).toMatchObject({ state: "building", cloudUnreachable: true });
});

test("what a check of the cloud throws ends the command with its code", async () => {
  const own = installation();
  const { code, document } = await own.json(["validate", await failing(own, "check", "unreachable", 1), "--online"]);
  expect({ code, document }).toMatchObject({
    code: 4,
    document: { error: { code: "CLOUD_UNREACHABLE", exitCode: 4 } },
  });
});
