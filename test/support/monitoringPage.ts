/**
 * The examples of docs/monitoring.md, and a place to run them in with the names replaced that the page says to replace.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterEach } from "@jest/globals";

import { CLI, installation, type Installation } from "./installation.js";

export const page = readFileSync(fileURLToPath(new URL("../../docs/monitoring.md", import.meta.url)), "utf8");
const blocks = [...page.matchAll(/^```([a-z]*)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({
  language: language as string,
  text: text as string,
}));

/** The one block that fits. @throws when there is none, or more. */
export function block(what: string, fits: (text: string, language: string) => boolean): string {
  const found = blocks.filter(({ language, text }) => fits(text, language));
  if (found.length !== 1) throw new Error(`${found.length} blocks of ${what} in docs/monitoring.md`);
  return (found[0] as { text: string }).text;
}
/** The block whose head is a comment with this path. */
export const fileBlock = (path: string) =>
  block(path, (text) => text.split("\n", 2).some((line) => line === `# ${path}`));

/** The page's names, and what stands for them here: paths without blanks, since they are not quoted there. */
export interface Sandbox {
  readonly own: Installation;
  readonly bare: string;
  readonly home: string;
  readonly textfile: string;
  /** Puts the sandbox's names in. */
  readonly fill: (example: string) => string;
}

export const USER = userInfo().username;
const bares: string[] = [];

export function sandbox(): Sandbox {
  const own = installation();
  const bare = mkdtempSync(join(tmpdir(), "bootlevel-page-"));
  bares.push(bare);
  const [bin, plugins, textfile, home] = ["bin", "plugins", "textfile", "home"].map((name) => join(bare, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const directory of [bin, plugins, textfile, own.home]) mkdirSync(directory);
  // The state lies where the test's installation is looked after.
  symlinkSync(own.home, home);
  symlinkSync(CLI, join(bin, "bootlevel"));
  symlinkSync(process.execPath, join(bin, "node"));
  const names = [
    ["/usr/local/lib/nagios/plugins", plugins],
    ["/var/lib/node_exporter/textfile", textfile],
    ["/usr/local/bin", bin],
    ["/srv/bootlevel", home],
  ] as const;
  const fill = (example: string) =>
    names
      .reduce((text, [name, here]) => text.replaceAll(name, here), example)
      .replaceAll("-u bootlevel ", `-u ${USER} `)
      .replaceAll("User=bootlevel\n", `User=${USER}\n`)
      .replaceAll("(bootlevel)", `(${USER})`);
  return { own, bare, home, textfile, fill };
}

afterEach(() => {
  for (const bare of bares.splice(0)) rmSync(bare, { recursive: true, force: true });
});
