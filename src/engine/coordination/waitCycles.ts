/**
 * Finds cycles in the graph of waits. A cycle is a deadlock unless a service in it makes progress in another program.
 */

/** An edge of the wait graph: the wait for `to`, described by `why`. */
export interface Edge {
  readonly to: string;
  /** `server.port`, `level "web"` */
  readonly why: string;
}

export type WaitCycle = readonly (Edge & { readonly from: string })[];

/**
 * Finds the shortest path from a node back to itself; null without one.
 * @param first the edges that start the path
 * @param edgesOf the edges of any other node
 */
export function cycleThrough(
  start: string,
  first: readonly Edge[],
  edgesOf: (node: string) => readonly Edge[],
): WaitCycle | null {
  const reached = new Map<string, Edge & { readonly from: string }>();
  let front = [start];
  while (front.length > 0) {
    const next: string[] = [];
    for (const from of front) {
      for (const edge of from === start ? first : edgesOf(from)) {
        if (edge.to === start) return pathTo(reached, { ...edge, from }, start);
        if (reached.has(edge.to)) continue;
        reached.set(edge.to, { ...edge, from });
        next.push(edge.to);
      }
    }
    front = next;
  }
  return null;
}

/** How many edges of a cycle are shown. */
const MOST_NAMED = 12;

/** `client waits for server.port, server waits for client.ready` */
export function describeCycle(circle: WaitCycle): string {
  const named = circle.slice(0, MOST_NAMED).map(({ from, why }) => `${from} waits for ${why}`);
  return circle.length > MOST_NAMED ? `${named.join(", ")} and ${circle.length - MOST_NAMED} more` : named.join(", ");
}

function pathTo(
  reached: ReadonlyMap<string, Edge & { readonly from: string }>,
  last: Edge & { readonly from: string },
  start: string,
): WaitCycle {
  const path = [last];
  for (let at = last.from; at !== start;) {
    const edge = reached.get(at);
    if (edge === undefined) break;
    path.unshift(edge);
    at = edge.from;
  }
  return path;
}
