/** Finds the name that was probably intended. */
import leven from "leven";

/**
 * The candidate that is most similar to `name`, or null. It may differ by one letter in a short name and by three in a
 * long one, in case, or in the order of its letters (`bd` for `db`).
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
  // A name that has no letter in common is no suggestion, however short.
  if (Math.abs(wanted.length - candidate.length) >= maxDistance || wanted.length > 100) return maxDistance;
  if (wanted === candidate) return 0;
  if (letters(wanted) === letters(candidate)) return 0.5;
  const distance = leven(wanted, candidate, { maxDistance });
  return distance < Math.max(wanted.length, candidate.length) ? distance : maxDistance;
}

function letters(text: string): string {
  return [...text].sort().join("");
}
