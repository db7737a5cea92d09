/** The SSH settings of a service's machine: the plan's, then the driver's defaults, then bootlevel's. */
import { userName } from "../../model/environment.js";
import type { DriverDefinition, HostKeyPolicy } from "../../drivers/contract/driver.js";
import { type DraftService } from "../draft/draft.js";
import { sshEntries } from "../draft/sshEntries.js";
import { durationMs } from "../../time/duration.js";
import { expandHome } from "../draft/files.js";
import type { SshSpec } from "../launchPlan/launchPlan.js";
import type { Located } from "../yaml/located.js";

/** For drivers without defaults: the machine existed before, so its host key is known and it is up. */
const DEFAULTS: DriverDefinition["sshDefaults"] = { hostKeys: "known-hosts", connectTimeoutMs: 30_000 };
const KEEPALIVE_MS = 15_000;
const CLOUD_INIT_TIMEOUT_MS = 600_000;
const POLICIES: readonly string[] = ["known-hosts", "accept-new", "injected", "console"] satisfies HostKeyPolicy[];

function isPolicy(text: string | null): text is HostKeyPolicy {
  return text !== null && POLICIES.includes(text);
}

/** @param home the operator's home directory. */
export function compileSsh(service: DraftService, driver: DriverDefinition | undefined, home: string): SshSpec {
  const ssh = sshEntries(service);
  const defaults = driver?.sshDefaults ?? DEFAULTS;
  const text = (key: string): string | null => ssh.get(key)?.text ?? null;
  const time = (key: string, otherwise: number): number =>
    text(key) === null ? otherwise : durationMs(text(key) ?? "");
  const user = text("user") ?? userName();
  const hostKeys = text("host_keys");
  const cloudInit = text("cloud_init");
  const knownHosts = ssh.get("known_hosts");
  return {
    user,
    port: Number(ssh.get("port")?.value ?? 22),
    identities: (ssh.get("identity")?.strings() ?? []).map((place) => expandHome(place.text ?? "", place.dir, home)),
    passphraseEnv: text("passphrase_env"),
    agent: ssh.get("agent")?.value !== false,
    jump: jumpOf(ssh.get("jump"), user),
    ...proxyOf(ssh.get("proxy_command")),
    hostKeys: isPolicy(hostKeys) ? hostKeys : defaults.hostKeys,
    knownHosts: expandHome(knownHosts?.text ?? "~/.ssh/known_hosts", knownHosts?.dir ?? "/", home),
    cloudInit: cloudInit === "wait" || cloudInit === "ignore" ? cloudInit : (defaults.cloudInit ?? "ignore"),
    cloudInitTimeoutMs: time("cloud_init_timeout", CLOUD_INIT_TIMEOUT_MS),
    connectTimeoutMs: time("connect_timeout", defaults.connectTimeoutMs),
    keepaliveMs: time("keepalive", KEEPALIVE_MS),
  };
}

/** Without one the key is missing, so that plans of before are equal to what they were. */
function proxyOf(proxy: Located | undefined): Pick<SshSpec, "proxyCommand"> {
  if (proxy === undefined) return {};
  const words = proxy.strings().map((word) => word.text ?? "");
  return { proxyCommand: typeof proxy.value === "string" ? (words[0] ?? "").trim().split(/\s+/) : words };
}

function jumpOf(jump: Located | undefined, user: string): SshSpec["jump"] {
  if (jump === undefined) return null;
  if (typeof jump.value !== "string") {
    return {
      host: jump.get("host")?.text ?? "",
      user: jump.get("user")?.text ?? user,
      port: Number(jump.get("port")?.value ?? 22),
    };
  }
  const [, name, host = "", port] = /^(?:([^@]+)@)?(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(jump.value) ?? [];
  return { host: host.replace(/^\[|\]$/g, ""), user: name ?? user, port: Number(port ?? 22) };
}
