/** Checks before a launch that programs, their files and SSH keys exist. */
import { basename, dirname, extname, join, resolve } from "node:path";
import { keyOf, type Draft, type DraftService } from "../draft/draft.js";
import { sshEntries } from "../draft/sshEntries.js";
import { sendProblem } from "./checkFolders.js";
import { expandHome, Files, isArchive } from "../draft/files.js";
import type { Located } from "../yaml/located.js";
import type { Mistake } from "../yaml/mistakes.js";
import { templateReferences } from "../references/references.js";
import { splitReplica } from "../launchPlan/replicas.js";
import { suggest } from "../../text/suggest.js";

export function checkFiles(draft: Draft): Mistake[] {
  const files = new Files();
  const images = [...draft.images.values()].flatMap((image) =>
    ["recipe", "boot", "ready", "execute", "report", "terminate"].flatMap((key) => checkProgram(image.get(key), files)),
  );
  return [
    ...images,
    ...draft.levels
      .flatMap(({ services }) => services)
      .flatMap((service) => [
        ...["boot", "ready", "execute", "report", "terminate"].flatMap((key) =>
          checkProgram(keyOf(service, key), files),
        ),
        ...(needsSsh(draft, service) ? checkIdentities(service, files, draft.home) : []),
      ]),
  ];
}

/** The place and text of a program's path, or null if the program is a shell line. */
export function programPath(program: Located): Located | null {
  return typeof program.value === "string" ? program : program.get("program");
}

function checkProgram(program: Located | null, files: Files): Mistake[] {
  if (program === null) return [];
  const place = programPath(program);
  const path = place?.text ? resolve(place.dir, place.text) : null;
  return [
    ...(place === null || path === null ? [] : checkRun(place, path, files)),
    ...checkCompanions(program, path, files),
  ];
}

function checkRun(place: Located, path: string, files: Files): Mistake[] {
  const kind = files.kind(path);
  if (kind === "missing") return [missing(place, path, "program", files)];
  const script = kind === "folder" ? join(path, "run.sh") : path;
  if (files.kind(script) !== "file")
    return [place.mistake(`folder "${place.text}" has no run.sh: add one, or name a file`)];
  if (isArchive(script)) return [];
  const name = kind === "folder" ? join(place.text ?? "", "run.sh") : (place.text ?? "");
  if (files.isEmpty(script)) return [place.mistake(`program "${name}" is empty: it has 0 bytes`)];
  const unsent = sendProblem(path);
  if (unsent !== null) return [place.mistake(`"${place.text}" cannot be sent to a machine: ${unsent}`)];
  const problem = firstLineProblem(files.firstLine(script));
  return problem === null ? [] : [place.mistake(`the first line of "${name}" ${problem}`)];
}

/** Why machines would run a program by the wrong interpreter, or by none; null if they would not. */
function firstLineProblem(line: string): string | null {
  if (line.startsWith(BYTE_ORDER_MARK))
    return "begins with a byte order mark, so machines would not run it by its interpreter: save the file as UTF-8 without BOM";
  if (line.startsWith("#!") && line.endsWith("\r\n"))
    return "ends in CR LF (Windows), so machines cannot run it: save the file with LF line endings";
  return null;
}

/** In UTF-8, as the first line of a file is read: byte by byte. */
const BYTE_ORDER_MARK = "\u00ef\u00bb\u00bf";

/** All files end up in one folder on the machine, so their base names must differ. */
function checkCompanions(program: Located, path: string | null, files: Files): Mistake[] {
  const taken = new Map<string, string>();
  if (path !== null && files.kind(path) === "file" && !isArchive(path)) taken.set(basename(path), "the program");
  if (path !== null && files.kind(path) === "folder")
    for (const name of files.names(path)) taken.set(name, "a file in the folder of the program");
  return (program.get("files")?.items() ?? []).flatMap((place) => {
    const file = resolve(place.dir, place.text ?? "");
    if (files.kind(file) === "missing") return [missing(place, file, "file", files)];
    const problem = sendProblem(file);
    if (problem !== null) return [place.mistake(`"${place.text}" cannot be sent to a machine: ${problem}`)];
    const other = taken.get(basename(file));
    taken.set(basename(file), `"${place.text}"`);
    return other === undefined
      ? []
      : [
          place.mistake(
            `"${place.text}" would have the same name on the machine as ${other}, "${basename(file)}": rename one`,
          ),
        ];
  });
}

function missing(place: Located, path: string, what: string, files: Files): Mistake {
  const name = basename(path);
  const others = files.names(dirname(path));
  const near =
    others.find((other) => extname(other) !== "" && basename(other, extname(other)) === name) ?? suggest(name, others);
  const written = place.text ?? "";
  const suggestion =
    near === null ? otherFolder(written, path, files) : written.replace(/\/+$/, "").slice(0, -name.length) + near;
  const from = place.source.title === "the plan" ? "the plan's folder" : "the level file's folder";
  const folder =
    near === null && others.length === 0 && files.kind(dirname(path)) === "missing"
      ? ", and neither does its folder"
      : "";
  return place.mistake(
    `${what} "${written}" does not exist${folder}${written.startsWith("/") ? "" : ` (looked in ${from})`}`,
    suggestion,
  );
}

/** The same name in a folder with nearly the same name, if there is one. */
function otherFolder(written: string, path: string, files: Files): string | null {
  const folder = dirname(path);
  const near = suggest(basename(folder), files.names(dirname(folder)));
  if (near === null || files.kind(join(dirname(folder), near, basename(path))) === "missing") return null;
  return join(dirname(dirname(written)), near, basename(path));
}

function needsSsh(draft: Draft, service: DraftService): boolean {
  if (service.cloud !== null) return driverOf(draft, service.cloud) !== "local";
  const references = templateReferences(keyOf(service, "host")?.text ?? "");
  // A host that is another service's machine uses the SSH settings of that service.
  return !references.some((reference) => {
    const owner =
      reference.kind === "service" ? draft.services.get(splitReplica(reference, draft.services).service) : undefined;
    return owner !== undefined && owner.level.index < service.level.index && !needsSsh(draft, owner);
  });
}

function driverOf(draft: Draft, cloud: string): string {
  return draft.clouds.get(cloud)?.get("driver")?.text ?? "local";
}

function checkIdentities(service: DraftService, files: Files, home: string): Mistake[] {
  const identity = sshEntries(service).get("identity");
  return (identity?.strings() ?? []).flatMap((place) => {
    const text = place.text ?? "";
    const kind = text.includes("${") ? "file" : files.kind(expandHome(text, place.dir, home));
    if (kind === "file") return [];
    return [
      place.mistake(
        `${kind === "folder" ? `SSH key "${text}" is a folder: name the private key file` : `SSH key "${text}" does not exist, but ${service.cloud === null ? "a host" : `cloud "${service.cloud}"`} is reached over SSH`}`,
      ),
    ];
  });
}
