/* Calls of TLS libraries, however they are watched: from their beginning to the plaintext that they moved.
 *
 * Used by tls_openssl.h and tls_go.h. Reading happens when the call returns: only then is it known how many bytes moved,
 * and for SSL_write the bytes are still in the caller's buffer, which no one else may touch meanwhile.
 */
#ifndef NETTAP_TLS_SESSION_H
#define NETTAP_TLS_SESSION_H

#include "calls.h"

static __always_inline __u8 tls_hook(__u8 direction)
{
	return direction == NETTAP_SENT ? NETTAP_HOOK_TLS_WRITE : NETTAP_HOOK_TLS_READ;
}

/* A session made before our eyes: whatever was kept of one at the same address is over. */
static __always_inline void tls_session_made(__u64 address)
{
	struct tls_session *session;
	struct tls_name name;
	__u32 zero = 0;

	tls_name_of(&name, address);
	session = bpf_map_lookup_elem(&blank_session, &zero);
	if (!session || bpf_map_update_elem(&tls_sessions, &name, session, BPF_ANY))
		return;
	session = bpf_map_lookup_elem(&tls_sessions, &name);
	if (session)
		session->begun = 1;
}

/* The session was given this descriptor. */
static __always_inline void tls_session_given(__u64 address, __u32 fd, __u64 cgroup, struct nettap_allowed *rule)
{
	struct socket_state *state;
	struct tls_session *session;
	struct tls_name name;
	struct sock *sk;
	__u64 inode = 0;

	sk = sock_of_fd(fd, &inode);
	if (!sk || !is_inet(sk, IPPROTO_TCP))
		return;
	state = socket_of(sk, inode, cgroup, rule);
	if (!state)
		return;
	tls_name_of(&name, address);
	session = tls_session_of(&name);
	if (session)
		tls_bind(&name, session, state, (__u64)sk, NETTAP_BY_SET_FD);
}

/* The socket that a call's plaintext belongs to, and how that is known; 0: it is not. */
static __always_inline struct socket_state *tls_socket_of(const struct tls_call *call, const struct tls_name *name,
							  struct tls_session *session, __u64 bytes, __u8 *certainty)
{
	struct socket_state *state = 0;

	if (call->sock) {
		state = tls_socket(call->sock, call->generation);
		*certainty = NETTAP_BY_NESTED;
		if (state)
			return state;
	}
	state = tls_socket(session->sock, session->generation);
	if (state) {
		*certainty = session->certainty == NETTAP_BY_NESTED ? NETTAP_BY_SESSION : session->certainty;
		return state;
	}
	if (!call->received || call->direction != NETTAP_RECEIVED || call->received_type != TLS_DATA ||
	    bytes > call->received_length)
		return 0;
	state = tls_socket(call->received, call->received_generation);
	if (!state || state->tls_session)
		return 0;
	*certainty = NETTAP_BY_NEXT_IO;
	tls_bind(name, session, state, call->received, NETTAP_BY_NEXT_IO);
	return state;
}

/* The head of chunks whose socket is not known (yet). */
static __always_inline void tls_fill_unmatched(struct nettap_chunk *head, const struct tls_call *call, __u64 cgroup)
{
	__builtin_memset(head, 0, sizeof(*head));
	head->ts = bpf_ktime_get_boot_ns();
	head->cgroup = cgroup;
	head->tgid = current_tgid();
	head->tid = current_tid();
	head->direction = call->direction;
	__builtin_memcpy(head->local_address, &call->session, sizeof(call->session));
}

/* Tell `bytes` (more than 0) that a call moved. */
static __noinline int tls_tell(struct tls_call *call, __u64 bytes, __u64 cgroup, __u8 source)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct socket_state *state;
	struct tls_session *session;
	struct tls_name name;
	struct half *half;
	struct call *out;
	__u8 certainty = 0;
	__u32 zero = 0;

	if (!call)
		return 0;
	tls_name_of(&name, call->session);
	session = tls_session_of(&name);
	out = bpf_map_lookup_elem(&blank_call, &zero);
	if (!session || !out || bpf_map_update_elem(&calls, &id, out, BPF_ANY)) {
		count(NETTAP_COUNT_CALLS_FULL, 1);
		return 0;
	}
	out = bpf_map_lookup_elem(&calls, &id);
	if (!out)
		return 0;
	state = tls_socket_of(call, &name, session, bytes, &certainty);
	if (state) {
		if (state->ignored)
			goto done;
		fill_head(&out->head, session->sock, state, call->direction, source);
		state->tls_session = call->session;
		half = &state->plain[call->direction & 1];
	} else {
		tls_fill_unmatched(&out->head, call, cgroup);
		half = &session->held[call->direction & 1];
	}
	if (call->direction == NETTAP_SENT)
		out->head.ts = call->began; /* as its answer may be read before we are told of the return */
	out->head.source = source;
	out->head.certainty = certainty;
	out->head.flags = NETTAP_PLAINTEXT;
	if (!half->known) {
		half->known = 1;
		half->midstream = !session->begun;
	}
	if (call->kind == TLS_KIND_SENDFILE) {
		lose(&out->head, half, bytes, NETTAP_GAP_SENDFILE);
		flush_gap(&out->head, half);
	} else if (!state && half->offset > TLS_HELD_MAX) {
		lose(&out->head, half, bytes, NETTAP_GAP_UNMATCHED_TLS);
		flush_gap(&out->head, half);
	} else {
		out->at = call->buffer;
		out->at_left = bytes;
		out->left = bytes;
		emit_call(out, half);
	}
done:
	bpf_map_delete_elem(&calls, &id);
	return 0;
}

#endif
