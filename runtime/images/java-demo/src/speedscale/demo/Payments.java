package speedscale.demo;

import java.util.concurrent.TimeUnit;

/**
 * What the shop depends on; ROLE=payments. Keeps nothing: a charge follows from the request.
 *
 * <p>With DELAY_MS it answers late, for tests of what becomes of callers.
 */
final class Payments {
  private static final long MOST_CENTS = 50_000;
  private final int delayMs;

  Payments(int delayMs) {
    this.delayMs = delayMs;
  }

  void routes(Web web) {
    web.route("POST", "/v1/charges", request -> charge(Body.of(request.body())));
  }

  private Answer charge(Body body) throws Answer.Refusal {
    String reference = body.text("reference");
    long cents = body.number("amountCents", 1, 100_000_000);
    String currency = body.text("currency");
    var customer = body.object("customer");
    String name = customer.text("name");
    String email = customer.text("email");
    String card = body.object("card").text("number");
    late();
    if (cents > MOST_CENTS) {
      throw new Answer.Refusal(402, "declined", "beyond what this card may be charged at once");
    }
    return Answer.created(
        Json.object(
            "id", Store.identifier("ch-", reference, Long.toString(cents)),
            "status", "captured",
            "amountCents", cents,
            "currency", currency,
            "card", Json.object("number", card, "holder", name),
            "receiptTo", email));
  }

  private void late() throws Answer.Refusal {
    try {
      TimeUnit.MILLISECONDS.sleep(delayMs);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Answer.Refusal(503, "stopping", "this server is stopping");
    }
  }
}
