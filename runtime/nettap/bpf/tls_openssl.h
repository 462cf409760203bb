/* OpenSSL 1.1 and 3, BoringSSL and what else has their API, by uprobes on its functions.
 *
 * A thread is in one call at a time. Functions that call each other (SSL_connect calls SSL_do_handshake) are watched only
 * at the inner one.
 */
#ifndef NETTAP_TLS_OPENSSL_H
#define NETTAP_TLS_OPENSSL_H

#include "tls_session.h"

static __always_inline void openssl_caller(struct tls_caller *caller)
{
	caller->who = (__u32)bpf_get_current_pid_tgid();
	caller->tgid = current_tgid();
	caller->go = 0;
}

static __always_inline int openssl_begin(__u64 session, __u64 buffer, __u64 count_at, __u8 direction, __u8 kind)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct tls_call call = {};
	struct tls_caller caller;
	struct tls_thread *thread;

	if (!allowed(current_cgroup()))
		return 0;
	call.began = bpf_ktime_get_boot_ns();
	call.session = session;
	call.buffer = buffer;
	call.count_at = count_at;
	call.direction = direction;
	call.kind = kind;
	thread = bpf_map_lookup_elem(&tls_threads, &id);
	if (thread && thread->received) {
		/* Whatever this call makes of it: it is not for a later one. */
		call.received = thread->received;
		call.received_generation = thread->received_generation;
		call.received_length = thread->received_length;
		call.received_type = thread->received_type;
		thread->received = 0;
	}
	openssl_caller(&caller);
	bpf_map_update_elem(&tls_calls, &caller, &call, BPF_ANY);
	if (kind != TLS_KIND_HANDSHAKE)
		count(NETTAP_COUNT_CALLS + tls_hook(direction), 1);
	return 0;
}

/* The call worked on memory, and the session's socket is not known: the record that the thread received just before was
 * for it, or the one that it sends next is from it. */
static __always_inline void openssl_await(struct tls_call *call, __u64 plain)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct tls_thread *thread, fresh = {};
	struct tls_session *session;
	struct socket_state *state;
	struct tls_name name;

	tls_name_of(&name, call->session);
	session = tls_session_of(&name);
	if (!session || tls_socket(session->sock, session->generation))
		return;
	if (call->received && !plain) {
		state = tls_socket(call->received, call->received_generation);
		if (state && !state->tls_session) {
			tls_bind(&name, session, state, call->received, NETTAP_BY_NEXT_IO);
			return;
		}
	}
	thread = bpf_map_lookup_elem(&tls_threads, &id);
	if (!thread) {
		bpf_map_update_elem(&tls_threads, &id, &fresh, BPF_ANY);
		thread = bpf_map_lookup_elem(&tls_threads, &id);
		if (!thread)
			return;
	}
	if (thread->session != call->session || thread->kind != TLS_KIND_DATA)
		thread->plain = 0;
	thread->session = call->session;
	thread->kind = plain ? TLS_KIND_DATA : TLS_KIND_HANDSHAKE;
	thread->plain += plain;
}

static __always_inline int openssl_end(__s64 result, bool counted)
{
	struct tls_caller caller;
	struct tls_call *call;
	__u64 cgroup = current_cgroup();
	__u64 bytes = 0;
	__u32 tgid, *sources;
	__u8 source = NETTAP_SOURCE_OPENSSL;

	if (!allowed(cgroup))
		return 0;
	openssl_caller(&caller);
	call = bpf_map_lookup_elem(&tls_calls, &caller);
	if (!call) {
		if (result > 0)
			count(NETTAP_COUNT_TLS_UNSEEN, 1);
		return 0;
	}
	if (call->kind != TLS_KIND_HANDSHAKE) {
		if (result > 0 && !counted)
			bytes = result;
		else if (result == 1 && bpf_probe_read_user(&bytes, sizeof(bytes), (const void *)call->count_at))
			bytes = 0;
		count(NETTAP_COUNT_RETURNS + tls_hook(call->direction), 1);
	}
	tgid = caller.tgid;
	sources = bpf_map_lookup_elem(&tls_processes, &tgid);
	if (sources && !(*sources & (1u << NETTAP_SOURCE_OPENSSL)) && (*sources & (1u << NETTAP_SOURCE_BORINGSSL)))
		source = NETTAP_SOURCE_BORINGSSL;
	if (bytes)
		tls_tell(call, bytes, cgroup, source);
	if (!call->sock)
		openssl_await(call, call->direction == NETTAP_SENT ? bytes : 0);
	bpf_map_delete_elem(&tls_calls, &caller);
	return 0;
}

SEC("uprobe")
int BPF_KPROBE(ssl_read, __u64 ssl, __u64 buffer)
{
	return openssl_begin(ssl, buffer, 0, NETTAP_RECEIVED, TLS_KIND_DATA);
}

SEC("uretprobe")
int BPF_KRETPROBE(ssl_read_return, int result)
{
	return openssl_end(result, false);
}

SEC("uprobe")
int BPF_KPROBE(ssl_read_ex, __u64 ssl, __u64 buffer, __u64 size, __u64 count_at)
{
	return openssl_begin(ssl, buffer, count_at, NETTAP_RECEIVED, TLS_KIND_DATA);
}

SEC("uretprobe")
int BPF_KRETPROBE(ssl_read_ex_return, int result)
{
	return openssl_end(result, true);
}

SEC("uprobe")
int BPF_KPROBE(ssl_write, __u64 ssl, __u64 buffer)
{
	return openssl_begin(ssl, buffer, 0, NETTAP_SENT, TLS_KIND_DATA);
}

SEC("uretprobe")
int BPF_KRETPROBE(ssl_write_return, int result)
{
	return openssl_end(result, false);
}

SEC("uprobe")
int BPF_KPROBE(ssl_write_ex, __u64 ssl, __u64 buffer, __u64 size, __u64 count_at)
{
	return openssl_begin(ssl, buffer, count_at, NETTAP_SENT, TLS_KIND_DATA);
}

SEC("uretprobe")
int BPF_KRETPROBE(ssl_write_ex_return, int result)
{
	return openssl_end(result, true);
}

SEC("uprobe")
int BPF_KPROBE(ssl_sendfile, __u64 ssl)
{
	return openssl_begin(ssl, 0, 0, NETTAP_SENT, TLS_KIND_SENDFILE);
}

SEC("uretprobe")
int BPF_KRETPROBE(ssl_sendfile_return, __s64 result)
{
	return openssl_end(result, false);
}

SEC("uprobe")
int BPF_KPROBE(ssl_handshake, __u64 ssl)
{
	return openssl_begin(ssl, 0, 0, NETTAP_SENT, TLS_KIND_HANDSHAKE);
}

SEC("uretprobe")
int BPF_KRETPROBE(ssl_handshake_return, int result)
{
	return openssl_end(result, false);
}

SEC("uretprobe")
int BPF_KRETPROBE(ssl_new_return, __u64 ssl)
{
	if (ssl && allowed(current_cgroup()))
		tls_session_made(ssl);
	return 0;
}

SEC("uprobe")
int BPF_KPROBE(ssl_free, __u64 ssl)
{
	struct tls_name name;

	if (!allowed(current_cgroup()))
		return 0;
	tls_name_of(&name, ssl);
	bpf_map_delete_elem(&tls_sessions, &name);
	return 0;
}

SEC("uprobe")
int BPF_KPROBE(ssl_set_fd, __u64 ssl, int fd)
{
	__u64 cgroup = current_cgroup();
	struct nettap_allowed *rule = allowed(cgroup);

	if (rule)
		tls_session_given(ssl, fd, cgroup, rule);
	return 0;
}

#endif
