/* DNS messages out of streams from port 53 by TCP, where each has its length before it (RFC 1035, 4.2.2).
 *
 * Bounded: 64 sockets, 4 KiB a message; longer ones and streams with a gap are passed over.
 */
#ifndef NETTAP_DNS_STREAM_H
#define NETTAP_DNS_STREAM_H

#include <stddef.h>

#include "../include/nettap_wire.h"

typedef void dns_message(void *context, const struct nettap_chunk *head, const void *message, size_t length);

/* A chunk of such a stream, received by the process. `head` of a message is that of the chunk in which it ends. */
void dns_stream(const struct nettap_chunk *chunk, const void *payload, dns_message *found, void *context);
void dns_stream_forget(void);

#endif
