// An HTTPS client by Node's own OpenSSL: waits for a line, then asks on so many connections at once.
//   client.js <port> <connections> <size>...
const https = require("node:https");
const [port, connections, ...sizes] = process.argv.slice(2).map(Number);

function ask(agent, size) {
  return new Promise((done, failed) => {
    const options = { port, agent, method: "POST", path: `/${size}`, rejectUnauthorized: false, host: "127.0.0.1" };
    const body = Buffer.alloc(size, "speedscale");
    options.headers = { "Content-Length": body.length };
    const request = https.request(options, (answer) => {
      let length = 0;
      answer.on("data", (data) => (length += data.length));
      answer.on("end", () => (length === size ? done() : failed(new Error(`${length} bytes in place of ${size}`))));
    });
    request.on("error", failed);
    request.end(body);
  });
}

async function talk() {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  for (const size of sizes) await ask(agent, size);
  agent.destroy();
}

process.stdin.once("data", async () => {
  await Promise.all(Array.from({ length: connections }, talk));
  process.exit(0);
});
console.log("ready");
