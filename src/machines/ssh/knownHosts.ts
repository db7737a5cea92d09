/** The known_hosts format of OpenSSH: see sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". */
import { createHmac } from "node:crypto";
import { cachedFile } from "./fileCache.js";

/** The system-wide file of this computer's administrator. */
export const SYSTEM_FILE = "/etc/ssh/ssh_known_hosts";

export interface KnownKeys {
  /** Keys of the host as `type base64`. */
  readonly keys: string[];
  readonly revoked: string[];
  /** The host has a @cert-authority line. Certificates are not supported, so the line is ignored. */
  readonly authorities: boolean;
}

/** Looks up `address` (`host` or `[host]:port`) in the files. A missing file is empty. */
export async function readKnownHosts(files: readonly string[], address: string): Promise<KnownKeys> {
  const found = { keys: new Set<string>(), revoked: new Set<string>(), authorities: false };
  for (const file of files) {
    const { named, others } = await entriesIfThere(file);
    for (const entry of [...(named.get(address.toLowerCase()) ?? []), ...others]) {
      if (!matches(entry.hosts, address)) continue;
      if (entry.marker === "@cert-authority") found.authorities = true;
      else (entry.marker === "@revoked" ? found.revoked : found.keys).add(entry.key);
    }
  }
  return { keys: [...found.keys], revoked: [...found.revoked], authorities: found.authorities };
}

/** A parsed file, shared by all machines: parsing it for each would take time quadratic in their number. */
interface Entries {
  /** Lines that only list names, by each name in lower case. */
  readonly named: ReadonlyMap<string, readonly Entry[]>;
  /** Lines with patterns or hashes, which have to be matched. */
  readonly others: readonly Entry[];
}

const NOTHING: Entries = { named: new Map(), others: [] };

const entriesOf = cachedFile((content) => parse(content.toString("utf8")));

function parse(text: string): Entries {
  const named = new Map<string, Entry[]>();
  const others: Entry[] = [];
  for (const entry of text.split("\n").map(parseLine)) {
    if (entry === null) continue;
    if (/[*?!|]/.test(entry.hosts)) others.push(entry);
    else
      for (const name of new Set(entry.hosts.toLowerCase().split(",")))
        named.set(name, [...(named.get(name) ?? []), entry]);
  }
  return { named, others };
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
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`).test(text);
}

async function entriesIfThere(file: string): Promise<Entries> {
  try {
    return await entriesOf(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return NOTHING;
    throw error;
  }
}
