/** `logs`: everything that a program printed, harmless, in a pipe and on a terminal. */
import { expect, test } from "@jest/globals";

import { CLI, installation, type Installation } from "../support/installation.js";
import { atTerminal } from "../support/terminal.js";

const noisy = `#!/bin/sh
printf '10%%\\r50%%\\r\\033[K100%%\\r\\n'
printf '\\033]0;title\\007\\033[2Jclear\\007\\n'
head -c 5000 /dev/zero | tr '\\0' x
printf '\\nwindows\\r\\nno end'
`;

async function booted(): Promise<Installation> {
  const own = installation();
  const folder = own.plan("plan: noisy\nlevels:\n  - name: one\n    services: { a: { boot: noisy.sh } }\n", {
    "noisy.sh": noisy,
  });
  expect(await own.call(["boot", folder, "--name", "noisy"])).toMatchObject({ code: 0 });
  return own;
}

/** The lines of the program, without bootlevel's own. */
function programLines(text: string): string[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line.startsWith("a boot | ") && !line.startsWith("a boot | ---"))
    .map((line) => line.slice("a boot | ".length));
}

test("in a pipe all is there: each state of a progress bar, and lines of any length", async () => {
  const own = await booted();
  const { stdout } = await own.call(["logs", "noisy"]);
  expect(programLines(stdout)).toEqual(["10%", "50%", "100%", "clear", "x".repeat(5000), "windows", "no end"]);
});

test("a terminal gets the last state of a progress bar, a mark where a line is cut, and no control characters", async () => {
  const own = await booted();
  const { code, screen } = await atTerminal([process.execPath, CLI, "logs", "noisy"], {
    env: { PATH: process.env["PATH"] ?? "", HOME: own.directory, BOOTLEVEL_HOME: own.home, TERM: "xterm" },
  });
  expect(code).toBe(0);
  expect(screen).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/);
  expect(programLines(screen)).toEqual([
    "100%",
    "clear",
    `${"x".repeat(2000)}… (cut for the terminal: 5000 characters)`,
    "windows",
    "no end",
  ]);
});

test("the document has the text as the program wrote it", async () => {
  const own = await booted();
  const { document } = await own.json(["logs", "noisy"]);
  expect(document.logs[0].text).toContain("10%\r50%\r\u001b[K100%\r\n");
});

test("an output of a program with Windows' habits has no carriage return and no byte order mark", async () => {
  const own = installation();
  const folder = own.plan(
    "plan: crlf\nlevels:\n  - name: one\n    services: { a: { outputs: [id, text], boot: win.sh } }\n",
    {
      "win.sh":
        "#!/bin/sh\nprintf '\\357\\273\\277id=7\\r\\ntext<<E\\r\\none\\r\\ntwo\\r\\nE\\r\\n' >>\"$BOOTLEVEL_OUTPUT\"\n",
    },
  );
  const { document } = await own.json(["boot", folder, "--name", "crlf"]);
  expect(document.failures).toEqual([]);
  const shown = (await own.json(["show", "crlf"])).document.levels[0].services[0].attributes;
  expect([shown.id.value, shown.text.value]).toEqual(["7", "one\ntwo"]);
});
