/** A reload notices changed secrets, and its question keeps nobody from the run. */
import { expect, test } from "@jest/globals";

import { installation, type Installation } from "../support/installation.js";

function plan(own: Installation, variable: string, extra = ""): string {
  return own.plan(
    `plan: p\nvariables: { password: ${variable} }\nlevels:\n  - services:\n      a: { boot: { command: "printf %s $P > '${own.facts}/used'", env: { P: "\${var.password}" } }${extra} }\n`,
  );
}

test("a changed default of a secret variable boots the services that use it again; a value that was given stays", async () => {
  const own = installation();
  const folder = plan(own, "{ secret: true, default: first-secret }");
  expect(await own.call(["boot", folder, "--name", "d"])).toMatchObject({ code: 0 });
  expect(own.fact("used")).toBe("first-secret");
  const same = await own.call(["reload", "d", folder, "--yes"]);
  expect(same.stdout).toContain("already follows this plan");
  plan(own, "{ secret: true, default: second-secret }");
  const changed = await own.call(["reload", "d", folder, "--yes"]);
  expect(changed).toMatchObject({ code: 0 });
  expect(changed.stdout).not.toMatch(/(first|second)-secret/);
  expect(own.fact("used")).toBe("second-secret");
  own.plan("", { "given.yaml": "password: given-secret\n" }, "vars");
  const given = await own.call(["reload", "d", folder, "--yes", "--var-file", `${own.directory}/vars/given.yaml`]);
  expect(given).toMatchObject({ code: 0 });
  expect(own.fact("used")).toBe("given-secret");
  plan(own, "{ secret: true, default: third-secret }");
  expect((await own.call(["reload", "d", folder, "--yes"])).stdout).toContain("already follows this plan");
  expect(own.fact("used")).toBe("given-secret");
});
