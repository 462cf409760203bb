package speedscale.demo;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Customers and their orders, in memory; what callers get are copies that nobody changes.
 *
 * <p>Bounded: beyond {@link #MAX_CUSTOMERS} the oldest goes, with its orders; a customer has {@link #MAX_ORDERS}.
 * Identifiers come from callers or follow from what they sent, so that a replay on a fresh server meets the same ones.
 */
final class Store {
  static final int MAX_CUSTOMERS = 10_000;
  static final int MAX_ORDERS = 100;

  private static final class Customer {
    Map<String, Object> facts = Map.of();
    final Map<String, Map<String, Object>> orders = new LinkedHashMap<>();
  }

  private final Map<String, Customer> customers = new LinkedHashMap<>();
  private final Map<String, String> owners = new LinkedHashMap<>();

  /** Keeps a customer; returns whether it is new. */
  synchronized boolean put(String id, Map<String, Object> facts) {
    boolean isNew = !customers.containsKey(id);
    if (isNew && customers.size() >= MAX_CUSTOMERS) {
      delete(customers.keySet().iterator().next());
      Log.event("oldest_customer_dropped", "limit", MAX_CUSTOMERS);
    }
    customers.computeIfAbsent(id, unused -> new Customer()).facts = facts;
    return isNew;
  }

  /** Returns a customer, or null. */
  synchronized Map<String, Object> customer(String id) {
    var found = customers.get(id);
    return found == null ? null : found.facts;
  }

  /** Forgets a customer and all orders; returns whether there was one. */
  synchronized boolean delete(String id) {
    var gone = customers.remove(id);
    if (gone == null) {
      return false;
    }
    owners.keySet().removeAll(gone.orders.keySet());
    return true;
  }

  /** Keeps an order; returns false where the customer is gone or has too many. */
  synchronized boolean order(String customer, String id, Map<String, Object> facts) {
    var owner = customers.get(customer);
    if (owner == null || owner.orders.size() >= MAX_ORDERS) {
      return false;
    }
    owner.orders.put(id, facts);
    owners.put(id, customer);
    return true;
  }

  /** Returns an order, or null. */
  synchronized Map<String, Object> order(String id) {
    var owner = owners.get(id);
    return owner == null ? null : customers.get(owner).orders.get(id);
  }

  /** Returns a customer's orders, oldest first; null where there is no such customer. */
  synchronized List<Map<String, Object>> orders(String customer) {
    var owner = customers.get(customer);
    return owner == null ? null : new ArrayList<>(owner.orders.values());
  }

  /** Returns an identifier that follows from the parts: the same ones give the same. */
  static String identifier(String prefix, String... parts) {
    try {
      var digest = MessageDigest.getInstance("SHA-256");
      byte[] made = digest.digest(String.join("\n", parts).getBytes(StandardCharsets.UTF_8));
      return prefix + HexFormat.of().formatHex(made, 0, 8);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JVM has SHA-256", e);
    }
  }
}
