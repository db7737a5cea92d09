/** Reads user data as cloud-init does: plain, gzip'd or in MIME parts; cloud-config and scripts. */
import { gunzipSync } from "node:zlib";

import { parse } from "yaml";

import { mergeConfig, mergingOf } from "./mergeConfig.js";

/** What a machine makes of its user data at its first boot. */
export interface FirstBoot {
  /** Files below /etc/ssh. */
  readonly hostKeys: Readonly<Record<string, string>>;
  readonly authorizedKeys: readonly string[];
  /** Shell text for the time before sshd starts: bootcmd and write_files. */
  readonly early: string;
  /** What runs when sshd does, in this order, by name. */
  readonly scripts: Readonly<Record<string, string>>;
}

interface Part {
  readonly type: string;
  readonly text: string;
  /** How it is merged with the parts before, if its head says so. */
  readonly merging: string | null;
}

type Config = Readonly<Record<string, unknown>>;

/** @param data as EC2 gives it, decoded. @throws when it is nothing that cloud-init would read. */
export function readUserData(data: Buffer): FirstBoot {
  let config: Config = {};
  const scripts: Record<string, string> = {};
  for (const [index, { type, text, merging }] of partsOf(unzipped(data).toString()).entries()) {
    if (type === "text/cloud-config") {
      const own = (parse(text) ?? {}) as Config;
      config = mergeConfig(config, own, mergingOf(merging ?? own["merge_how"] ?? own["merge_type"])) as Config;
    } else if (type === "text/x-shellscript") {
      scripts[`part-${String(index + 1).padStart(3, "0")}`] = text;
    } else if (text.trim() !== "") {
      throw new Error(`user data of type ${type} is nothing that a machine of the lab reads`);
    }
  }
  const commands = linesOf(config["runcmd"]);
  if (commands !== "") scripts["runcmd"] = `#!/bin/sh\n${commands}`;
  const written = ((config["write_files"] ?? []) as WrittenFile[]).map(writing).join("");
  return {
    hostKeys: hostKeysOf(config),
    authorizedKeys: (config["ssh_authorized_keys"] ?? []) as string[],
    early: linesOf(config["bootcmd"]) + written,
    scripts,
  };
}

function unzipped(data: Buffer): Buffer {
  return data[0] === 0x1f && data[1] === 0x8b ? gunzipSync(data) : data;
}

function partsOf(text: string): Part[] {
  const head = /^([\s\S]*?)\r?\n\r?\n/.exec(text)?.[1] ?? "";
  const boundary = /^content-type:\s*multipart\/[^]*?boundary="?([^";\r\n]+)/im.exec(head)?.[1];
  if (boundary === undefined) return [{ type: typeOf(text), text, merging: null }];
  const pieces = text
    .split(new RegExp(`\\r?\\n--${boundary.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?:--)?[ \\t]*\\r?\\n?`))
    .slice(1);
  return pieces.filter((piece) => piece.trim() !== "").flatMap(partOf);
}

function partOf(piece: string): Part[] {
  const [whole, head = ""] = /^([\s\S]*?)\r?\n\r?\n/.exec(piece) ?? ["", ""];
  if (/^content-type:\s*multipart\//im.test(head)) return partsOf(piece);
  const body = piece.slice(whole.length);
  const isEncoded = /^content-transfer-encoding:\s*base64/im.test(head);
  const text = isEncoded ? unzipped(Buffer.from(body, "base64")).toString() : body;
  const said = /^content-type:\s*([^;\s]+)/im.exec(head)?.[1]?.toLowerCase();
  const merging = /^(?:x-)?merge-type:\s*(.+)$/im.exec(head)?.[1]?.trim() ?? null;
  return [
    {
      type: said === undefined || said === "text/plain" || said.startsWith("application/") ? typeOf(text) : said,
      text,
      merging,
    },
  ];
}

function typeOf(text: string): string {
  if (text.startsWith("#cloud-config")) return "text/cloud-config";
  return text.startsWith("#!") ? "text/x-shellscript" : "text/plain";
}

function hostKeysOf(config: Config): Record<string, string> {
  const files: Record<string, string> = {};
  for (const [name, text] of Object.entries((config["ssh_keys"] ?? {}) as Record<string, string>)) {
    const [, kind = "", half] = /^(rsa|ecdsa|ed25519)_(private|public|certificate)$/.exec(name) ?? [];
    if (half === "private") files[`ssh_host_${kind}_key`] = text;
    if (half === "public") files[`ssh_host_${kind}_key.pub`] = text;
  }
  return files;
}

const quoted = (word: unknown): string => `'${String(word).replaceAll("'", "'\\''")}'`;

/** Commands as lines of a script: a text is a line, a list is words. */
function linesOf(commands: unknown): string {
  return ((commands ?? []) as (string | readonly unknown[])[])
    .map((command) => `${typeof command === "string" ? command : command.map(quoted).join(" ")}\n`)
    .join("");
}

interface WrittenFile {
  readonly path: string;
  readonly content?: string;
  readonly encoding?: string;
  readonly permissions?: string;
  readonly owner?: string;
  readonly append?: boolean;
}

function writing({
  path,
  content = "",
  encoding = "",
  permissions = "0644",
  owner = "root:root",
  append = false,
}: WrittenFile): string {
  const isEncoded = /b64|base64/.test(encoding);
  const bytes = isEncoded ? Buffer.from(content, "base64") : Buffer.from(content);
  const data = /^gz/.test(encoding) ? gunzipSync(bytes) : bytes;
  return [
    `mkdir -p "$(dirname ${quoted(path)})"`,
    `echo ${data.toString("base64")} | base64 -d ${append ? ">>" : ">"} ${quoted(path)}`,
    `chmod ${quoted(permissions)} ${quoted(path)}`,
    `chown ${quoted(owner)} ${quoted(path)}`,
    "",
  ].join("\n");
}
