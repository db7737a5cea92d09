/** What failed first and why, before those who waited for it: on the screen, for monitors, and in documents. */
import { expect, test } from "@jest/globals";

import { installation, type Installation } from "../support/installation.js";

const files = {
  "w.sh": "#!/bin/sh\nv=$(bl get z:val) || exit\n",
  "z.sh": '#!/bin/sh\nsleep 0.5; echo "z is broken" >&2; exit 3\n',
};

function plan(own: Installation, services: string): string {
  return own.plan(`plan: blame\nlevels:\n  - name: one\n    services:\n${services}`, files);
}

const CHAIN = `      w: { outputs: [more], replicas: 3, boot: w.sh }
      y: { boot: { command: "bl get w-1:more || exit 7" } }
      z: { outputs: [val], boot: z.sh }
`;

test("the cause is told in full, and who waited for it in one line", async () => {
  const own = installation();
  const folder = plan(own, CHAIN);
  const screens = [await own.call(["boot", folder, "--name", "blame"]), await own.call(["show", "blame"])];
  for (const { stdout } of screens) {
    const end = stdout.slice(stdout.indexOf("✖"));
    expect(end).toMatch(
      /^✖ z did not boot\n.*step boot.*\n  what   the boot program z\.sh failed: exit code 3\n  why    │ z is broken\n.*\n✖ w-1\.\.w-3 failed because z failed\n✖ y failed because w-1 failed\n/,
    );
    expect(end.match(/did not boot/g)).toHaveLength(1);
  }
  const status = await own.call(["status", "blame"]);
  expect(status.stdout).toMatch(/ w-2 +✖ failed .*the boot program w\.sh failed: exit code 1 \(cause: z\)/);
  expect(status.stdout.match(/Last output of \S+/g)).toEqual(["Last output of z:"]);
});

test("monitors get the cause first", async () => {
  const own = installation();
  const folder = plan(own, CHAIN);
  const line =
    "z: the boot program z.sh failed: exit code 3; w-1..w-3 failed because z failed; y failed because w-1 failed |";
  expect((await own.call(["run", folder, "--nagios"])).stdout).toContain(line);
  await own.call(["boot", folder, "--name", "kept"]);
  expect((await own.call(["status", "kept", "--nagios"])).stdout).toContain(line);
});

test("documents name the cause of each failure, and begin with what failed by itself", async () => {
  const own = installation();
  const folder = plan(own, CHAIN);
  const { document } = await own.json(["boot", folder, "--name", "blame"]);
  const causes = document.failures.map(({ service, cause }: Record<string, string | null>) => [service, cause]);
  expect(causes[0]).toEqual(["z", null]);
  expect(new Map(causes)).toEqual(
    new Map([
      ["z", null],
      ["w-1", "z"],
      ["w-2", "z"],
      ["w-3", "z"],
      ["y", "w-1"],
    ]),
  );
  const status = (await own.json(["status", "blame"])).document;
  expect(status.services.map(({ service, cause }: Record<string, string | null>) => [service, cause])).toEqual(
    status.services.map(({ service }: Record<string, string>) => [service, new Map(causes).get(service)]),
  );
});

test("a wait that timed out blames who had not come, also if that one fails later", async () => {
  const own = installation();
  const folder = plan(
    own,
    `      a: { boot: { command: "bl get z:val --timeout 0.3 || exit 4" } }
      z: { outputs: [val], boot: { command: "sleep 1.5; exit 5" } }
`,
  );
  const { document } = await own.json(["boot", folder, "--name", "late"]);
  expect(document.failures).toMatchObject([
    { service: "z", exitCode: 5, cause: null },
    { service: "a", exitCode: 4, cause: "z" },
  ]);
});

test("who aborted the run is the cause of what the abort ended", async () => {
  const own = installation();
  const folder = plan(
    own,
    `      a: { boot: { command: "sleep 60" } }
      z: { boot: { command: "bl abort broken; exit 6" } }
`,
  );
  const { document } = await own.json(["boot", folder, "--name", "over"]);
  expect(document.failures).toMatchObject([
    { service: "z", cause: null },
    { service: "a", cause: "z" },
  ]);
});

test("a failure after a wait that came true is the service's own", async () => {
  const own = installation();
  const folder = plan(
    own,
    `      a: { boot: { command: "bl get z:val --timeout 0.2; bl get z:val && exit 9" } }
      z: { outputs: [val], boot: { command: "sleep 1; bl set val 1; sleep 1; exit 5" } }
`,
  );
  const { document } = await own.json(["boot", folder, "--name", "own"]);
  expect(document.failures).toMatchObject([
    { service: "a", exitCode: 9, cause: null },
    { service: "z", exitCode: 5, cause: null },
  ]);
});
