package speedscale.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * One customer's visit: what is asked in which order, and which answers are right. Follows from seed and number alone.
 *
 * <p>A round ends with the customer's deletion. So rounds depend on nothing that was before, and a recording that is
 * replayed on a fresh server gets the same answers.
 */
final class Round {
  private static final List<String> GIVEN =
      List.of("Ada", "Bruno", "Chiara", "Derya", "Emil", "Farah", "Goran", "Hanna", "Ivo", "Jana");
  private static final List<String> FAMILY =
      List.of("Abel", "Brandt", "Costa", "Dupont", "Eriksen", "Fischer", "Greco", "Haddad", "Ivanov", "Jensen");
  private static final List<String> STREETS =
      List.of("Linden Street", "Harbour Road", "Mill Lane", "Station Road", "Church Street");
  private static final List<String> CITIES = List.of("Springfield", "Riverton", "Lakeside", "Hillview", "Oakdale");
  private static final List<String> PRODUCTS =
      List.of("tea", "coffee", "cocoa", "cup", "pot", "kettle", "grinder", "tray");

  /** A request, the statuses that are right for it, and whether the answer must repeat the customer's name. */
  record Step(String method, String path, Map<String, Object> body, List<Integer> right) {}

  private final Random random;
  private final String customer;

  Round(long seed, long number) {
    this.random = new Random(seed * 1_000_003L + number);
    this.customer = "c-" + seed + "-" + number;
  }

  /** Returns the steps in order. */
  List<Step> steps() {
    var steps = new ArrayList<Step>();
    steps.add(get("/api/products", 200));
    steps.add(new Step("PUT", "/api/customers/" + customer, person(), List.of(201)));
    steps.add(get("/api/customers/" + customer, 200));
    for (int i = 1 + random.nextInt(3); i > 0; i--) {
      order(steps, "r" + i);
    }
    steps.add(get("/api/orders?customer=" + customer, 200));
    if (random.nextInt(4) == 0) {
      steps.add(get("/api/customers/nobody", 404));
    }
    if (random.nextInt(6) == 0) {
      var empty = Json.object("customer", customer, "reference", "none", "items", List.of());
      steps.add(new Step("POST", "/api/orders", empty, List.of(422)));
    }
    steps.add(new Step("DELETE", "/api/customers/" + customer, null, List.of(204)));
    return steps;
  }

  private void order(List<Step> steps, String reference) {
    var items = new ArrayList<Object>();
    for (int i = 1 + random.nextInt(3); i > 0; i--) {
      items.add(Json.object("product", pick(PRODUCTS), "quantity", (long) (1 + random.nextInt(4))));
    }
    var body = Json.object("customer", customer, "reference", reference, "items", items);
    steps.add(new Step("POST", "/api/orders", body, List.of(201, 402)));
    // Whether it was taken decides the dependency.
    steps.add(get("/api/orders/" + Store.identifier("o-", customer, reference), 200, 404));
  }

  private Map<String, Object> person() {
    String given = pick(GIVEN);
    String family = pick(FAMILY);
    String mailbox = (given + "." + family + random.nextInt(1000)).toLowerCase(Locale.ROOT) + "@example.com";
    String expires = String.format("%02d/%d", 1 + random.nextInt(12), 2030 + random.nextInt(6));
    return Json.object(
        "name", given + " " + family,
        "email", mailbox,
        "phone", String.format("+1-202-555-01%02d", random.nextInt(100)),
        "address", Json.object("street", (1 + random.nextInt(200)) + " " + pick(STREETS), "city", pick(CITIES)),
        "card", Json.object("number", card(), "expires", expires));
  }

  /** Returns sixteen digits with a right check digit (ISO/IEC 7812-1), in a range that is for tests. */
  private String card() {
    var digits = new StringBuilder("400000");
    while (digits.length() < 15) {
      digits.append(random.nextInt(10));
    }
    int sum = 0;
    for (int i = 0; i < 15; i++) {
      int digit = digits.charAt(i) - '0';
      int counted = i % 2 == 0 ? digit * 2 : digit;
      sum += counted > 9 ? counted - 9 : counted;
    }
    return digits.append((10 - sum % 10) % 10).toString();
  }

  private String pick(List<String> from) {
    return from.get(random.nextInt(from.size()));
  }

  private static Step get(String path, Integer... right) {
    return new Step("GET", path, null, List.of(right));
  }
}
