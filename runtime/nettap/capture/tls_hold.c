#include "tls_hold.h"

#include <stdlib.h>
#include <string.h>

#include "../bpf/shared.h"
#include "tls.h"

struct held {
	struct held *next;
	uint64_t since_ns;
	uint64_t session;
	size_t size;
	struct {
		struct nettap_frame frame;
		struct nettap_chunk chunk;
		unsigned char payload[];
	} record;
};

static struct held *first, **last = &first;
static size_t bytes;

static void let_go(struct held **place)
{
	struct held *held = *place;

	*place = held->next;
	if (!held->next)
		last = place;
	bytes -= held->size;
	free(held);
}

/* The bytes of a chunk whose socket stays unknown. */
static void give_up(const struct nettap_frame *frame, const struct nettap_chunk *chunk)
{
	struct {
		struct nettap_frame frame;
		struct nettap_chunk chunk;
	} gap = {*frame, *chunk};

	if (!(chunk->flags & NETTAP_GAP)) {
		gap.chunk.flags |= NETTAP_GAP;
		gap.chunk.gap_reason = NETTAP_GAP_UNMATCHED_TLS;
	}
	memset(gap.chunk.local_address, 0, sizeof(gap.chunk.local_address));
	gap.frame.length = sizeof(gap.chunk);
	stat_add("tls_unmatched", "chunks", 1);
	stat_add("tls_unmatched", "bytes", chunk->length);
	line_send(&gap, sizeof(gap));
}

static void release(const struct nettap_tls_matched *matched)
{
	for (struct held **place = &first; *place;) {
		struct nettap_chunk *chunk = &(*place)->record.chunk;
		struct nettap_chunk own = *chunk;

		if ((*place)->session != matched->session || own.tgid != matched->chunk.tgid) {
			place = &(*place)->next;
			continue;
		}
		*chunk = matched->chunk; /* the socket; the rest is the chunk's own */
		chunk->ts = own.ts;
		chunk->tid = own.tid;
		chunk->offset = own.offset + matched->base[own.direction & 1];
		chunk->length = own.length;
		chunk->call_total = own.call_total;
		chunk->chunk_index = own.chunk_index;
		chunk->gap_reason = own.gap_reason;
		chunk->direction = own.direction;
		chunk->source = own.source;
		chunk->flags = own.flags;
		line_send(&(*place)->record, sizeof((*place)->record) + (*place)->size);
		let_go(place);
	}
}

bool tls_hold_take(const void *record, size_t size, uint64_t now_ns)
{
	const struct nettap_frame *frame = record;
	const struct nettap_chunk *chunk = (const void *)(frame + 1);
	size_t payload;
	struct held *held;

	if (frame->type == NETTAP_FRAME_TLS_MATCHED) {
		if (size >= sizeof(struct nettap_tls_matched))
			release(record);
		return true;
	}
	if (frame->type != NETTAP_CHUNK || chunk->sock || !(chunk->flags & NETTAP_PLAINTEXT))
		return false;
	payload = frame->length - sizeof(*chunk);
	held = bytes + payload <= HOLD_BYTES && sizeof(*frame) + frame->length <= size ? malloc(sizeof(*held) + payload)
										       : NULL;
	if (!held) {
		give_up(frame, chunk);
		return true;
	}
	held->next = NULL;
	held->since_ns = now_ns;
	memcpy(&held->session, chunk->local_address, sizeof(held->session));
	held->size = payload;
	memcpy(&held->record, record, sizeof(held->record) + payload);
	memset(held->record.chunk.local_address, 0, sizeof(held->record.chunk.local_address));
	bytes += payload;
	*last = held;
	last = &held->next;
	return true;
}

void tls_hold_expire(uint64_t now_ns)
{
	while (first && now_ns - first->since_ns > HOLD_NS) {
		give_up(&first->record.frame, &first->record.chunk);
		let_go(&first);
	}
}

void tls_hold_forget(void)
{
	while (first)
		let_go(&first);
}
