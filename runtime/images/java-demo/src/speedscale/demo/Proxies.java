package speedscale.demo;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.util.Arrays;
import java.util.List;

/**
 * HTTP_PROXY, HTTPS_PROXY and NO_PROXY for the JDK's client, which knows only system properties.
 *
 * <p>Where neither variable is set, the JDK's own selector decides, so that -Dhttps.proxyHost works too.
 */
final class Proxies extends ProxySelector {
  private final InetSocketAddress http;
  private final InetSocketAddress https;
  private final List<String> none;

  private Proxies(InetSocketAddress http, InetSocketAddress https, List<String> none) {
    this.http = http;
    this.https = https;
    this.none = none;
  }

  /** Returns the selector that the variables ask for. */
  static ProxySelector of(Environment environment) {
    var http = address(environment, "HTTP_PROXY");
    var https = address(environment, "HTTPS_PROXY");
    if (http == null && https == null) {
      return ProxySelector.getDefault();
    }
    var none = environment.text("NO_PROXY", "").toLowerCase().split("[,\\s]+");
    return new Proxies(http, https, Arrays.stream(none).filter(name -> !name.isEmpty()).toList());
  }

  private static InetSocketAddress address(Environment environment, String name) {
    URI url = environment.url(name);
    if (url == null) {
      return null;
    }
    return InetSocketAddress.createUnresolved(url.getHost(), url.getPort() < 0 ? 80 : url.getPort());
  }

  @Override
  public List<Proxy> select(URI uri) {
    var address = "https".equals(uri.getScheme()) ? https : http;
    String host = String.valueOf(uri.getHost()).toLowerCase();
    return List.of(address == null || isExempt(host) ? Proxy.NO_PROXY : new Proxy(Proxy.Type.HTTP, address));
  }

  /** Returns whether a host, or a domain above it, is in NO_PROXY; with or without a leading dot. */
  private boolean isExempt(String host) {
    return none.stream()
        .map(name -> name.startsWith(".") ? name.substring(1) : name)
        .anyMatch(name -> name.equals("*") || host.equals(name) || host.endsWith("." + name));
  }

  @Override
  public void connectFailed(URI uri, SocketAddress address, IOException reason) {
    // The call itself fails, and tells it.
  }
}
