/** Finds the name that was probably meant. */
import leven from "leven";

/**
 * The candidate that is nearest to `name`, or null if none is near: one letter off in a short name, three in a long
 * one, other case, or the same letters in another order (`bd` for `db`).
 */
export function suggest(name: string, candidates: Iterable<string>): string | null {
  const allowed = name.length <= 3 ? 1 : name.length <= 6 ? 2 : 3;
  const wanted = name.toLowerCase();
  let best: string | null = null;
  let bestDistance = allowed + 1;
  for (const candidate of candidates) {
    const distance = distanceOf(wanted, candidate.toLowerCase(), allowed + 1);
    if (distance < bestDistance && candidate !== name) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function distanceOf(wanted: string, candidate: string, maxDistance: number): number {
  // A name that is all different letters is no suggestion, however short.
  if (Math.abs(wanted.length - candidate.length) >= maxDistance || wanted.length > 100) return maxDistance;
  if (wanted === candidate) return 0;
  if (letters(wanted) === letters(candidate)) return 0.5;
  const distance = leven(wanted, candidate, { maxDistance });
  return distance < Math.max(wanted.length, candidate.length) ? distance : maxDistance;
}

function letters(text: string): string {
  return [...text].sort().join("");
}
