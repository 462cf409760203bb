package speedscale.demo;

import java.io.IOException;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The demo's client: customers of the shop, one after the other, at a low rate. Settings: docs/demo.md.
 *
 * <p>Ends after ROUNDS, or when asked by SIGTERM or SIGINT; its last line is JSON with what it counted. Exit codes: 0
 * every answer was right, 1 one was not or did not come, 2 settings that are wrong.
 */
public final class Client {
  private static final Duration TIMEOUT = Duration.ofSeconds(15);
  private static final long MOST_PAUSE_MS = 10_000;

  private final HttpClient http;
  private final URI server;
  private final long pauseNanos;
  private final CountDownLatch stop;
  private final Map<String, Long> answers = new TreeMap<>();
  private final Map<String, Long> failures = new TreeMap<>();
  private long rounds;
  private long requests;
  private long unexpected;
  private long failedInARow;
  private long due = System.nanoTime();

  private Client(URI server, int perMinute, ProxySelector proxies, CountDownLatch stop) {
    var http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(TIMEOUT);
    this.http = http.proxy(proxies).build();
    this.server = server;
    this.pauseNanos = TimeUnit.MINUTES.toNanos(1) / perMinute;
    this.stop = stop;
  }

  /** Visits until the rounds are done or a signal comes. */
  public static void main(String[] arguments) throws InterruptedException {
    var environment = new Environment(System.getenv());
    URI server = environment.url("SERVER_URL");
    if (server == null) {
      environment.refuse("SERVER_URL: missing; for instance http://java-server:8080");
    }
    int seed = environment.number("SEED", 1, 0, Integer.MAX_VALUE);
    int rounds = environment.number("ROUNDS", 0, 0, Integer.MAX_VALUE);
    int report = environment.number("REPORT_ROUNDS", 10, 1, Integer.MAX_VALUE);
    int perMinute = environment.number("REQUESTS_PER_MINUTE", 120, 1, 60_000);
    var proxies = Proxies.of(environment);
    environment.exitIfWrong();

    var stop = new CountDownLatch(1);
    var stopped = new CountDownLatch(1);
    var client = new Client(server, perMinute, proxies, stop);
    int[] code = {1};
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      stop.countDown();
      awaitQuietly(stopped);
      Runtime.getRuntime().halt(code[0]);
    }, "stop"));
    String address = server.getScheme() + "://" + server.getAuthority();
    Log.event("visiting", "server", address, "seed", seed, "rounds", rounds, "per_minute", perMinute);
    try {
      client.visit(seed, rounds, report);
      code[0] = client.unexpected == 0 && client.failures.isEmpty() ? 0 : 1;
    } finally {
      stopped.countDown();
    }
    System.exit(code[0]);
  }

  private static void awaitQuietly(CountDownLatch stopped) {
    try {
      stopped.await(5, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void visit(long seed, long most, long report) throws InterruptedException {
    while ((most == 0 || rounds < most) && round(new Round(seed, rounds))) {
      rounds++;
      if (rounds % report == 0) {
        Log.event("counts", "rounds", rounds, "requests", requests, "unexpected", unexpected, "failed", total(failures));
      }
    }
    var counts =
        Json.object(
            "rounds", rounds,
            "requests", requests,
            "unexpected", unexpected,
            "answers", answers,
            "failures", failures);
    System.out.println(Json.write(counts));
  }

  /** Makes one visit; returns false when asked to end. What a failed request leaves undone is not tried. */
  private boolean round(Round round) throws InterruptedException {
    for (Round.Step step : round.steps()) {
      if (!paused()) {
        return false;
      }
      if (!sent(step)) {
        return paused(Math.min(MOST_PAUSE_MS, 200L << Math.min(failedInARow, 10)));
      }
    }
    return true;
  }

  private boolean sent(Round.Step step) throws InterruptedException {
    var request = HttpRequest.newBuilder(URI.create(server + step.path())).timeout(TIMEOUT);
    request.header("Accept", "application/json");
    if (step.body() == null) {
      request.method(step.method(), HttpRequest.BodyPublishers.noBody());
    } else {
      request.header("Content-Type", "application/json");
      request.method(step.method(), HttpRequest.BodyPublishers.ofString(Json.write(step.body())));
    }
    requests++;
    try {
      var response = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
      failedInARow = 0;
      answers.merge(Integer.toString(response.statusCode()), 1L, Long::sum);
      if (!isRight(step, response)) {
        unexpected++;
        String path = step.path().split("\\?")[0];
        int status = response.statusCode();
        Log.event("unexpected", "method", step.method(), "path", path, "status", status, "expected", step.right());
      }
      return true;
    } catch (IOException e) {
      failedInARow++;
      failures.merge(e.getClass().getSimpleName(), 1L, Long::sum);
      Log.event("request_failed", "method", step.method(), "kind", e.getClass().getSimpleName());
      return false;
    }
  }

  /** Returns whether status and form are right; an answer that is cut off is not JSON. */
  private static boolean isRight(Round.Step step, HttpResponse<String> response) {
    if (!step.right().contains(response.statusCode())) {
      return false;
    }
    try {
      return response.body().isEmpty() == (response.statusCode() == 204)
          && (response.statusCode() == 204 || Json.parse(response.body()) instanceof Map<?, ?>);
    } catch (Json.Malformed e) {
      return false;
    }
  }

  /** Waits until the next request is due; a late one does not make the following ones come faster. */
  private boolean paused() throws InterruptedException {
    due = Math.max(due + pauseNanos, System.nanoTime());
    return paused(TimeUnit.NANOSECONDS.toMillis(due - System.nanoTime()));
  }

  private boolean paused(long millis) throws InterruptedException {
    return !stop.await(Math.max(0, millis), TimeUnit.MILLISECONDS);
  }

  private static long total(Map<String, Long> counts) {
    return counts.values().stream().mapToLong(Long::longValue).sum();
  }
}
