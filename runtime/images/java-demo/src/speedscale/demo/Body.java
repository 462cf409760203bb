package speedscale.demo;

import java.util.List;
import java.util.Map;

/**
 * A JSON object that came in, read with checks. Refusals name the field, never its value.
 *
 * <p>Texts are checked for length only: a replay sends redacted values, and a mailbox or card number that was redacted
 * has no form any more.
 */
record Body(Map<?, ?> fields, String path) {
  private static final int MAX_TEXT = 200;

  /** Returns a body that was read. */
  static Body of(String text) throws Answer.Refusal {
    try {
      if (Json.parse(text) instanceof Map<?, ?> fields) {
        return new Body(fields, "");
      }
    } catch (Json.Malformed e) {
      throw new Answer.Refusal(400, "not_json", "the body is not JSON: " + e.getMessage());
    }
    throw new Answer.Refusal(400, "not_an_object", "the body must be a JSON object");
  }

  String text(String name) throws Answer.Refusal {
    if (fields.get(name) instanceof String value && !value.isBlank() && value.length() <= MAX_TEXT) {
      return value;
    }
    throw wrong(name, "a text of 1 to " + MAX_TEXT + " characters");
  }

  long number(String name, long least, long most) throws Answer.Refusal {
    if (fields.get(name) instanceof Long value && value >= least && value <= most) {
      return value;
    }
    throw wrong(name, "a whole number from " + least + " to " + most);
  }

  Body object(String name) throws Answer.Refusal {
    if (fields.get(name) instanceof Map<?, ?> value) {
      return new Body(value, path + name + ".");
    }
    throw wrong(name, "an object");
  }

  List<Body> objects(String name, int most) throws Answer.Refusal {
    if (fields.get(name) instanceof List<?> items && !items.isEmpty() && items.size() <= most) {
      if (items.stream().allMatch(item -> item instanceof Map<?, ?>)) {
        return items.stream().map(item -> new Body((Map<?, ?>) item, path + name + "[].")).toList();
      }
    }
    throw wrong(name, "a list of 1 to " + most + " objects");
  }

  private Answer.Refusal wrong(String name, String expected) {
    return new Answer.Refusal(422, "field_wrong", path + name + " must be " + expected);
  }
}
