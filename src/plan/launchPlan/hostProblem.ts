/** Addresses that no connection can be made to as they are written. */

/** What is wrong with an address of a machine, and how to write it; null if nothing is. */
export function hostProblem(host: string): string | null {
  const [, scheme, rest = ""] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(.*)$/.exec(host) ?? [];
  if (scheme !== undefined) return `"${host}" is a URL: write the address alone, ${JSON.stringify(rest)}`;
  const [, user, address = ""] = /^([^@]*)@(.*)$/.exec(host) ?? [];
  if (user !== undefined) return `"${host}" has a user in it: write "${address}", and the user under its own key, user`;
  const [, inside, , after] = /^\[([^\]]*)\](:(.*))?$/.exec(host) ?? [];
  if (inside !== undefined)
    return after === undefined ? `"${host}" has brackets: write "${inside}"` : port(host, inside);
  const [, name] = /^([^:]*):[^:]*$/.exec(host) ?? [];
  if (name !== undefined) return port(host, name);
  if (host.startsWith("-")) return `"${host}" is no address: it begins with a hyphen`;
  if (host.includes("/")) return `"${host}" is no address: it has a slash in it`;
  return /\s/.test(host) ? `"${host}" is no address: it has a blank in it` : null;
}

function port(host: string, address: string): string {
  return `"${host}" has a port in it: write "${address}", and the port under its own key, port`;
}
