/* `--doctor`: what this kernel allows to this process, what is chosen by it, and what to do about the rest. */
#ifndef NETTAP_DOCTOR_H
#define NETTAP_DOCTOR_H

#include <stdbool.h>

struct json;
struct settings;

/* Print the report, as text or as one JSON object; 0: traffic can be captured, 1: it cannot. */
int doctor(const struct settings *settings, bool json);

/* Add the report to a document as an object with this key; programs are tried in the kernel for it. */
void doctor_as_json(const struct settings *settings, struct json *json, const char *key);

#endif
