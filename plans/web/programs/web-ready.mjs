const { WEB, CLUSTER, BOOTLEVEL_SERVICE } = process.env;

try {
  const response = await fetch(`http://${WEB}/health`, { signal: AbortSignal.timeout(5000) });
  const answer = await response.json();
  if (response.status !== 200) throw new Error(`status ${response.status}: ${answer.error}`);
  if (answer.cluster !== CLUSTER) throw new Error(`it uses the database ${answer.cluster}, not ${CLUSTER}`);
  // Another server at the same address would be healthy too.
  const server = response.headers.get("x-served-by");
  if (server !== BOOTLEVEL_SERVICE) throw new Error(`${server} answered instead of ${BOOTLEVEL_SERVICE}`);
  console.log(`${WEB} is healthy and reaches its database`);
} catch (error) {
  console.error(`${WEB}: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
}
