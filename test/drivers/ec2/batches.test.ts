/** What is recorded of calls: a launcher that was replaced overwrites nothing of its successor's. */
import { expect, test } from "@jest/globals";

import { isLostReplyError } from "../../../src/drivers/contract/driver.js";
import { Batches, newBatch, type Batch } from "../../../src/drivers/ec2/batches.js";
import { driverStateFolder } from "../../../src/state/files/driverState.js";
import { request, stateDirectory } from "../../support/drivers.js";

const batchOf = (run: string, hostKey: string, keys = ["a", "b"]): Batch =>
  newBatch(
    keys.map((key) => request(key, run)),
    "zone a",
    0,
    { least: 1, hostKeys: [hostKey], askedAt: 1, named: false },
  );

/** Two launchers of one installation; the first one's permission can be taken. */
function launchers() {
  const directory = stateDirectory();
  const permission = { isOld: true };
  const old = new Batches(driverStateFolder(directory), async () => {
    if (!permission.isOld) throw new Error("taken over");
  });
  return { old, next: new Batches(driverStateFolder(directory)), permission };
}

const reject = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

test("a call that another launcher has recorded is not recorded again, whoever may write", async () => {
  const { old, next, permission } = launchers();
  const theirs = await next.add(batchOf("run", "theirs"));
  expect(isLostReplyError(await reject(old.add(batchOf("run", "mine"))))).toBe(true);
  permission.isOld = false;
  expect(await reject(old.add(batchOf("run", "mine")))).toEqual(new Error("taken over"));
  expect(await next.reread("run")).toEqual(new Map([[theirs.id, theirs]]));
  // Whoever was told reads what the other one has recorded.
  expect(await old.all("run")).toEqual([theirs]);
});

test("a launcher that froze before it wrote changes nothing that its successor has recorded", async () => {
  const { old, next, permission } = launchers();
  const batch = await old.add(batchOf("run", "mine"));
  const changing = old.change(batch, (now) => ({ ...now, settled: true }));
  permission.isOld = false;
  const ids = ["i-1", "i-2"];
  await next.change(batch, (now) => ({ ...now, ids }));
  await reject(changing);
  const [now] = await next.all("run");
  expect(now).toMatchObject({ ids });
  expect(await reject(old.change(batch, (one) => ({ ...one, settled: false, ids: [null, null] })))).toEqual(
    new Error("taken over"),
  );
  expect((await next.reread("run")).get(batch.id)).toMatchObject({ ids });
});

test("changes that are made at once are all made", async () => {
  const { old, next } = launchers();
  const batch = await old.add(batchOf("run", "0"));
  await Promise.all(
    [old, next, old, next, old].map((batches, index) =>
      batches.change(batch, (now) => ({ ...now, hostKeys: [...now.hostKeys, String(index + 1)] })),
    ),
  );
  const now = (await old.reread("run")).get(batch.id);
  expect([...(now?.hostKeys ?? [])].sort()).toEqual(["0", "1", "2", "3", "4", "5"]);
});

test("a run's calls are found, also those that another process has recorded, until the run is forgotten", async () => {
  const { old, next } = launchers();
  expect(await old.all("run/1")).toEqual([]);
  const batch = await next.add(batchOf("run/1", "x"));
  const other = await next.add(batchOf("run/10", "y", ["c"]));
  expect(await old.find("run/1", batch.id)).toEqual(batch);
  expect(await old.find("run/1", other.id)).toBeNull();
  await next.change(batch, (now) => ({ ...now, ids: ["i-1", null], askedAt: 7 }));
  expect(await old.askedFor(["i-1", "i-2"])).toEqual(new Map([["i-1", 7]]));
  await next.remove("run/1");
  expect([...(await old.reread("run/1")).keys()]).toEqual([]);
  expect(await old.all("run/10")).toEqual([other]);
});
