package speedscale.demo;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Routes, threads, and the way out, over the JDK's HTTP server.
 *
 * <p>Bounded: bodies, threads, waiting requests (beyond them the accepting thread works itself, so that new connections
 * wait in the kernel). Every request has one log line: method, route, status, milliseconds.
 */
final class Web {
  private static final int THREADS = 16;
  private static final int WAITING = 64;
  private static final int MAX_BODY_BYTES = 64 * 1024;
  private static final Pattern BAGGAGE = Pattern.compile("[\\x20-\\x7e]{1,8192}");
  private static final Set<String> METHODS = Set.of("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS");

  /** Answers a request; `ids` are the parts of the path that the route leaves open. */
  interface Handler {
    Answer handle(Request request) throws Answer.Refusal;
  }

  /** What a handler sees of a request. */
  record Request(List<String> ids, String query, String baggage, String body) {
    String id() {
      return ids.get(0);
    }
  }

  private record Route(String method, String path, Pattern pattern, Handler handler) {}

  private final HttpServer server;
  private final List<Route> routes = new ArrayList<>();
  private final AtomicInteger active = new AtomicInteger();
  private final ThreadPoolExecutor workers;
  private volatile boolean draining;

  Web(HttpServer server) {
    this.server = server;
    var waiting = new ArrayBlockingQueue<Runnable>(WAITING);
    var overflow = new ThreadPoolExecutor.CallerRunsPolicy();
    this.workers = new ThreadPoolExecutor(THREADS, THREADS, 30, TimeUnit.SECONDS, waiting, overflow);
    workers.allowCoreThreadTimeOut(true);
    server.setExecutor(workers);
    server.createContext("/", this::exchange);
    route("GET", "/healthz", request -> health());
  }

  /** Adds a route such as /api/orders/{id}. */
  void route(String method, String path, Handler handler) {
    var pattern = Pattern.compile(path.replaceAll("\\{[a-z]+}", "([A-Za-z0-9._~-]{1,64})"));
    routes.add(new Route(method, path, pattern, handler));
  }

  void start() {
    server.start();
  }

  int port() {
    return server.getAddress().getPort();
  }

  /**
   * Ends: unready at once, connections are told to go elsewhere for `grace` seconds, then what runs may end for `most`.
   *
   * @return how many requests were cut
   */
  int stop(int grace, int most) throws InterruptedException {
    draining = true;
    TimeUnit.SECONDS.sleep(grace);
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(most);
    while (active.get() > 0 && System.nanoTime() < deadline) {
      TimeUnit.MILLISECONDS.sleep(20);
    }
    int cut = active.get();
    server.stop(0);
    workers.shutdownNow();
    return cut;
  }

  private Answer health() {
    return draining
        ? new Answer(503, Json.object("status", "draining"))
        : Answer.ok(Json.object("status", "ok"));
  }

  private void exchange(HttpExchange exchange) throws IOException {
    active.incrementAndGet();
    long started = System.nanoTime();
    String route = "none";
    int status = 0;
    try (exchange) {
      Matched matched = match(exchange);
      route = matched.path;
      Answer answer = answer(matched, exchange);
      status = answer.status();
      send(exchange, answer);
    } catch (IOException e) {
      Log.event("connection_lost", "route", route, "kind", e.getClass().getSimpleName());
      throw e;
    } finally {
      active.decrementAndGet();
      if (!route.equals("/healthz")) {
        long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started);
        String method = METHODS.contains(exchange.getRequestMethod()) ? exchange.getRequestMethod() : "other";
        Log.event("request", "method", method, "route", route, "status", status, "ms", millis);
      }
    }
  }

  private record Matched(String path, Handler handler, List<String> ids, Answer otherwise) {}

  private Matched match(HttpExchange exchange) {
    String path = exchange.getRequestURI().getPath();
    String asked = exchange.getRequestMethod().equals("HEAD") ? "GET" : exchange.getRequestMethod();
    var allowed = new ArrayList<String>();
    String known = "none";
    for (Route route : routes) {
      Matcher found = route.pattern.matcher(path == null ? "" : path);
      if (found.matches() && route.method.equals(asked)) {
        var ids = new ArrayList<String>();
        for (int i = 1; i <= found.groupCount(); i++) {
          ids.add(found.group(i));
        }
        return new Matched(route.path, route.handler, ids, null);
      }
      if (found.matches()) {
        allowed.add(route.method);
        known = route.path;
      }
    }
    if (allowed.isEmpty()) {
      return new Matched("none", null, List.of(), error(404, "no_such_path", "no such path; see docs/demo.md"));
    }
    exchange.getResponseHeaders().set("Allow", String.join(", ", allowed));
    var refusal = error(405, "method_not_allowed", "this path takes " + String.join(", ", allowed));
    return new Matched(known, null, List.of(), refusal);
  }

  /** Returns what the caller wants passed on to whatever is called for it (W3C Baggage); empty where it may not be. */
  private static String baggage(HttpExchange exchange) {
    String found = String.join(",", exchange.getRequestHeaders().getOrDefault("Baggage", List.of()));
    return BAGGAGE.matcher(found).matches() ? found : "";
  }

  private static Answer answer(Matched matched, HttpExchange exchange) throws IOException {
    byte[] body = exchange.getRequestBody().readNBytes(MAX_BODY_BYTES + 1);
    if (body.length > MAX_BODY_BYTES) {
      return error(413, "too_large", "a body may have " + MAX_BODY_BYTES + " bytes");
    }
    if (matched.handler == null) {
      return matched.otherwise;
    }
    String query = exchange.getRequestURI().getQuery();
    var text = new String(body, StandardCharsets.UTF_8);
    var request = new Request(matched.ids, query == null ? "" : query, baggage(exchange), text);
    try {
      return matched.handler.handle(request);
    } catch (Answer.Refusal refusal) {
      return refusal.answer();
    } catch (RuntimeException e) {
      // Its message may hold what a customer sent.
      var place = e.getStackTrace().length > 0 ? e.getStackTrace()[0].toString() : "?";
      Log.event("handler_failed", "route", matched.path, "kind", e.getClass().getSimpleName(), "at", place);
      return error(500, "internal", "this is a defect of the demo; its log says where");
    }
  }

  private void send(HttpExchange exchange, Answer answer) throws IOException {
    var headers = exchange.getResponseHeaders();
    if (draining) {
      headers.set("Connection", "close");
    }
    if (answer.body() == null) {
      exchange.sendResponseHeaders(answer.status(), -1);
      return;
    }
    byte[] body = Json.write(answer.body()).getBytes(StandardCharsets.UTF_8);
    headers.set("Content-Type", "application/json");
    if (exchange.getRequestMethod().equals("HEAD")) {
      exchange.sendResponseHeaders(answer.status(), -1);
      return;
    }
    exchange.sendResponseHeaders(answer.status(), body.length);
    exchange.getResponseBody().write(body);
  }

  private static Answer error(int status, String reason, String message) {
    return new Answer(status, Json.object("reason", reason, "message", message));
  }
}
