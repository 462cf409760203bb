/* Which socket a TLS session is on, and what socket calls tell the TLS side.
 *
 * A session is known by its process and the address of its SSL or tls.Conn. Its socket is, in this order: the one of a
 * socket call inside a call of the session (BY_NESTED); the one of an earlier call (BY_SESSION); the one of the
 * descriptor that it was given (BY_SET_FD); and, for sessions that read and write memory (Python's asyncio, Node), the
 * one of the thread's next output that is a TLS record of a length that the session's plaintext can have made, or of the
 * TLS record that the thread received just before (BY_NEXT_IO). How it is known goes with every chunk.
 *
 * Plaintext of a session without a socket is told with sock = 0 and the session's address in local_address; the loader
 * holds it for a moment, until NETTAP_FRAME_TLS_MATCHED says which socket it was.
 */
#ifndef NETTAP_TLS_MATCH_H
#define NETTAP_TLS_MATCH_H

#include "sockets.h"
#include "tls_shared.h"

#define TLS_HEADER 5
#define TLS_RECORD_MAX (16384 + 2048)
#define TLS_ALERT 21
#define TLS_DATA 23
#define TLS_OVERHEAD_MIN 17	 /* one byte for the inner type, 16 for the tag */
#define TLS_OVERHEAD_MAX 320	 /* explicit IV, MAC, and CBC's padding of up to 255 */
#define TLS_HELD_MAX (256 << 10) /* bytes of a direction told without a socket; what follows is a gap */

struct tls_name {
	__u64 session; /* address of the SSL or the tls.Conn */
	__u32 tgid;
	__u32 reserved;
};

struct tls_session {
	__u64 sock; /* 0: not known */
	__u32 generation;
	__u8 certainty; /* how it was first known */
	__u8 begun;	/* it was made before our eyes: its first byte is the stream's first */
	__u8 reserved[2];
	struct half held[2]; /* what was told without a socket */
};

/* Least recently used ones make room; a session that comes back is matched anew, and its stream goes on at the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct tls_name);
	__type(value, struct tls_session);
} tls_sessions SEC(".maps");

/* A `struct tls_session` to copy from: it is too large for the stack beside others. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tls_session);
} blank_session SEC(".maps");

enum tls_kind { TLS_KIND_DATA, TLS_KIND_HANDSHAKE, TLS_KIND_SENDFILE };

struct tls_call {
	__u64 began; /* CLOCK_BOOTTIME */
	__u64 session;
	__u64 buffer;
	__u64 count_at;	 /* where SSL_*_ex write how many bytes they moved */
	__u64 stack_top; /* Go: the stack's upper end, from which a buffer on it keeps its distance when it moves */
	__u64 sock;	 /* of the socket call inside this one */
	__u64 received;	 /* socket of a TLS record that the thread received before this call */
	__u32 generation;
	__u32 received_generation;
	__u32 received_length;
	__u8 received_type;
	__u8 direction;
	__u8 kind; /* enum tls_kind */
	__u8 on_stack;
};

/* Least recently used ones make room: goroutines may wait in Read for ever. A return without its call is counted. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct tls_caller);
	__type(value, struct tls_call);
} tls_calls SEC(".maps");

/* What a thread did last that may match a session to a socket. */
struct tls_thread {
	__u64 session;	/* of the last call that had no socket call inside; 0: none is waited for */
	__u64 plain;	/* bytes that it wrote since */
	__u64 received; /* socket of the last TLS record that was received outside any call; 0: none, or used */
	__u32 received_generation;
	__u32 received_length;
	__u8 received_type;
	__u8 kind; /* enum tls_kind */
	__u8 reserved[6];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct tls_thread);
} tls_threads SEC(".maps");

/* Processes that the loader has looked through, by tgid, with the sources attached to them as bits. A TLS record in any
 * other captured process is an event, once for each socket. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u32);
} tls_processes SEC(".maps");

static __always_inline void tls_name_of(struct tls_name *name, __u64 session)
{
	name->session = session;
	name->tgid = current_tgid();
	name->reserved = 0;
}

static __always_inline struct tls_session *tls_session_of(const struct tls_name *name)
{
	struct tls_session *session = bpf_map_lookup_elem(&tls_sessions, name);
	__u32 zero = 0;

	if (session)
		return session;
	session = bpf_map_lookup_elem(&blank_session, &zero);
	if (!session || bpf_map_update_elem(&tls_sessions, name, session, BPF_ANY))
		return 0;
	return bpf_map_lookup_elem(&tls_sessions, name);
}

static __always_inline struct socket_state *tls_socket(__u64 sock, __u32 generation)
{
	struct socket_state *state = bpf_map_lookup_elem(&sockets, &sock);

	return state && state->generation == generation ? state : 0;
}

static __always_inline __u64 tls_release_half(struct half *held, struct half *plain)
{
	__u64 base = plain->offset;

	if (!plain->known && held->offset) {
		plain->known = 1;
		plain->midstream = held->midstream;
	}
	plain->offset += held->offset;
	__builtin_memset(held, 0, sizeof(*held));
	return base;
}

/* Tell the loader whose the chunks are that it holds, and let the socket's plaintext go on behind them. */
static __always_inline void tls_release(const struct tls_name *name, struct tls_session *session,
					struct socket_state *state)
{
	struct nettap_tls_matched *record;
	__u64 received, sent;

	if (!session->held[NETTAP_RECEIVED].offset && !session->held[NETTAP_SENT].offset)
		return;
	received = tls_release_half(&session->held[NETTAP_RECEIVED], &state->plain[NETTAP_RECEIVED]);
	sent = tls_release_half(&session->held[NETTAP_SENT], &state->plain[NETTAP_SENT]);
	record = bpf_ringbuf_reserve(&chunks, sizeof(*record), 0);
	if (!record) {
		count(NETTAP_COUNT_RING_DROPS + NETTAP_RING_CHUNKS, 1); /* the loader makes gaps of what it holds */
		return;
	}
	record->frame.type = NETTAP_FRAME_TLS_MATCHED;
	record->frame.version = NETTAP_WIRE_VERSION;
	record->frame.length = sizeof(*record) - sizeof(record->frame);
	fill_head(&record->chunk, session->sock, state, NETTAP_RECEIVED, 0);
	record->chunk.certainty = session->certainty;
	record->session = name->session;
	record->base[NETTAP_RECEIVED] = received;
	record->base[NETTAP_SENT] = sent;
	bpf_ringbuf_submit(record, 0);
}

/* From now on the session is on this socket. (Lower certainties are surer.) */
static __always_inline void tls_bind(const struct tls_name *name, struct tls_session *session,
				     struct socket_state *state, __u64 sock, __u8 certainty)
{
	if (session->sock == sock && session->generation == state->generation) {
		if (certainty < session->certainty)
			session->certainty = certainty;
		return;
	}
	session->sock = sock;
	session->generation = state->generation;
	session->certainty = certainty;
	tls_release(name, session, state);
}

/* The type and length of the TLS record that begins at `first`; 0: none does. */
static __always_inline __u8 tls_record_at(__u64 first, __u64 bytes, __u32 *length)
{
	__u8 head[TLS_HEADER];

	if (bytes < TLS_HEADER || bpf_probe_read_user(head, sizeof(head), (const void *)first))
		return 0;
	*length = (__u32)head[3] << 8 | head[4];
	if (head[0] < 20 || head[0] > TLS_DATA || head[1] != 3 || head[2] > 4 || !*length || *length > TLS_RECORD_MAX)
		return 0;
	return head[0];
}

/* Whether the first record of `plain` bytes may have this length, whatever the cipher. */
static __always_inline bool tls_plausible(__u64 plain, __u32 length)
{
	__u64 in_record = plain < 16384 ? plain : 16384;

	return length >= TLS_OVERHEAD_MIN && length <= in_record + TLS_OVERHEAD_MAX;
}

/* A TLS record in a process for which the loader knows no library. */
static __always_inline void tls_tell_seen(struct socket_state *state)
{
	struct nettap_tls_event *event;

	if (state->tls_told)
		return;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(NETTAP_COUNT_RING_DROPS + NETTAP_RING_EVENTS, 1);
		return;
	}
	state->tls_told = 1;
	event->kind = NETTAP_EVENT_TLS_SEEN;
	event->tgid = current_tgid();
	event->cgroup = state->cgroup;
	bpf_ringbuf_submit(event, 0);
}

#define PROT_EXEC 4

/* A process mapped something with this protection, of this descriptor (-1: of none). */
static __always_inline void tls_on_map(__u64 cgroup, __u64 protection, __s32 fd)
{
	struct nettap_tls_event *event;

	if (!(protection & PROT_EXEC) || fd < 0)
		return;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(NETTAP_COUNT_RING_DROPS + NETTAP_RING_EVENTS, 1);
		return;
	}
	event->kind = NETTAP_EVENT_TLS_MAPPED;
	event->tgid = current_tgid();
	event->cgroup = cgroup;
	bpf_ringbuf_submit(event, 0);
}

#if defined(__TARGET_ARCH_x86)
#define GOROUTINE(regs) ((regs)->r14)
#else
#define GOROUTINE(regs) ((regs)->regs[28])
#endif

/* The call of a TLS library that this thread, or its goroutine, is inside of. */
static __always_inline struct tls_call *tls_call_around(__u32 sources, struct tls_name *name)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct tls_caller caller = {};
	struct tls_call *call = 0;

	caller.tgid = current_tgid();
	if (sources & (1u << NETTAP_SOURCE_GO_TLS)) {
		struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

		caller.who = GOROUTINE(regs);
		caller.go = 1;
		call = bpf_map_lookup_elem(&tls_calls, &caller);
	}
	if (!call) {
		caller.who = (__u32)id;
		caller.go = 0;
		call = bpf_map_lookup_elem(&tls_calls, &caller);
	}
	if (call)
		tls_name_of(name, call->session);
	return call;
}

/* The thread's output begins with a TLS record, and no call is around it: it may be that of the session which wrote to
 * memory last. */
static __always_inline void tls_match_output(struct socket_state *state, __u64 sock, __u8 type, __u32 length)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct tls_thread *thread = bpf_map_lookup_elem(&tls_threads, &id);
	struct tls_session *session;
	struct tls_name name;

	if (!thread || !thread->session)
		return;
	if (thread->kind == TLS_KIND_DATA && (type != TLS_DATA || !tls_plausible(thread->plain, length)))
		return;
	if (thread->kind == TLS_KIND_HANDSHAKE && type == TLS_ALERT)
		return;
	tls_name_of(&name, thread->session);
	thread->session = 0;
	session = bpf_map_lookup_elem(&tls_sessions, &name);
	if (!session || tls_socket(session->sock, session->generation))
		return;
	if (thread->kind == TLS_KIND_DATA)
		state->tls_session = name.session;
	tls_bind(&name, session, state, sock, NETTAP_BY_NEXT_IO);
}

static __always_inline void tls_note_received(struct socket_state *state, __u64 sock, __u8 type, __u32 length)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct tls_thread *thread = bpf_map_lookup_elem(&tls_threads, &id);
	struct tls_thread fresh = {};

	if (!thread) {
		bpf_map_update_elem(&tls_threads, &id, &fresh, BPF_ANY);
		thread = bpf_map_lookup_elem(&tls_threads, &id);
		if (!thread)
			return;
	}
	thread->received = sock;
	thread->received_generation = state->generation;
	thread->received_length = length;
	thread->received_type = type;
}

/* A socket call inside a call of a TLS library. */
static __always_inline bool tls_nested(struct tls_call *call, const struct tls_name *name, struct socket_state *state,
				       __u64 sock)
{
	struct tls_session *session = tls_session_of(name);

	call->sock = sock;
	call->generation = state->generation;
	if (session)
		tls_bind(name, session, state, sock, NETTAP_BY_NESTED);
	if (call->kind != TLS_KIND_HANDSHAKE)
		state->tls_session = name->session;
	return state->tls_session != 0;
}

/* A call moved `bytes` on a socket, the first of them at `first` in the process. True: they are records of a session
 * whose plaintext is captured, and are not told themselves. */
static __always_inline bool tls_on_io(struct socket_state *state, __u64 sk, __u8 direction, __u64 first, __u64 bytes)
{
	__u32 tgid = current_tgid();
	__u32 *known = bpf_map_lookup_elem(&tls_processes, &tgid);
	__u32 sources = known ? *known : 0;
	struct tls_call *call;
	struct tls_name name;
	__u32 length = 0;
	__u8 type;

	call = tls_call_around(sources, &name);
	if (call)
		return tls_nested(call, &name, state, sk);
	if (state->tls_session)
		return true;
	type = tls_record_at(first, bytes, &length);
	if (!type)
		return false;
	if (!sources)
		tls_tell_seen(state);
	if (direction == NETTAP_SENT)
		tls_match_output(state, sk, type, length);
	else
		tls_note_received(state, sk, type, length);
	return state->tls_session != 0;
}

static __always_inline void tls_end_half(__u64 sk, struct socket_state *state, struct half *half, __u8 direction)
{
	struct nettap_chunk head = {};

	if (!half->lost)
		return;
	fill_head(&head, sk, state, direction, source_of_calls);
	head.tgid = 0; /* whoever runs now has nothing to do with it */
	head.tid = 0;
	head.flags = NETTAP_PLAINTEXT;
	flush_last_gap(&head, half);
}

/* The socket is gone: what is lost inside its TLS and not told yet. */
static __always_inline void tls_end(__u64 sk, struct socket_state *state)
{
	tls_end_half(sk, state, &state->plain[NETTAP_SENT], NETTAP_SENT);
	tls_end_half(sk, state, &state->plain[NETTAP_RECEIVED], NETTAP_RECEIVED);
}

#endif
