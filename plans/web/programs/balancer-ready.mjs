const { BALANCER, BACKEND_HOSTS } = process.env;
const expected = BACKEND_HOSTS.split(",").length;

try {
  const served = new Set();
  // Requests of other clients take turns too, and could take all turns of one backend. So this loop asks until each
  // backend has answered, for at most ten rounds.
  for (let request = 0; served.size < expected && request < 10 * expected; request += 1) {
    const response = await fetch(`http://${BALANCER}/health`, { signal: AbortSignal.timeout(5000) });
    const answer = await response.text();
    if (response.status !== 200) throw new Error(`status ${response.status}: ${answer.trim()}`);
    served.add(response.headers.get("x-served-by"));
  }
  if (served.size < expected) throw new Error(`only ${[...served].join(", ")} answered, expected ${expected} backends`);
  console.log(`${BALANCER} reaches ${[...served].sort().join(", ")}`);
} catch (error) {
  console.error(`${BALANCER}: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
}
