package speedscale.demo;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Settings from environment variables. Everything that is wrong is collected, so that it can be told at once.
 *
 * <p>An empty variable is as good as none, since manifests cannot leave one out by a condition.
 */
final class Environment {
  private final Map<String, String> variables;
  private final List<String> problems = new ArrayList<>();

  Environment(Map<String, String> variables) {
    this.variables = variables;
  }

  /** Returns a text, or what is given where there is none. */
  String text(String name, String otherwise) {
    String value = variables.getOrDefault(name, "").strip();
    return value.isEmpty() ? otherwise : value;
  }

  /** Returns one of the choices; the first is the default. */
  String choice(String name, String... choices) {
    String value = text(name, choices[0]);
    if (!List.of(choices).contains(value)) {
      problems.add(name + ": " + value + " is none of " + String.join(", ", choices));
    }
    return value;
  }

  /** Returns a whole number within bounds. */
  int number(String name, int otherwise, int least, int most) {
    String value = text(name, Integer.toString(otherwise));
    try {
      int parsed = Integer.parseInt(value);
      if (parsed >= least && parsed <= most) {
        return parsed;
      }
    } catch (NumberFormatException e) {
      // told below, as for numbers that are out of bounds
    }
    problems.add(name + ": " + value + " is not a whole number from " + least + " to " + most);
    return otherwise;
  }

  /** Returns an http or https URL without query and without a slash at its end, or null where there is none. */
  URI url(String name) {
    String value = text(name, "");
    if (value.isEmpty()) {
      return null;
    }
    try {
      var url = URI.create(value.replaceAll("/+$", ""));
      boolean web = "http".equals(url.getScheme()) || "https".equals(url.getScheme());
      boolean plain = url.getQuery() == null && url.getFragment() == null && url.getUserInfo() == null;
      if (web && plain && url.getHost() != null) {
        return url;
      }
    } catch (IllegalArgumentException e) {
      // told below
    }
    problems.add(name + ": not a URL such as https://payments.example.com");
    return null;
  }

  /** Adds a problem that lies between several variables. */
  void refuse(String problem) {
    problems.add(problem);
  }

  /** Ends the program with code 2, all problems told, where there is one. */
  void exitIfWrong() {
    if (!problems.isEmpty()) {
      problems.forEach(problem -> Log.event("settings_refused", "reason", problem));
      System.exit(2);
    }
  }
}
