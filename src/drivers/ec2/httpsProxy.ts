/** Reaches the API through an HTTP proxy, as HTTPS_PROXY and NO_PROXY say. Node 20 has no agent that does. */
import { request, type IncomingMessage } from "node:http";
import { Agent } from "node:https";
import type { Duplex } from "node:stream";
import { connect } from "node:tls";

import type { Environment } from "../../model/environment.js";

/** The proxy for a host, or null: none is set, or NO_PROXY excludes the host. Small letters win, as with curl. */
export function proxyFor(host: string, env: Environment): URL | null {
  const read = (name: string): string => env[name.toLowerCase()] || env[name] || "";
  const proxy = read("HTTPS_PROXY");
  if (proxy === "" || isExcluded(host, read("NO_PROXY"))) return null;
  return new URL(/^[a-z]+:\/\//i.test(proxy) ? proxy : `http://${proxy}`);
}

/** NO_PROXY: names and addresses, separated by commas. A name covers what ends in it; `*` covers everything. */
function isExcluded(host: string, list: string): boolean {
  return list.split(/[\s,]+/).some((entry) => {
    const name = entry
      .replace(/:\d+$/, "")
      .replace(/^\*?\./, "")
      .toLowerCase();
    if (entry === "*") return true;
    return name !== "" && (host.toLowerCase() === name || host.toLowerCase().endsWith(`.${name}`));
  });
}

/** Opens each connection by CONNECT. Hosts that NO_PROXY excludes are connected to directly. */
export class ProxyAgent extends Agent {
  constructor(private readonly env: Environment) {
    super({ keepAlive: true });
  }

  override createConnection(
    options: { readonly host?: string | null; readonly port?: string | number | null; readonly servername?: string },
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const { host, port } = { host: options.host ?? "", port: options.port ?? 443 };
    const proxy = proxyFor(host, this.env);
    if (proxy === null) return super.createConnection(options, callback);
    const fail = (error: Error): void => {
      const explained = new Error(`HTTPS_PROXY ${proxy.host}: ${error.message}`, { cause: error });
      callback?.(Object.assign(explained, { code: "ECONNREFUSED" }), undefined as unknown as Duplex);
    };
    const target = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    const asked = request({
      host: proxy.hostname.replace(/^\[|\]$/g, ""),
      port: proxy.port || 80,
      method: "CONNECT",
      path: target,
      agent: false,
      headers: { host: target, ...authorization(proxy) },
    });
    asked.once("error", fail);
    asked.once("connect", (answer: IncomingMessage, socket) => {
      if (answer.statusCode === 200) {
        callback?.(null, connect({ ...(options as object), socket, servername: options.servername || host }));
        return;
      }
      socket.destroy();
      fail(new Error(`it refuses a connection to ${target} (HTTP status ${answer.statusCode ?? 0})`));
    });
    asked.end();
    return undefined;
  }
}

function authorization({ username, password }: URL): Record<string, string> {
  if (username === "") return {};
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(text).toString("base64")}` };
}
