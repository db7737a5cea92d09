/** How work grows with its size: a ratio, so that neither the computer's speed nor what else it does decides. */

const ROUNDS = 7;

/**
 * How many times as long ten times the size takes, per piece of it: about 1 for work that is linear, about 10 for work
 * that is quadratic. The process's own time is taken, in turns of both sizes, each round doing the small work ten
 * times; the median of the rounds counts.
 */
export async function growth(work: (size: number) => unknown, size: number): Promise<number> {
  const small = async () => {
    for (let piece = 0; piece < 10; piece += 1) await work(size);
  };
  const big = async () => {
    await work(size * 10);
  };
  for (const warmUp of [small, big]) await warmUp();
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = await spent(small);
    ratios.push((await spent(big)) / Math.max(1, before));
  }
  return ratios.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] as number;
}

/** What the work took of this process, in microseconds. */
async function spent(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
