package speedscale.demo;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON (RFC 8259) to and from maps, lists, strings, longs, doubles, booleans and null; the JDK has none.
 *
 * <p>Objects keep the order of their keys, so that the same value is always the same text. Depth is bounded; a repeated
 * key takes the last value.
 */
final class Json {
  /** What a text may nest at most; deeper ones are refused rather than overflowing the stack. */
  private static final int MAX_DEPTH = 64;

  /** A text that is not JSON: where and why. Never holds the text itself, since it may be personal. */
  static final class Malformed extends Exception {
    private static final long serialVersionUID = 1;

    Malformed(String reason, int position) {
      super(reason + " at character " + position);
    }
  }

  private final String text;
  private int at;

  private Json(String text) {
    this.text = text;
  }

  /** Returns the value of a text. */
  static Object parse(String text) throws Malformed {
    var reader = new Json(text);
    Object value = reader.value(0);
    reader.space();
    if (reader.at < text.length()) {
      throw new Malformed("something after the end of the value", reader.at);
    }
    return value;
  }

  /** Returns the text of a value, without spaces. */
  static String write(Object value) {
    var out = new StringBuilder();
    append(out, value);
    return out.toString();
  }

  /** Returns an object of names and values that alternate. */
  static Map<String, Object> object(Object... pairs) {
    var made = new LinkedHashMap<String, Object>();
    for (int i = 0; i < pairs.length; i += 2) {
      made.put((String) pairs[i], pairs[i + 1]);
    }
    return made;
  }

  private static void append(StringBuilder out, Object value) {
    if (value instanceof Map<?, ?> map) {
      String separator = "{";
      for (var entry : map.entrySet()) {
        out.append(separator);
        quote(out, (String) entry.getKey());
        append(out.append(':'), entry.getValue());
        separator = ",";
      }
      out.append(map.isEmpty() ? "{}" : "}");
    } else if (value instanceof Iterable<?> list) {
      out.append('[');
      String separator = "";
      for (Object item : list) {
        append(out.append(separator), item);
        separator = ",";
      }
      out.append(']');
    } else if (value instanceof CharSequence text) {
      quote(out, text);
    } else {
      out.append(value);
    }
  }

  private static void quote(StringBuilder out, CharSequence text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < 0x20 || Character.isSurrogate(c)) {
        out.append(String.format("\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    out.append('"');
  }

  private Object value(int depth) throws Malformed {
    if (depth > MAX_DEPTH) {
      throw new Malformed("nested too deeply", at);
    }
    space();
    char c = peek();
    return switch (c) {
      case '{' -> members(depth);
      case '[' -> elements(depth);
      case '"' -> string();
      case 't' -> word("true", Boolean.TRUE);
      case 'f' -> word("false", Boolean.FALSE);
      case 'n' -> word("null", null);
      default -> number();
    };
  }

  private Map<String, Object> members(int depth) throws Malformed {
    var made = new LinkedHashMap<String, Object>();
    at++;
    if (skipped('}')) {
      return made;
    }
    do {
      space();
      String key = string();
      if (!skipped(':')) {
        throw new Malformed("expected ':'", at);
      }
      made.put(key, value(depth + 1));
    } while (skipped(','));
    if (!skipped('}')) {
      throw new Malformed("expected ',' or '}'", at);
    }
    return made;
  }

  private List<Object> elements(int depth) throws Malformed {
    var made = new ArrayList<>();
    at++;
    if (skipped(']')) {
      return made;
    }
    do {
      made.add(value(depth + 1));
    } while (skipped(','));
    if (!skipped(']')) {
      throw new Malformed("expected ',' or ']'", at);
    }
    return made;
  }

  private String string() throws Malformed {
    if (peek() != '"') {
      throw new Malformed("expected a string", at);
    }
    var out = new StringBuilder();
    for (at++; ; at++) {
      char c = peek();
      if (c == '"') {
        at++;
        return out.toString();
      }
      if (c < 0x20) {
        throw new Malformed("control character in a string", at);
      }
      out.append(c == '\\' ? escaped() : c);
    }
  }

  /** Reads one escape; leaves `at` on its last character. */
  private char escaped() throws Malformed {
    at++;
    char c = peek();
    return switch (c) {
      case '"', '\\', '/' -> c;
      case 'b' -> '\b';
      case 'f' -> '\f';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      case 'u' -> unicode();
      default -> throw new Malformed("unknown escape", at);
    };
  }

  private char unicode() throws Malformed {
    int code = 0;
    for (int i = 0; i < 4; i++) {
      at++;
      int digit = Character.digit(peek(), 16);
      if (digit < 0) {
        throw new Malformed("expected four hexadecimal digits", at);
      }
      code = code * 16 + digit;
    }
    return (char) code;
  }

  private Object number() throws Malformed {
    int start = at;
    while (at < text.length() && "+-.0123456789Ee".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
    String digits = text.substring(start, at);
    if (!digits.matches("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")) {
      throw new Malformed("expected a value", start);
    }
    try {
      return digits.matches("-?[0-9]{1,18}") ? (Object) Long.valueOf(digits) : Double.valueOf(digits);
    } catch (NumberFormatException e) {
      throw new Malformed("number out of range", start);
    }
  }

  private Object word(String expected, Object value) throws Malformed {
    if (!text.startsWith(expected, at)) {
      throw new Malformed("expected a value", at);
    }
    at += expected.length();
    return value;
  }

  private boolean skipped(char c) {
    space();
    if (at < text.length() && text.charAt(at) == c) {
      at++;
      return true;
    }
    return false;
  }

  private void space() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private char peek() throws Malformed {
    if (at >= text.length()) {
      throw new Malformed("unexpected end", at);
    }
    return text.charAt(at);
  }
}
