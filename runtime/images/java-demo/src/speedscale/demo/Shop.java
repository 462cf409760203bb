package speedscale.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The shop: products, customers, orders; ROLE=shop. Its answers hold names, mailboxes, addresses and card numbers, as
 * real services' do that were never meant to be recorded.
 */
final class Shop {
  private static final String CURRENCY = "EUR";
  private static final TreeMap<String, Long> PRICES =
      new TreeMap<>(
          Map.of(
              "tea", 480L, "coffee", 920L, "cocoa", 650L, "cup", 1250L,
              "pot", 3490L, "kettle", 7900L, "grinder", 14900L, "tray", 2200L));

  private final Store store = new Store();
  private final Dependency payments;

  /** `payments` is null where there is no dependency: orders are then taken without a charge. */
  Shop(Dependency payments) {
    this.payments = payments;
  }

  void routes(Web web) {
    web.route("GET", "/api/products", request -> products());
    web.route("PUT", "/api/customers/{id}", this::put);
    web.route("GET", "/api/customers/{id}", request -> Answer.ok(customer(request.id())));
    web.route("DELETE", "/api/customers/{id}", this::delete);
    web.route("POST", "/api/orders", request -> order(Body.of(request.body()), request.baggage()));
    web.route("GET", "/api/orders", this::orders);
    web.route("GET", "/api/orders/{id}", this::found);
  }

  private static Answer products() {
    var items = new ArrayList<>();
    PRICES.forEach((id, cents) -> items.add(Json.object("id", id, "priceCents", cents)));
    return Answer.ok(Json.object("currency", CURRENCY, "products", items));
  }

  private Answer put(Web.Request request) throws Answer.Refusal {
    var body = Body.of(request.body());
    var address = body.object("address");
    var card = body.object("card");
    var facts =
        Json.object(
            "id", request.id(),
            "name", body.text("name"),
            "email", body.text("email"),
            "phone", body.text("phone"),
            "address", Json.object("street", address.text("street"), "city", address.text("city")),
            "card", Json.object("number", card.text("number"), "expires", card.text("expires")));
    return store.put(request.id(), facts) ? Answer.created(facts) : Answer.ok(facts);
  }

  private Map<String, Object> customer(String id) throws Answer.Refusal {
    var found = store.customer(id);
    if (found == null) {
      throw new Answer.Refusal(404, "no_such_customer", "there is no customer with this id");
    }
    return found;
  }

  private Answer delete(Web.Request request) throws Answer.Refusal {
    customer(request.id());
    store.delete(request.id());
    return new Answer(204, null);
  }

  private Answer order(Body body, String baggage) throws Answer.Refusal {
    String id = body.text("customer");
    String reference = body.text("reference");
    var buyer = customer(id);
    long total = 0;
    List<Object> items = new ArrayList<>();
    for (Body item : body.objects("items", 20)) {
      String product = item.text("product");
      long quantity = item.number("quantity", 1, 100);
      Long price = PRICES.get(product);
      if (price == null) {
        throw new Answer.Refusal(422, "no_such_product", "items[].product must be one of GET /api/products");
      }
      total += price * quantity;
      items.add(Json.object("product", product, "quantity", quantity));
    }
    var paid = pay(buyer, reference, total, baggage);
    var facts =
        Json.object(
            "id", Store.identifier("o-", id, reference),
            "customer", id,
            "items", items,
            "totalCents", total,
            "currency", CURRENCY,
            "payment", paid,
            "receipt", Json.object("name", buyer.get("name"), "email", buyer.get("email")));
    if (!store.order(id, (String) facts.get("id"), facts)) {
      throw new Answer.Refusal(409, "order_not_taken", "the customer is gone, or has " + Store.MAX_ORDERS + " orders");
    }
    return Answer.created(facts);
  }

  private Map<String, Object> pay(Map<String, Object> buyer, String reference, long cents, String baggage)
      throws Answer.Refusal {
    if (payments == null) {
      return Json.object("status", "on_account");
    }
    var answer =
        payments.post(
            "/v1/charges",
            Json.object(
                "reference", reference,
                "amountCents", cents,
                "currency", CURRENCY,
                "customer", Json.object("name", buyer.get("name"), "email", buyer.get("email")),
                "card", buyer.get("card")),
            baggage);
    if (answer.status() == 402) {
      throw new Answer.Refusal(402, "card_declined", "the payment was declined; use another card or buy less");
    }
    if (answer.status() != 201 || !(answer.body() instanceof Map<?, ?> charge)) {
      String message = "payments answered " + answer.status() + "; nothing was charged as far as is known";
      throw new Answer.Refusal(502, "dependency_failed", message);
    }
    return Json.object("status", "paid", "charge", String.valueOf(charge.get("id")));
  }

  private Answer orders(Web.Request request) throws Answer.Refusal {
    if (!request.query().matches("customer=[A-Za-z0-9._~-]{1,64}")) {
      throw new Answer.Refusal(400, "query_wrong", "ask for ?customer=<id>");
    }
    String id = request.query().substring("customer=".length());
    customer(id);
    var found = store.orders(id);
    return Answer.ok(Json.object("customer", id, "orders", found == null ? List.of() : found));
  }

  private Answer found(Web.Request request) throws Answer.Refusal {
    var found = store.order(request.id());
    if (found == null) {
      throw new Answer.Refusal(404, "no_such_order", "there is no order with this id");
    }
    return Answer.ok(found);
  }
}
