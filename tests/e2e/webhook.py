"""A small admission webhook that runs in a pod, with the standard library alone: labels what it sees, or refuses it."""

import base64
import http.server
import json
import ssl


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers AdmissionReviews."""

    def do_POST(self) -> None:
        """Label what is created, refuse what asks for it."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        patch = [{"op": "add", "path": "/metadata/labels", "value": {"seen-by": "webhook"}}]
        answer = {"uid": request["uid"], "allowed": "refuse" not in request["object"].get("data", {})}
        if answer["allowed"]:
            answer |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
        else:
            answer["status"] = {"message": "refused by the webhook"}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}
        body = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/given/tls.crt", "/given/tls.key")
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 8443), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
