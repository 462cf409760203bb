package speedscale.demo;

import java.io.IOException;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLException;

/**
 * Calls to the service that the shop depends on, over HTTP or TLS, with the JVM's default trust store: what
 * -Djavax.net.ssl.trustStore says holds, as for any Java program.
 *
 * <p>A dependency that is slow, gone or not trusted costs its callers at most the timeout, and no more than
 * {@link #AT_ONCE} of the server's threads; the rest is refused at once.
 */
final class Dependency {
  private static final int AT_ONCE = 8;
  private final URI base;
  private final Duration timeout;
  private final HttpClient client;
  private final Semaphore free = new Semaphore(AT_ONCE);

  Dependency(URI base, Duration timeout, ProxySelector proxies) {
    this.base = base;
    this.timeout = timeout;
    var builder = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(timeout);
    this.client = builder.proxy(proxies).build();
  }

  /**
   * Sends a JSON body; returns the answer. Refuses with 502, 503 or 504 where there is none. `baggage` is that of the
   * request which this call is for, passed on as W3C Baggage asks (OpenTelemetry does it for its users); may be empty.
   */
  Answer post(String path, Map<String, Object> body, String baggage) throws Answer.Refusal {
    var builder =
        HttpRequest.newBuilder(URI.create(base + path))
            .header("Content-Type", "application/json")
            .header("Accept", "application/json")
            .timeout(timeout)
            .POST(HttpRequest.BodyPublishers.ofString(Json.write(body)));
    if (!baggage.isEmpty()) {
      builder.header("baggage", baggage);
    }
    var request = builder.build();
    if (!free.tryAcquire()) {
      String message = "payments is slow, and " + AT_ONCE + " requests wait for it already; try again later";
      throw failed(503, "dependency_busy", message, "busy");
    }
    try {
      return exchange(request);
    } finally {
      free.release();
    }
  }

  private Answer exchange(HttpRequest request) throws Answer.Refusal {
    CompletableFuture<HttpResponse<String>> call = client.sendAsync(request, HttpResponse.BodyHandlers.ofString());
    try {
      // The client's own timeout ends with the head; this one holds for the body, too.
      var response = call.get(timeout.toMillis() + 100, TimeUnit.MILLISECONDS);
      return new Answer(response.statusCode(), Json.parse(response.body()));
    } catch (TimeoutException e) {
      call.cancel(true);
      throw late();
    } catch (ExecutionException e) {
      throw why(e.getCause());
    } catch (Json.Malformed e) {
      throw failed(502, "dependency_failed", "payments answered something that is not JSON", "malformed");
    } catch (InterruptedException e) {
      call.cancel(true);
      Thread.currentThread().interrupt();
      throw failed(503, "stopping", "this server is stopping", "stopping");
    }
  }

  private Answer.Refusal why(Throwable cause) {
    if (cause instanceof HttpTimeoutException) {
      return late();
    }
    for (Throwable at = cause; at != null; at = at.getCause()) {
      if (at instanceof SSLException) {
        String message = "no TLS with payments: is its CA in this JVM's trust store?";
        return failed(502, "dependency_not_trusted", message, at.getClass().getSimpleName());
      }
    }
    if (cause instanceof IOException) {
      return failed(502, "dependency_unreachable", "payments cannot be reached", cause.getClass().getSimpleName());
    }
    return failed(502, "dependency_failed", "the call to payments failed", cause.getClass().getSimpleName());
  }

  private Answer.Refusal late() {
    return failed(504, "dependency_timeout", "payments did not answer within " + timeout.toMillis() + " ms", "timeout");
  }

  private Answer.Refusal failed(int status, String reason, String message, String kind) {
    Log.event("dependency_failed", "reason", reason, "kind", kind);
    return new Answer.Refusal(status, reason, message);
  }
}
