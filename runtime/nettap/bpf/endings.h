/* Where streams end: what moved unseen until then is told as a gap, and the state is given back. */
#ifndef NETTAP_ENDINGS_H
#define NETTAP_ENDINGS_H

#include "calls.h"

/* Where a direction of the stream stands, without the FIN that the application has read. */
static __always_inline __u32 stream_seq(struct sock *sk, __u8 direction)
{
	return kernel_seq(sk, direction) - (direction == NETTAP_RECEIVED && fin_was_read(sk));
}

/* The same when all is over: a connection that was cut off (SO_LINGER of 0, connect to AF_UNSPEC) has got new numbers. */
static __always_inline __u32 last_seq(struct sock *sk, struct socket_state *state, struct half *half, __u8 direction)
{
	__u32 last;

	if (!state->closed || kernel_seq(sk, NETTAP_SENT) == state->final_seq[NETTAP_SENT])
		return stream_seq(sk, direction);
	last = direction == NETTAP_SENT ? state->final_seq[NETTAP_SENT] : state->final_seq[NETTAP_RECEIVED];
	/* what had arrived before may have been read after */
	return half->known && (__s32)(half->seq - last) > 0 ? half->seq : last;
}

/* A direction ends: account for all that the kernel moved, and say so. */
static __always_inline void half_end(struct sock *sk, struct socket_state *state, struct half *half, __u8 direction)
{
	struct nettap_chunk head = {};
	__u32 now;

	if (half->ended || state->ignored)
		return;
	now = last_seq(sk, state, half, direction);
	fill_head(&head, (__u64)sk, state, direction, source_of_calls);
	head.tgid = 0; /* whoever runs now has nothing to do with it */
	head.tid = 0;
	if (half->known)
		catch_up(&head, half, now);
	else
		half_begin(half, sk, direction, now);
	flush_last_gap(&head, half);
	tell_end(&head, half);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_changes_state, struct sock *sk, int before, int after)
{
	__u64 key = (__u64)sk;
	struct socket_state *state;

	if (after != TCP_FIN_WAIT1 && after != TCP_LAST_ACK && after != TCP_SYN_SENT && after != TCP_CLOSE)
		return 0;
	state = bpf_map_lookup_elem(&sockets, &key);
	if (!state)
		return 0;
	if (after == TCP_SYN_SENT) {
		bpf_map_delete_elem(&sockets, &key); /* connected anew: another stream */
	} else if (after == TCP_CLOSE) {
		state->final_seq[NETTAP_SENT] = kernel_seq(sk, NETTAP_SENT);
		state->final_seq[NETTAP_RECEIVED] = stream_seq(sk, NETTAP_RECEIVED);
		state->closed = 1;
	} else {
		half_end(sk, state, &state->halves[NETTAP_SENT], NETTAP_SENT);
	}
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(socket_destroyed, struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct socket_state *state = bpf_map_lookup_elem(&sockets, &key);

	if (!state)
		return 0;
	half_end(sk, state, &state->halves[NETTAP_SENT], NETTAP_SENT);
	half_end(sk, state, &state->halves[NETTAP_RECEIVED], NETTAP_RECEIVED);
	tls_end(key, state);
	bpf_map_delete_elem(&sockets, &key);
	return 0;
}

#endif
