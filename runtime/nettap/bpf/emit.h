/* Chunks and gaps into the ring, from whichever program has bytes: socket calls and TLS libraries.
 *
 * A caller fills a `struct call` (its `head` and where the bytes lie) and hands the `struct half` that counts them; what
 * could not be told is remembered in the half and told as soon as there is room. Offsets always go on.
 */
#ifndef NETTAP_EMIT_H
#define NETTAP_EMIT_H

#include "tasks.h"

/* Steps of one walk where the kernel has no bpf_loop(): parts plus chunks. */
#define STEPS_WITHOUT_LOOP 48
#define STEPS_MAX (1 << 22)

struct iovec_user {
	__u64 base;
	__u64 length;
};

#define CHUNK_RECORD(size)                  \
	struct chunk_##size {               \
		struct nettap_frame frame;  \
		struct nettap_chunk chunk;  \
		__u8 payload[size];         \
	}

struct chunk_0 {
	struct nettap_frame frame;
	struct nettap_chunk chunk;
};
CHUNK_RECORD(256);
CHUNK_RECORD(1024);
CHUNK_RECORD(4096);
CHUNK_RECORD(16384);

static __always_inline void fill_frame(struct nettap_frame *frame, __u16 type, __u32 payload)
{
	frame->type = type;
	frame->version = NETTAP_WIRE_VERSION;
	frame->length = sizeof(struct nettap_chunk) + payload;
}

static __always_inline __u16 ring_full_reason(void)
{
	return line_full ? NETTAP_GAP_SOCKET_FULL : NETTAP_GAP_RING_FULL;
}

/* Tell the gap that is pending, if there is one and room for it in `ring`. */
static __always_inline void flush_gap_into(void *ring, __u32 drops, const struct nettap_chunk *head, struct half *half)
{
	struct chunk_0 *record;
	__u64 bytes = half->lost;

	if (!bytes)
		return;
	record = bpf_ringbuf_reserve(ring, sizeof(*record), 0);
	if (!record) {
		count(NETTAP_COUNT_RING_DROPS + drops, 1);
		return;
	}
	if (bytes > 0xffffffff)
		bytes = 0xffffffff;
	fill_frame(&record->frame, NETTAP_CHUNK, 0);
	__builtin_memcpy(&record->chunk, head, sizeof(*head));
	record->chunk.offset = half->lost_from;
	record->chunk.length = bytes;
	record->chunk.gap_reason = half->lost_reason;
	record->chunk.flags = head->flags | NETTAP_GAP | (half->midstream ? NETTAP_MIDSTREAM : 0);
	bpf_ringbuf_submit(record, 0);
	half->lost_from += bytes;
	half->lost -= bytes;
}

static __always_inline void flush_gap(const struct nettap_chunk *head, struct half *half)
{
	flush_gap_into(&chunks, NETTAP_RING_CHUNKS, head, half);
}

/* The same at a stream's end, when there is no later: the ring of chunks may be full just then. */
static __always_inline void flush_last_gap(const struct nettap_chunk *head, struct half *half)
{
	flush_gap_into(&events, NETTAP_RING_EVENTS, head, half);
}

/* Account for `bytes` of the stream that will not be told. */
static __always_inline void lose(const struct nettap_chunk *head, struct half *half, __u64 bytes, __u16 reason)
{
	if (!bytes)
		return;
	if (half->lost && half->lost_reason != reason)
		flush_gap(head, half);
	if (!half->lost) {
		half->lost_from = half->offset;
		half->lost_reason = reason;
	}
	half->lost += bytes;
	half->offset += bytes;
	half->seq += bytes;
	if (reason < NETTAP_GAP_REASONS) {
		count(NETTAP_COUNT_GAPS + reason, 1);
		count(NETTAP_COUNT_GAP_BYTES + reason, bytes);
	}
}

#define EMIT_CLASS(size)                                                                              \
	{                                                                                             \
		struct chunk_##size *record = bpf_ringbuf_reserve(&chunks, sizeof(*record), 0);       \
		if (!record)                                                                          \
			return NETTAP_GAP_RING_FULL;                                                  \
		if (bpf_probe_read_user(record->payload, bytes, (const void *)call->at)) {            \
			bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);                                \
			return NETTAP_GAP_UNREADABLE;                                                 \
		}                                                                                     \
		fill_frame(&record->frame, NETTAP_CHUNK, bytes);                                      \
		__builtin_memcpy(&record->chunk, &call->head, sizeof(call->head));                    \
		record->chunk.offset = half->offset;                                                  \
		record->chunk.length = bytes;                                                         \
		record->chunk.flags = call->head.flags | (half->midstream ? NETTAP_MIDSTREAM : 0);    \
		bpf_ringbuf_submit(record, 0);                                                        \
		return NETTAP_GAP_NONE;                                                               \
	}

/* One chunk of `bytes` (1 to 16384) at call->at. Returns NETTAP_GAP_NONE, or why it could not be told. */
static __always_inline int emit_piece(struct call *call, struct half *half, __u64 bytes)
{
	/* Each branch bounds `bytes` anew, in the register that is used: the compiler must not remember more than the
	 * verifier does. */
	asm volatile("" : "+r"(bytes));
	if (bytes <= 256)
		EMIT_CLASS(256)
	if (bytes <= 1024)
		EMIT_CLASS(1024)
	if (bytes <= 4096)
		EMIT_CLASS(4096)
	if (bytes <= 16384)
		EMIT_CLASS(16384)
	return NETTAP_GAP_CALL_TOO_LONG;
}

struct walk {
	struct call *call;
	struct half *half;
};

static __always_inline int read_part(struct call *call, __u64 index, struct iovec_user *part)
{
	const void *at = (const void *)(call->parts + index * sizeof(*part));

	if (call->asked.in_kernel)
		return bpf_probe_read_kernel(part, sizeof(*part), at);
	return bpf_probe_read_user(part, sizeof(*part), at);
}

/* On to the next part of the vector, or to the next message's vector. Returns 1 at the end. */
static int next_part(struct call *call);

static long walk_step(__u32 index, struct walk *walk)
{
	struct call *call = walk->call;
	struct half *half = walk->half;
	__u64 bytes;
	int failed;

	if (!call->left)
		return 1;
	if (!call->at_left)
		return next_part(call);
	bytes = call->at_left < call->left ? call->at_left : call->left;
	if (bytes > NETTAP_PAYLOAD_MAX)
		bytes = NETTAP_PAYLOAD_MAX;
	if (half->lost)
		flush_gap(&call->head, half);
	failed = emit_piece(call, half, bytes);
	if (failed == NETTAP_GAP_RING_FULL) {
		/* The call's message is broken in any case: its other bytes are not tried, a full ring costs little. */
		count(NETTAP_COUNT_RING_DROPS + NETTAP_RING_CHUNKS, 1);
		lose(&call->head, half, call->left, ring_full_reason());
		call->left = 0;
		return 1;
	}
	if (failed) {
		lose(&call->head, half, bytes, failed);
	} else {
		half->offset += bytes;
		half->seq += bytes;
		count(NETTAP_COUNT_CHUNKS, 1);
		count(NETTAP_COUNT_BYTES + (call->head.direction & 1), bytes);
	}
	call->head.chunk_index++;
	call->at += bytes;
	call->at_left -= bytes;
	call->left -= bytes;
	return 0;
}

/* Tell call->left bytes: those at call->at (call->at_left of them), then those of the parts that follow. */
static __always_inline void emit_call(struct call *call, struct half *half)
{
	struct walk walk = {.call = call, .half = half};
	__u16 reason = NETTAP_GAP_UNREADABLE;

	call->head.call_total = call->left;
	call->head.chunk_index = 0;
	call->head.gap_reason = NETTAP_GAP_NONE;
	if (have_loop) {
		bpf_loop(STEPS_MAX, walk_step, &walk, 0);
	} else {
		int step;

		for (step = 0; step < STEPS_WITHOUT_LOOP; step++)
			if (walk_step(step, &walk))
				break;
		if (step == STEPS_WITHOUT_LOOP)
			reason = call->part < call->part_count ? NETTAP_GAP_VECTOR_TOO_LONG
							       : NETTAP_GAP_CALL_TOO_LONG;
	}
	if (call->left)
		lose(&call->head, half, call->left, reason);
	call->left = 0;
	if (half->lost)
		flush_gap(&call->head, half);
}

#endif
