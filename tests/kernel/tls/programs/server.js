// An HTTPS server by Node's own OpenSSL: prints its port.   server.js <certificate>
const fs = require("node:fs");
const https = require("node:https");
const both = fs.readFileSync(process.argv[2]);

const server = https.createServer({ key: both, cert: both }, (request, answer) => {
  request.resume();
  request.on("end", () => {
    const body = Buffer.alloc(Number(request.url.slice(1)), "speedscale");
    answer.setHeader("Content-Length", body.length);
    answer.end(body);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
