const { BALANCER, BACKEND_HOSTS } = process.env;
const expected = BACKEND_HOSTS.split(",").length;

try {
  const served = new Set();
  // Another client's requests take turns as well, and one in step with these could take all of a backend's: so until
  // each has answered, ten rounds at most.
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
