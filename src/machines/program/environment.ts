/** The environment of a program: variables, arguments, and `bl` in its PATH. */
import { quote } from "../shell/quote.js";
import type { ProgramRequest, ProgramStart } from "./request.js";

/**
 * The shell code that starts the program; its shell reads it from standard input. $1 is the runtime directory. The path
 * of bl is saved first, in case the plan sets PWD.
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
