/* `--doctor`: what this kernel allows to this process, what is chosen by it, and what to do about the rest. */
#ifndef NETTAP_DOCTOR_H
#define NETTAP_DOCTOR_H

#include <stdbool.h>

struct settings;

/* Print the report, as text or as one JSON object; 0: traffic can be captured, 1: it cannot. */
int doctor(const struct settings *settings, bool json);

#endif
