/**
 * Stores an item through one web server, reads it through the others, and checks that visits are counted in one place.
 */
const { SHOP, GREETING } = process.env;

try {
  const item = { name: "teapot", checked: Date.now() };
  await ask("/items/teapot", { method: "PUT", body: JSON.stringify(item) });
  const readers = new Set();
  for (let request = 0; request < 3; request += 1) {
    const { value, server } = await ask("/items/teapot");
    if (value.checked !== item.checked) throw new Error(`${server} returned an old item: ${JSON.stringify(value)}`);
    readers.add(server);
  }
  const first = await ask("/");
  const second = await ask("/");
  if (first.value.greeting !== GREETING)
    throw new Error(`the greeting is "${first.value.greeting}", expected "${GREETING}"`);
  if (second.value.visits <= first.value.visits)
    throw new Error(`visits went from ${first.value.visits} to ${second.value.visits}`);
  console.log(
    `${SHOP} works: stored an item, read it through ${[...readers].sort().join(", ")}, visit ${second.value.visits}`,
  );
} catch (error) {
  console.error(`${SHOP}: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
}

async function ask(path, options = {}) {
  const response = await fetch(`${SHOP}${path}`, { ...options, signal: AbortSignal.timeout(5000) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${options.method ?? "GET"} ${path}: status ${response.status}: ${text.trim()}`);
  return { value: JSON.parse(text), server: response.headers.get("x-served-by") };
}
