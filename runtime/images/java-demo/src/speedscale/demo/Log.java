package speedscale.demo;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * One line an event on stdout: time, event, then names and values that alternate.
 *
 * <p>Callers pass routes, states and counts, never bodies, header values, query texts or anything of a customer.
 */
final class Log {
  private static final PrintStream OUT =
      new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);

  private Log() {}

  /** Writes an event; values with spaces or quotes are quoted. */
  static void event(String name, Object... pairs) {
    var line = new StringBuilder(Instant.now().truncatedTo(ChronoUnit.MILLIS).toString()).append(' ').append(name);
    for (int i = 0; i < pairs.length; i += 2) {
      String value = String.valueOf(pairs[i + 1]);
      line.append(' ').append(pairs[i]).append('=').append(plain(value) ? value : Json.write(value));
    }
    OUT.println(line);
  }

  private static boolean plain(String value) {
    return !value.isEmpty() && value.chars().allMatch(c -> c > ' ' && c < 0x7f && c != '"' && c != '=');
  }
}
