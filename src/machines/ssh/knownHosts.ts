/** The known_hosts format of OpenSSH: see sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". */
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";

/** What the administrator of this computer knows. */
export const SYSTEM_FILE = "/etc/ssh/ssh_known_hosts";

export interface KnownKeys {
  /** Keys of the host as `type base64`. */
  readonly keys: string[];
  readonly revoked: string[];
  /** The host has a @cert-authority line; certificates are not supported, so such a line proves nothing. */
  readonly authorities: boolean;
}

/** What the files say of `address` (`host` or `[host]:port`). A file that does not exist says nothing. */
export async function readKnownHosts(files: readonly string[], address: string): Promise<KnownKeys> {
  const found = { keys: new Set<string>(), revoked: new Set<string>(), authorities: false };
  for (const file of files) {
    for (const line of (await readIfThere(file)).split("\n")) {
      const entry = parseLine(line);
      if (entry === null || !matches(entry.hosts, address)) continue;
      if (entry.marker === "@cert-authority") found.authorities = true;
      else (entry.marker === "@revoked" ? found.revoked : found.keys).add(entry.key);
    }
  }
  return { keys: [...found.keys], revoked: [...found.revoked], authorities: found.authorities };
}

interface Entry {
  readonly marker: "@cert-authority" | "@revoked" | null;
  readonly hosts: string;
  readonly key: string;
}

function parseLine(line: string): Entry | null {
  const words = line.trim().split(/[ \t]+/);
  if (words[0] === undefined || words[0] === "" || words[0].startsWith("#")) return null;
  const marked = words[0].startsWith("@") ? words.shift() : undefined;
  const [hosts, type, blob] = words;
  if (hosts === undefined || type === undefined || blob === undefined) return null;
  if (marked !== undefined && marked !== "@cert-authority" && marked !== "@revoked") return null;
  return { marker: marked ?? null, hosts, key: `${type} ${blob}` };
}

function matches(hosts: string, address: string): boolean {
  if (hosts.startsWith("|1|")) return matchesHash(hosts, address);
  const patterns = hosts.toLowerCase().split(",");
  const lower = address.toLowerCase();
  if (patterns.some((pattern) => pattern.startsWith("!") && wildcard(pattern.slice(1), lower))) return false;
  return patterns.some((pattern) => !pattern.startsWith("!") && wildcard(pattern, lower));
}

/** `|1|salt|HMAC-SHA1(salt, host)`. */
function matchesHash(hosts: string, address: string): boolean {
  const [, , salt = "", hash = ""] = hosts.split("|");
  return createHmac("sha1", Buffer.from(salt, "base64")).update(address.toLowerCase()).digest("base64") === hash;
}

function wildcard(pattern: string, text: string): boolean {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${source}$`).test(text);
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
