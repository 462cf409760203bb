/* Answers of name servers, as the captured process received them by UDP. (By TCP they are chunks; the loader cuts the
 * messages out of these.) */
#ifndef NETTAP_DNS_H
#define NETTAP_DNS_H

#include "calls.h"

struct sender {
	__u16 family;
	__be16 port;
	__be32 address;
	struct in6_addr_words address6;
};

#define EMIT_DNS(size)                                                                                \
	do {                                                                                          \
		struct chunk_##size *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);       \
		if (!record) {                                                                        \
			count(NETTAP_COUNT_RING_DROPS + NETTAP_RING_EVENTS, 1);                       \
			return;                                                                       \
		}                                                                                     \
		if (bpf_probe_read_user(record->payload, bytes, (const void *)call->at)) {            \
			bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);                                \
			return;                                                                       \
		}                                                                                     \
		fill_frame(&record->frame, NETTAP_DNS, bytes);                                        \
		__builtin_memcpy(&record->chunk, &call->head, sizeof(call->head));                    \
		record->chunk.length = bytes;                                                         \
		bpf_ringbuf_submit(record, 0);                                                        \
	} while (0)

static __always_inline void emit_dns(struct call *call, __u64 bytes)
{
	asm volatile("" : "+r"(bytes));
	if (bytes <= 1024)
		EMIT_DNS(1024);
	else if (bytes <= 4096)
		EMIT_DNS(4096);
}

static __always_inline int read_sender(const struct call *call, struct sender *from)
{
	if (call->asked.in_kernel)
		return bpf_probe_read_kernel(from, sizeof(*from), (const void *)call->asked.name);
	return bpf_probe_read_user(from, sizeof(*from), (const void *)call->asked.name);
}

/* Whether a datagram may be a name server's answer: the socket is connected to one, or to nobody. */
static __always_inline bool may_be_dns(struct sock *sk)
{
	__u16 port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));

	return port == DNS_PORT || port == 0;
}

static __always_inline void udp_call_end(struct call *call, __s64 result, __u64 cgroup)
{
	struct sock *sk = (struct sock *)call->sock;
	struct nettap_chunk *head = &call->head;
	struct sender from = {};
	__u64 bytes;

	if (result <= 0 || (call->asked.flags & (MSG_PEEK | MSG_ERRQUEUE)))
		return;
	walk_begin(call, result);
	if (call->asked.shape == SHAPE_MESSAGES)
		return; /* resolvers ask for one answer at a time */
	bytes = call->at_left < (__u64)result ? call->at_left : (__u64)result;
	READ_TUPLE(head, sk);
	if (!head->remote_port) {
		if (!call->asked.name || read_sender(call, &from))
			return;
		head->remote_port = bpf_ntohs(from.port);
		if (from.family == AF_INET) {
			head->family = 4;
			__builtin_memset(head->remote_address, 0, 16);
			__builtin_memcpy(head->remote_address, &from.address, 4);
		} else if (is_v4_mapped(&from.address6)) {
			head->family = 4;
			__builtin_memset(head->remote_address, 0, 16);
			__builtin_memcpy(head->remote_address, &from.address6.word[3], 4);
		} else {
			__builtin_memcpy(head->remote_address, &from.address6, 16);
		}
	}
	if (head->remote_port != DNS_PORT || bytes < 12 || bytes > 4096)
		return;
	head->ts = bpf_ktime_get_boot_ns();
	head->cgroup = cgroup;
	head->sock = call->sock;
	head->tgid = current_tgid();
	head->tid = current_tid();
	head->direction = NETTAP_RECEIVED;
	head->source = source_of_calls;
	head->role = NETTAP_ROLE_CLIENT;
	emit_dns(call, bytes);
	count(NETTAP_COUNT_DNS, 1);
}

#endif
