import { plural } from "./stateNames.js";

/** `3 machines ended`, `2 hosts given back`, or both. */
export function endedWords(machines: readonly { readonly givenBack: boolean }[]): string {
  const hosts = machines.filter(({ givenBack }) => givenBack).length;
  const ended = machines.length - hosts;
  const back = `${plural(hosts, "host")} given back`;
  if (hosts === 0) return `${plural(ended, "machine")} ended`;
  return ended === 0 ? back : `${plural(ended, "machine")} ended, ${back}`;
}
