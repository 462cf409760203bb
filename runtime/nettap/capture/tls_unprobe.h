/* Takes probes out of the kernel, which waits up to a tenth of a second for each: a thread does that, not the main loop.
 *
 * Called by tls_files.c. A probe on its way out still runs; the allow map decides what it sees.
 */
#ifndef NETTAP_TLS_UNPROBE_H
#define NETTAP_TLS_UNPROBE_H

struct tls_link;

/* Take out these probes, in a while; the array stays the caller's. Without memory or threads: at once. */
void tls_unprobe(struct tls_link *links, unsigned int count);

/* Wait until all are out. */
void tls_unprobe_wait(void);

#endif
