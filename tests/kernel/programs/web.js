// An HTTP server and client in Node; arguments: `serve` and a port, or `ask` and a URL.
const http = require("http");
const [how, where] = process.argv.slice(2);
if (how === "serve") {
  http
    .createServer((request, response) => {
      const size = Number(request.url.split("/").pop());
      response.end(Buffer.from(Array.from({ length: size }, (_, i) => i % 251)));
    })
    .listen(Number(where), "127.0.0.1");
} else {
  http.get(where, (response) => response.resume());
}
