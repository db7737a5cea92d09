/** Accounts whose start-up files, shell, home or tools are not what bootlevel needs. */
import { describe, expect, test } from "@jest/globals";

import { fetchFiles } from "../../../../src/machines/files/fetchFiles.js";
import { runQuery } from "../../../../src/machines/shell/query.js";
import { hostile, linkTo, program, reach, refusal } from "./harness.js";
import type { HostileOptions } from "./hostileHost.js";

const never = new AbortController().signal;

describe("harmless noise is no fault, and is in nothing that comes home", () => {
  test.each([
    ["on both outputs", "echo welcome; echo 'stty: standard input: Inappropriate ioctl for device' >&2"],
    ["without a newline", "printf welcome; printf 'no newline' >&2"],
    ["of a shell that prints what it runs", "set -vx"],
    ["of 100 KB", "yes noise | head -c 100000; yes noise | head -c 100000 >&2"],
  ])("%s", async (_, bashrc) => {
    const host = await hostile({ files: { ".bashrc": `${bashrc}\n`, "report.txt": "all is well\n" } });
    const link = linkTo(host.settings());
    for (let attempt = 0; attempt < 2; attempt++) {
      const { result, text } = await program(link, 'echo out; echo err >&2; echo a=1 >>"$BOOTLEVEL_OUTPUT"; exit 4');
      expect(result).toEqual({ kind: "exited", code: 4, outputs: new Map([["a", "1"]]) });
      expect(text).toBe("out\nerr\n");
    }
    const members: string[] = [];
    const connection = await link.connection();
    const { notes } = await fetchFiles(
      connection,
      { report: null, patterns: ["report.txt"], base: [], sudo: false },
      {
        signal: never,
        onMember: async (_origin, header, content) => {
          members.push(header.name);
          for await (const chunk of content) members.push(chunk.toString());
        },
      },
    );
    expect(members).toEqual(["./report.txt", "all is well\n"]);
    expect(notes).toEqual([]);
    const answer = await runQuery(connection, (say) => `${say}\nsay hello; echo other`, {
      limitMs: 10_000,
      signal: never,
    });
    expect(answer).toEqual({ said: ["hello"], words: "other" });
    expect(await refusal(program(link, "true", { sudo: true }))).not.toMatch(/noise|welcome|stty|no newline/);
  });

  test("start-up files that are slow are waited for", async () => {
    const host = await hostile({ files: { ".bashrc": "sleep 6\n" } });
    expect((await program(linkTo(host.settings()), "exit 4")).result).toMatchObject({ code: 4 });
  }, 40_000);
});

/** What is wrong, and the words that tell it. */
const FAULTS: readonly (readonly [string, HostileOptions, RegExp])[] = [
  [
    "both outputs go to one place",
    { files: { ".bashrc": "exec > >(tee -a ~/log) 2>&1\n" } },
    /start-up files of its login shell join standard error and standard output .*\(case \$- in \*i\*\)/,
  ],
  [
    "both outputs go to a file",
    { files: { ".bashrc": "exec >~/log 2>&1\n" } },
    /its login shell ended without running the command: a start-up file replaces the shell \(exec\) or redirects its/,
  ],
  ["standard output goes to a file", { files: { ".bashrc": "exec >~/log\n" } }, /redirect standard output/],
  ["standard error goes to a file", { files: { ".bashrc": "exec 2>~/log\n" } }, /redirect standard error/],
  ["a line of input is read", { files: { ".bashrc": "read -r answer\n" } }, /read standard input, which belongs to/],
  ["all input is read", { files: { ".bashrc": "cat >/dev/null\n" } }, /read standard input, which belongs to/],
  ["another shell takes over", { files: { ".bashrc": "exec /bin/dash\n" } }, /replaces the shell \(exec\)/],
  [
    "the account has no shell",
    { shell: "/usr/sbin/nologin" },
    /its login shell runs no commands \(exit code 1\); .*chsh.* It says: This account is currently not available/,
  ],
  ["the account's shell does not exist", { shell: "/opt/no/shell" }, /refused every key|runs no commands/],
  [
    "the account is bound to one command",
    { config: "ForceCommand echo backups only" },
    /or the account is bound to one command \(ForceCommand\)\. It says: backups only/,
  ],
  [
    "the account is for files only",
    { config: "ForceCommand internal-sftp" },
    /its login shell runs no commands \(exit code 1\).* It says: This service allows sftp connections only/,
  ],
  [
    "tar and mkfifo are missing",
    {
      files: { ".bashrc": "PATH=~/bin\n" },
      prepare: ['mkdir "$H/bin"; for t in dd mkdir mv rm cat wc; do ln -s "$(command -v $t)" "$H/bin"; done'],
    },
    /it has no tar, mkfifo in .*\/home\/bin; install what is missing, or set PATH/,
  ],
  [
    "the home is read-only",
    { prepare: ['mount --bind "$H" "$H"; mount -o remount,ro,bind "$H"'] },
    /cannot create the step's directory: the home directory is read-only there; .*Read-only file system/,
  ],
  [
    "the home does not exist",
    { prepare: ['mv "$H" "$H.away"'] },
    /cannot create the step's directory: the user may not write to the home directory there/,
  ],
  [
    "the home is full",
    { prepare: ['mount -t tmpfs -o mode=777,size=16k none "$H"; head -c 60000 /dev/zero >"$H/x" || :'] },
    /: the disk or the user's quota is full there; make room/,
  ],
];

describe("what is wrong with a host is said in one sentence, and nothing runs there", () => {
  test.each(FAULTS)(
    "%s",
    async (_, options, words) => {
      const host = await hostile(options);
      const message = await refusal(program(linkTo(host.settings()), "touch /tmp/ran-$PPID"));
      expect(message).toMatch(words);
      expect(message).toContain(`guest@${host.address}:${host.port}`);
      expect(message.split("\n")).toHaveLength(1);
    },
    40_000,
  );
});

test("what is known of a host is not asked again", async () => {
  const host = await hostile({ files: { ".bashrc": "echo . >>~/starts\n" } });
  const link = linkTo(host.settings());
  await program(link, "true");
  const { text } = await program(link, "wc -l <~/starts");
  expect(text.trim()).toBe("2");
  expect((await reach(host.settings())).shell).toEqual({ proven: false });
});
