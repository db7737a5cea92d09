/** `ssh`: an operator on the machine of a service, by the same keys and checks as its programs. */
import { afterEach, expect, test } from "@jest/globals";

import { installation } from "../support/installation.js";
import { levels } from "../support/liveRun.js";
import { startSshPool, type SshPool } from "../support/sshPool.js";

const pools: SshPool[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.stop();
});

test.each(["here", "over SSH"])(
  "a command on the machine %s runs where the boot program lies; its words and exit code are the command's own",
  async (where) => {
    const pool = where === "here" ? null : await startSshPool(2);
    if (pool !== null) pools.push(pool);
    const own = installation();
    const folder = own.plan(
      levels("in", ["web: { replicas: 2, boot: { program: boot.sh } }", "bare: { replicas: 0 }"], pool?.head ?? ""),
      { "boot.sh": "#!/bin/sh\ntrue\n" },
    );
    expect(await own.call(["boot", folder, "--name", "in"])).toMatchObject({ code: 0 });
    const ended = await own.call(["ssh", "in", "web-2", "--", "ls; echo words >&2; exit 7"]);
    expect(ended).toMatchObject({ code: 7, stdout: "boot.sh\n" });
    expect(ended.stderr).toContain("words\n");
    expect(await own.call(["ssh", "in", "web-1", "echo", "a  b"])).toMatchObject({ code: 0, stdout: "a b\n" });
    expect(await own.call(["ssh", "in", "web"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("say which: web-1, web-2") as unknown as string,
    });
    expect((await own.call(["ssh", "in", "nobody"])).code).toBe(2);
    const reader = own.start(["ssh", "in", "web-1", "--", "echo $$; exec yes"]);
    reader.child.stdout?.once("data", () => reader.child.stdout?.destroy());
    expect((await reader.ended).code).toBeGreaterThan(0); // it does not wait for a reader that went away
  },
  60_000,
);

test("a host whose key has changed is not logged in to", async () => {
  const pool = await startSshPool(1);
  pools.push(pool);
  const own = installation();
  const folder = own.plan(levels("key", ['web: { boot: { command: "true" } }'], pool.head));
  expect(await own.call(["boot", folder, "--name", "key"])).toMatchObject({ code: 0 });
  await pool.forgetKeys();
  const ended = await own.call(["ssh", "key", "web", "echo", "in"]);
  expect(ended.stdout).toBe("");
  expect(ended.code).not.toBe(0);
  expect(ended.stderr).toContain("host key");
}, 60_000);
