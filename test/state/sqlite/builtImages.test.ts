/** What is on record of images that are built. */
import { expect, test } from "@jest/globals";

import type { ImageIntent } from "../../../src/state/contract/images.js";
import { openStore } from "../../../src/state/openStore.js";
import { temporaryDirectory } from "../../support/temporaryDirectory.js";

const wish: ImageIntent = {
  image: "apache",
  cloud: "lab",
  driver: "ec2",
  place: "there",
  definition: "0123456789abcdef",
  planFile: "/plan/launch.yaml",
  run: "image-apache-1",
  installation: "a1b2c3d4-e5f6",
};

test("who asks for an image that is being built is told of that one; of one that is over, or another one, a new version begins", async () => {
  const store = await openStore(temporaryDirectory());
  const first = await store.beginImage(wish);
  expect(first).toMatchObject({
    version: 1,
    name: "bootlevel-a1b2c3d4-apache-0123456789ab-1",
    run: "image-apache-1",
    state: "building",
    driverId: null,
  });
  expect(await store.beginImage({ ...wish, run: "image-apache-2" })).toEqual(first);
  expect(await store.beginImage({ ...wish, definition: "fedcba9876543210" })).toMatchObject({ version: 2 });
  expect(await store.beginImage({ ...wish, cloud: "elsewhere", definition: "another" })).toMatchObject({ version: 1 });
  await store.changeImage(first.id, { driverId: "ami-1" });
  await store.changeImage(first.id, { state: "available" });
  expect(await store.beginImage(wish)).toMatchObject({ version: 3, state: "building" });
  const [kept] = await store.builtImages();
  expect(kept).toMatchObject({ id: first.id, driverId: "ami-1", state: "available", reason: null, deletedAt: null });
  expect(kept?.availableAt).not.toBeNull();
  await store.changeImage(first.id, { state: "failed", reason: "no more" });
  expect((await store.builtImages())[0]).toMatchObject({
    state: "failed",
    reason: "no more",
    driverId: "ami-1",
    availableAt: kept?.availableAt,
  });
  await store.close();
});
