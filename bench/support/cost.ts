/** The cost of work in this process. */

export interface Cost<T> {
  readonly result: T;
  readonly wallMs: number;
  /** User and system CPU time, in milliseconds. */
  readonly cpuMs: number;
}

/** User and system CPU time of this process so far, in milliseconds. */
export function cpuNow(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

export async function cost<T>(work: () => Promise<T>): Promise<Cost<T>> {
  const [cpu, wall] = [cpuNow(), performance.now()];
  const result = await work();
  return { result, wallMs: performance.now() - wall, cpuMs: cpuNow() - cpu };
}
