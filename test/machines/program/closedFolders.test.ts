/** Folders that an ordinary user may not write to: sent with a program, or made by it. Nothing of them stays. */
import { afterEach, expect, test } from "@jest/globals";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLocal } from "../../../src/machines/local/localConnection.js";
import { removeMachineDirectory } from "../../../src/machines/local/machineDirectory.js";
import { runProgram } from "../../../src/machines/program/runProgram.js";
import { writeBundle } from "../../support/bundles.js";
import { createLink } from "../../support/createLink.js";
import { requestFor } from "../../support/localHost.js";

const NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups";
const isRoot = process.getuid?.() === 0;
const made: string[] = [];
afterEach(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), "bl-closed-"));
  made.push(directory);
  return directory;
}

test.each(["the system's own tools", "BusyBox"])("with %s", async (tools) => {
  const place = folder();
  const machine = folder();
  chmodSync(machine, 0o777);
  chmodSync(place, 0o755);
  mkdirSync(join(place, "ro", "deep"), { recursive: true });
  writeFileSync(join(place, "ro", "deep", "file"), "sent\n");
  for (const path of ["ro/deep", "ro"]) chmodSync(join(place, path), 0o555);
  writeFileSync(
    join(place, "run.sh"),
    "#!/bin/sh\ncat ro/deep/file; mkdir -p made/below; echo x >made/below/x; chmod 500 made/below made\n",
  );
  mkdirSync(join(place, "bin"));
  if (tools === "BusyBox")
    for (const name of ["rm", "chmod", "tar", "mkdir", "cat", "dd", "head"])
      symlinkSync("/usr/bin/busybox", join(place, "bin", name));
  const bundle = await writeBundle(
    { program: { kind: "file", path: join(place, "run.sh") }, files: [join(place, "ro")] },
    join(place, "bundles"),
  );
  const env = { PATH: `${join(place, "bin")}:/usr/bin:/bin`, HOME: machine };
  const local = openLocal({ directory: machine, workDirectory: join(machine, "steps"), env, tag: "4712" });
  const link = createLink(async () => ({
    label: local.label,
    workDirectory: local.workDirectory,
    alive: true,
    open: (command: string) =>
      local.open(isRoot ? `exec ${NOBODY} /bin/sh -c '${command.replaceAll("'", "'\\''")}'` : command),
    close: () => local.close(),
  }));
  const request = requestFor(bundle, { directory: "step", keep: false });
  expect(await runProgram(link, request)).toMatchObject({ kind: "exited", code: 0 });
  expect(request.text()).toBe("sent\n");
  await link.close();
  expect(readdirSync(join(machine, "steps"))).toEqual([]);
  for (const path of ["ro/deep", "ro"]) chmodSync(join(place, path), 0o755);
});

test("a local machine goes with the closed folders in it", async () => {
  const directory = join(folder(), "machine");
  mkdirSync(join(directory, "home", "closed", "below"), { recursive: true });
  writeFileSync(join(directory, "home", "closed", "below", "x"), "");
  for (const path of ["closed/below", "closed"]) chmodSync(join(directory, "home", path), 0o500);
  expect(statSync(join(directory, "home", "closed")).mode & 0o777).toBe(0o500);
  await removeMachineDirectory(directory);
  expect(existsSync(directory)).toBe(false);
});
