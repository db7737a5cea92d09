/** The sample plans/apache-test: a client waits for a server of its level and tests it, by run and by boot. */
import { fileURLToPath } from "node:url";

import { expect, test } from "@jest/globals";

import { eventually, isAlive } from "../support/eventually.js";
import { installation, type Document, type Installation } from "../support/installation.js";

const PLAN = fileURLToPath(new URL("../../plans/apache-test", import.meta.url));

async function attributes(own: Installation, run: string): Promise<Document> {
  const { document } = await own.json(["show", run]);
  return Object.fromEntries(
    document.levels[0].services.map((service: Document) => [
      service.name,
      Object.fromEntries(Object.entries<Document>(service.attributes).map(([name, { value }]) => [name, value])),
    ]),
  );
}

async function serverProcess(own: Installation, run: string): Promise<number> {
  const { stdout } = await own.call(["logs", run, "apache1"]);
  return Number(/ serves http:\/\/[^ ]+, process (\d+)/.exec(stdout)?.[1]);
}

test("three clients test the server, and it is all taken down", async () => {
  const own = installation();
  expect(await own.call(["run", PLAN, "--name", "try", "--replicas", "testclient=3"])).toMatchObject({
    code: 0,
    stderr: "",
  });
  const all = await attributes(own, "try");
  expect(all).toMatchObject({
    apache1: {
      ready: "yes",
      port: expect.stringMatching(/^\d+$/),
      server: expect.stringMatching(/^(apache|node|busybox|python3)$/),
    },
    "testclient-1": { result: "OK" },
    "testclient-2": { result: "OK" },
    "testclient-3": { result: "OK" },
  });
  const pid = await serverProcess(own, "try");
  expect(pid).toBeGreaterThan(1);
  await eventually("the server is gone", () => !isAlive(pid));
});

test("booted, it stays: the page is there until it is terminated", async () => {
  const own = installation();
  expect(await own.call(["boot", PLAN, "--name", "try"])).toMatchObject({ code: 0, stderr: "" });
  const { apache1, testclient } = await attributes(own, "try");
  expect(testclient.result).toBe("OK");
  expect(await (await fetch(`http://${apache1.host}:${apache1.port}/`)).text()).toContain("It works!");
  const pid = await serverProcess(own, "try");
  expect(await own.call(["status", "try"])).toMatchObject({ code: 0 });
  expect(await own.call(["terminate", "try", "--yes"])).toMatchObject({ code: 0 });
  await eventually("the server is gone", () => !isAlive(pid));
});
