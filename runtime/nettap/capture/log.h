/* Log lines: one JSON object each, to stderr.
 *
 * An event is a constant name; keys follow as pairs. Never payload, addresses of users, or names from traffic.
 */
#ifndef NETTAP_LOG_H
#define NETTAP_LOG_H

/* log_info("attached", "method", "fentry", NULL): values are strings; see log_number for numbers. */
void log_info(const char *event, ...) __attribute__((sentinel));
void log_warning(const char *event, ...) __attribute__((sentinel));
void log_error(const char *event, ...) __attribute__((sentinel));

/* What an errno means, for a person: also those that only the kernel's own headers name. */
const char *log_reason(int error);

/* A number as text for one of the above; good until eight more were asked for. */
const char *log_number(long long number);

#endif
