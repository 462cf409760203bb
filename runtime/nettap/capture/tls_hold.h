/* Plaintext whose socket is not known yet: held for a moment, in the order in which it came.
 *
 * A session that writes to memory (Python's asyncio, Node) is known by what its thread sends next. Bounds: HOLD_BYTES,
 * HOLD_NS; beyond either, a chunk goes on as a gap of reason UNMATCHED_TLS.
 */
#ifndef NETTAP_TLS_HOLD_H
#define NETTAP_TLS_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOLD_BYTES (1 << 20)
#define HOLD_NS (2ULL * 1000000000)

/* A record of the chunks ring. True: it was taken; what comes of it goes out by line_send(). */
bool tls_hold_take(const void *record, size_t size, uint64_t now_ns);
void tls_hold_expire(uint64_t now_ns);
void tls_hold_forget(void);

#endif
