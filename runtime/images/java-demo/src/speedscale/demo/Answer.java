package speedscale.demo;

import java.util.Map;

/** What a handler answers: a status and a JSON value; null is an empty body. */
record Answer(int status, Object body) {
  /** What is not as it should be: a constant reason that programs read, a message that people read. */
  static final class Refusal extends Exception {
    private static final long serialVersionUID = 1;
    private final int status;
    private final String reason;

    Refusal(int status, String reason, String message) {
      super(message);
      this.status = status;
      this.reason = reason;
    }

    String reason() {
      return reason;
    }

    Answer answer() {
      return new Answer(status, Json.object("reason", reason, "message", getMessage()));
    }
  }

  static Answer ok(Map<String, Object> body) {
    return new Answer(200, body);
  }

  static Answer created(Map<String, Object> body) {
    return new Answer(201, body);
  }
}
