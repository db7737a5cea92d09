/** What a program finds around it: its environment, its arguments, and `bl` in its PATH. */
import { quote } from "../shell/quote.js";
import type { ProgramRequest, ProgramStart } from "./request.js";

/**
 * What the program's own shell reads on standard input. $1 is the runtime directory. Where bl lies is kept from a PWD
 * of the plan's own.
 */
export function environment(
  request: Pick<ProgramRequest, "start" | "args" | "env" | "folders" | "coordination">,
): string {
  const exports = Object.entries(request.env).map(([name, value]) => `export ${name}=${quote(value)}`);
  const folders = Object.entries(request.folders ?? {}).map(
    ([name, path]) => `mkdir -p ${quote(path)} || exit 126; ${name}=$(pwd)/${quote(path)}; export ${name}`,
  );
  return [
    'set -- "$1" "$PWD/.bl/bin"',
    ...exports,
    ...folders,
    'export BOOTLEVEL_ATTRIBUTES="$1/attributes" BOOTLEVEL_OUTPUT="$1/output" PATH="$2:${PATH:-/usr/bin:/bin}"',
    request.coordination === undefined ? "unset BOOTLEVEL_COORDINATION" : 'export BOOTLEVEL_COORDINATION="$1"',
    `set -- ${request.args.map(quote).join(" ")}`,
    `exec ${invocation(request.start)} "$@" </dev/null`,
  ].join("\n");
}

function invocation(start: ProgramStart): string {
  return start.kind === "file" ? quote(`./${start.name}`) : `/bin/sh -c ${quote(start.line)} sh`;
}
