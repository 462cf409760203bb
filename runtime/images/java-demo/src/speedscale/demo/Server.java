package speedscale.demo;

import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;

/**
 * The demo's server: a small shop, or with ROLE=payments what the shop depends on. Settings: docs/demo.md.
 *
 * <p>Exit codes: 0 asked to end, 2 settings or files that are wrong.
 */
public final class Server {
  private static final int MOST_DRAIN_SECONDS = 10;

  private Server() {}

  /** Serves until SIGTERM or SIGINT. */
  public static void main(String[] arguments) throws InterruptedException {
    // Slow senders and readers do not hold a thread for ever; small answers are not held back for 40 ms.
    System.setProperty("sun.net.httpserver.maxReqTime", "30");
    System.setProperty("sun.net.httpserver.maxRspTime", "30");
    System.setProperty("sun.net.httpserver.nodelay", "true");
    var environment = new Environment(System.getenv());
    String role = environment.choice("ROLE", "shop", "payments");
    int port = environment.number("PORT", 8080, 0, 65535);
    int grace = environment.number("DRAIN_SECONDS", 3, 0, 60);
    int delay = environment.number("DELAY_MS", 0, 0, 60_000);
    var timeout = Duration.ofMillis(environment.number("DEPENDENCY_TIMEOUT_MS", 5000, 50, 60_000));
    var url = environment.url("DEPENDENCY_URL");
    var proxies = Proxies.of(environment);
    String chain = environment.text("TLS_CERT_FILE", "");
    String key = environment.text("TLS_KEY_FILE", "");
    if (chain.isEmpty() != key.isEmpty()) {
      environment.refuse("TLS_CERT_FILE and TLS_KEY_FILE: set both or neither");
    }
    environment.exitIfWrong();

    var web = new Web(listen(port, chain, key));
    if (role.equals("payments")) {
      new Payments(delay).routes(web);
    } else {
      new Shop(url == null ? null : new Dependency(url, timeout, proxies)).routes(web);
    }
    var ended = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(web, grace, ended), "stop"));
    web.start();
    String dependency = url == null ? "none" : url.getScheme() + "://" + url.getAuthority();
    Log.event("listening", "role", role, "port", web.port(), "tls", !chain.isEmpty(), "dependency", dependency);
    ended.await();
  }

  private static HttpServer listen(int port, String chain, String key) {
    var address = new InetSocketAddress(port);
    try {
      if (chain.isEmpty()) {
        return HttpServer.create(address, 0);
      }
      var server = HttpsServer.create(address, 0);
      server.setHttpsConfigurator(new HttpsConfigurator(Tls.context(Path.of(chain), Path.of(key))));
      return server;
    } catch (IOException | GeneralSecurityException e) {
      Log.event("cannot_listen", "port", port, "reason", e.toString());
      System.exit(2);
      throw new IllegalStateException(e);
    }
  }

  private static void stop(Web web, int grace, CountDownLatch ended) {
    Log.event("stopping", "grace_seconds", grace);
    try {
      Log.event("stopped", "cut", web.stop(grace, MOST_DRAIN_SECONDS));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    ended.countDown();
    // A JVM that ends by a signal has 143 for its code; nothing went wrong here.
    Runtime.getRuntime().halt(0);
  }
}
