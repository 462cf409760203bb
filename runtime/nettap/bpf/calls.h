/* What is done at the beginning and at the end of a call that moves bytes on a socket, however the call was seen.
 *
 * At the beginning the socket is looked up, as the descriptor may be closed and reused before the end; at the end the
 * bytes are told, if the kernel's counters say where in the stream they belong.
 */
#ifndef NETTAP_CALLS_H
#define NETTAP_CALLS_H

#include "cgroups.h"
#include "registers.h"
#include "tls_match.h"

#define MSG_OOB 1
#define MSG_PEEK 2
#define MSG_TRUNC 0x20
#define MSG_ERRQUEUE 0x2000

#define DNS_PORT 53

/* members of struct user_msghdr and struct mmsghdr of 64-bit programs */
struct msghdr_user {
	__u64 name;
	__u32 name_length;
	__u32 pad;
	__u64 parts;
	__u64 part_count;
	__u64 control;
	__u64 control_length;
	__u32 flags;
	__u32 pad2;
};
struct mmsghdr_user {
	struct msghdr_user header;
	__u32 length;
	__u32 pad;
};

static int next_part(struct call *call)
{
	struct iovec_user part = {};

	if (call->asked.shape == SHAPE_MESSAGES && !call->message_left) {
		struct mmsghdr_user message = {};

		if (call->message >= call->asked.count)
			return 1;
		if (bpf_probe_read_user(&message, sizeof(message),
					(const void *)(call->asked.buffer + call->message * sizeof(message))))
			return 1;
		call->message++;
		call->message_left = message.length;
		call->parts = message.header.parts;
		call->part_count = message.header.part_count;
		call->part = 0;
		return 0;
	}
	if (call->part >= call->part_count)
		return 1;
	if (read_part(call, call->part, &part))
		return 1;
	call->part++;
	call->at = part.base;
	call->at_left = part.length;
	if (call->asked.shape == SHAPE_MESSAGES) {
		if (call->at_left > call->message_left)
			call->at_left = call->message_left;
		call->message_left -= call->at_left;
	}
	return 0;
}

/* Make the walk ready at the call's first byte. */
static __always_inline void walk_begin(struct call *call, __u64 bytes)
{
	struct msghdr_user message = {};

	call->left = bytes;
	call->at_left = 0;
	call->part = 0;
	call->part_count = 0;
	call->message = 0;
	call->message_left = 0;
	if (call->asked.shape == SHAPE_BUFFER) {
		call->at = call->asked.buffer;
		call->at_left = bytes;
		return;
	}
	if (call->asked.shape == SHAPE_PARTS) {
		call->parts = call->asked.buffer;
		call->part_count = call->asked.count;
	} else if (call->asked.shape == SHAPE_MESSAGE) {
		if (bpf_probe_read_user(&message, sizeof(message), (const void *)call->asked.buffer))
			return;
		call->parts = message.parts;
		call->part_count = message.part_count;
		call->asked.name = message.name;
	} else {
		next_part(call);
	}
	next_part(call);
	if (call->asked.skip && call->at_left > call->asked.skip) {
		call->at += call->asked.skip;
		call->at_left -= call->asked.skip;
	}
}

static long sum_step(__u32 index, struct walk *walk)
{
	struct call *call = walk->call;
	__u32 length = 0;

	if (call->message >= call->asked.count)
		return 1;
	if (bpf_probe_read_user(&length, sizeof(length),
				(const void *)(call->asked.buffer + call->message * sizeof(struct mmsghdr_user) +
					       sizeof(struct msghdr_user))))
		return 1;
	call->sum += length;
	call->message++;
	return 0;
}

/* The bytes of `messages` messages together; the kernel has written their lengths. */
static __always_inline __u64 sum_of_messages(struct call *call, __u64 messages)
{
	struct walk walk = {.call = call};

	call->asked.count = messages;
	call->message = 0;
	call->sum = 0;
	if (have_loop) {
		bpf_loop(1024, sum_step, &walk, 0);
	} else {
		for (int i = 0; i < STEPS_WITHOUT_LOOP; i++)
			if (sum_step(i, &walk))
				break;
	}
	return call->sum;
}

static __always_inline __u8 hook_of(__u8 shape, __u8 direction)
{
	if (shape == SHAPE_IO_URING)
		return NETTAP_HOOK_IO_URING;
	if (shape >= SHAPE_SENDFILE)
		return NETTAP_HOOK_MOVE;
	return direction == NETTAP_SENT ? NETTAP_HOOK_SEND : NETTAP_HOOK_RECEIVE;
}

/* The system call that this thread is in: names what moves bytes out of sight. */
static __always_inline long current_number(void)
{
	return number_of((struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()));
}

/* Remember the call that this thread is in; 0: nothing to remember. */
static __always_inline struct call *call_begin(struct sock *sk, const struct asked *asked)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 zero = 0;
	struct call *call = bpf_map_lookup_elem(&blank_call, &zero);

	if (!call)
		return 0;
	if (bpf_map_update_elem(&calls, &id, call, BPF_ANY)) {
		count(NETTAP_COUNT_CALLS_FULL, 1);
		return 0;
	}
	call = bpf_map_lookup_elem(&calls, &id);
	if (!call)
		return 0;
	call->sock = (__u64)sk;
	call->asked = *asked;
	call->began = bpf_ktime_get_boot_ns();
	call->seq = asked->udp ? 0 : kernel_seq(sk, asked->direction);
	return call;
}

/* The call that this thread is in; 0: none that is known. One that began before its cgroup was captured anew may have
 * ended unseen. */
static __always_inline struct call *call_of(__u64 id, const struct nettap_allowed *rule)
{
	struct call *call = bpf_map_lookup_elem(&calls, &id);

	return call && call->asked.since == rule->since ? call : 0;
}

/* Say that a direction of a socket has ended at its present offset. */
static __always_inline void tell_end(const struct nettap_chunk *head, struct half *half)
{
	struct chunk_0 *record;

	if (half->ended)
		return;
	half->ended = 1;
	record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
	if (!record) {
		count(NETTAP_COUNT_RING_DROPS + NETTAP_RING_EVENTS, 1);
		return;
	}
	fill_frame(&record->frame, NETTAP_CLOSE, 0);
	__builtin_memcpy(&record->chunk, head, sizeof(*head));
	record->chunk.offset = half->offset;
	record->chunk.flags = head->flags | NETTAP_EOF | (half->midstream ? NETTAP_MIDSTREAM : 0);
	bpf_ringbuf_submit(record, 0);
}

/* What moved this direction up to the kernel's `seq` without a call that was seen is a gap. */
static __always_inline void catch_up(const struct nettap_chunk *head, struct half *half, __u32 seq)
{
	__s32 unseen = seq - half->seq;

	if (unseen > 0)
		lose(head, half, unseen, half->moved_by ? half->moved_by : NETTAP_GAP_NOT_SEEN);
	half->seq = seq;
}

static __always_inline bool has_upper_protocol(struct sock *sk)
{
	struct inet_connection_sock *connection = (struct inet_connection_sock *)sk;

	return BPF_CORE_READ(connection, icsk_ulp_ops) != 0;
}

/* Find where in its stream a call's bytes begin. False: that is not known, as calls overlapped; what they moved becomes
 * a gap with the next call that is alone. */
static __always_inline bool place(struct call *call, struct sock *sk, struct half *half, __u64 bytes, __u32 now)
{
	__u32 start = now - (__u32)bytes;

	if (call->asked.late) {
		if ((__s64)bytes_before(sk, call->asked.direction, start) < 0)
			return false;
		call->seq = start;
	}
	if (!half->known) {
		if (call->seq != start && bytes_before(sk, call->asked.direction, start) > 1)
			return false;
		half_begin(half, sk, call->asked.direction, start);
		return true;
	}
	if (half->seq == start)
		return true;
	if (call->seq != start || (__s32)(start - half->seq) < 0)
		return false;
	catch_up(&call->head, half, start);
	return true;
}

static __always_inline void tell_bytes(struct call *call, struct sock *sk, struct socket_state *state,
				       struct half *half, __u64 bytes)
{
	__u32 now = kernel_seq(sk, call->asked.direction);

	if (call->asked.direction == NETTAP_RECEIVED && fin_was_read(sk))
		now--;
	if (has_upper_protocol(sk)) {
		/* Encrypted by the kernel: the call's bytes are not the stream's. */
		lose(&call->head, half, bytes, NETTAP_GAP_NOT_SEEN);
		half->seq = now;
		half->known = 1;
		return;
	}
	if (!place(call, sk, half, bytes, now)) {
		count(NETTAP_COUNT_OVERLAPPED, 1);
		return;
	}
	if (call->asked.shape == SHAPE_SENDFILE) {
		lose(&call->head, half, bytes, NETTAP_GAP_SENDFILE);
	} else if (call->asked.shape == SHAPE_SPLICE) {
		lose(&call->head, half, bytes, NETTAP_GAP_SPLICE);
	} else if (call->asked.shape == SHAPE_IO_URING) {
		lose(&call->head, half, bytes, NETTAP_GAP_IO_URING);
	} else if (call->asked.direction == NETTAP_RECEIVED && (call->asked.flags & MSG_TRUNC)) {
		lose(&call->head, half, bytes, NETTAP_GAP_UNREADABLE); /* thrown away by the application's wish */
	} else {
		walk_begin(call, bytes);
		if (tls_on_io(state, call->sock, call->asked.direction, call->at, bytes)) {
			count(NETTAP_COUNT_SUPPRESSED, bytes);
			half->offset += bytes;
			half->seq += bytes;
			return;
		}
		emit_call(call, half);
	}
	if (half->lost)
		flush_gap(&call->head, half);
}

/* The application read the end of the stream. */
static __always_inline void tell_end_of_received(struct call *call, struct sock *sk, struct half *half)
{
	__u32 now = kernel_seq(sk, NETTAP_RECEIVED);

	if (!fin_was_read(sk) || half->ended)
		return;
	if (half->known)
		catch_up(&call->head, half, now - 1);
	else
		half_begin(half, sk, NETTAP_RECEIVED, now - 1);
	flush_last_gap(&call->head, half);
	tell_end(&call->head, half);
}

/* The end of a call on a TCP socket: `result` is what the call returned. */
static __always_inline void tcp_call_end(struct call *call, __s64 result)
{
	struct sock *sk = (struct sock *)call->sock;
	__u64 key = call->sock;
	struct socket_state *state = bpf_map_lookup_elem(&sockets, &key);
	struct half *half;

	if (!state || state->generation != call->asked.generation || result < 0)
		return;
	if (call->asked.direction == NETTAP_RECEIVED && (call->asked.flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE)))
		return;
	if (call->asked.shape == SHAPE_MESSAGES)
		result = sum_of_messages(call, result);
	if (state->ignored) {
		count(NETTAP_COUNT_IGNORED_PORTS, result);
		return;
	}
	half = call->asked.direction == NETTAP_SENT ? &state->halves[NETTAP_SENT] : &state->halves[NETTAP_RECEIVED];
	fill_head(&call->head, call->sock, state, call->asked.direction, source_of_calls);
	if (call->asked.direction == NETTAP_SENT)
		call->head.ts = call->began; /* an answer that another thread has read is later for certain */
	count(NETTAP_COUNT_RETURNS + hook_of(call->asked.shape, call->asked.direction), 1);
	if (result > 0) {
		/* Threads without a lock of their own: one is told of, the other's bytes become a gap, as when calls overlap. */
		if (__sync_val_compare_and_swap(&half->busy, 0, 1)) {
			count(NETTAP_COUNT_OVERLAPPED, 1);
			return;
		}
		tell_bytes(call, sk, state, half, result);
		__sync_lock_test_and_set(&half->busy, 0);
	} else if (call->asked.direction == NETTAP_RECEIVED) {
		tell_end_of_received(call, sk, half);
	}
}

#endif
