/* A sign of life for `--healthy`: a file beside the socket whose time the main loop renews. */
#ifndef NETTAP_ALIVE_H
#define NETTAP_ALIVE_H

#include "settings.h"

void alive_renew(const struct settings *settings);
void alive_end(const struct settings *settings);

/* Exit code of `--healthy`: 0 when the loop went round within 30 s, else 1, with the reason on stderr. */
int alive_check(const struct settings *settings);

#endif
