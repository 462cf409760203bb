#include "dns_stream.h"

#include <string.h>

#define STREAMS 64
#define MESSAGE_MAX 4096
#define LENGTH_BYTES 2

static struct stream {
	__u64 sock;
	__u32 generation;
	int broken; /* where messages begin is not known any more */
	__u64 next; /* offset that goes on where `bytes` end */
	size_t length;
	unsigned char bytes[LENGTH_BYTES + MESSAGE_MAX];
} streams[STREAMS];
static size_t turn;

static struct stream *stream_of(const struct nettap_chunk *chunk)
{
	struct stream *stream;

	for (size_t i = 0; i < STREAMS; i++)
		if (streams[i].sock == chunk->sock && streams[i].generation == chunk->generation)
			return &streams[i];
	stream = &streams[turn++ % STREAMS];
	stream->sock = chunk->sock;
	stream->generation = chunk->generation;
	stream->broken = chunk->offset || (chunk->flags & NETTAP_MIDSTREAM);
	stream->next = chunk->offset;
	stream->length = 0;
	return stream;
}

static size_t wanted(const struct stream *stream)
{
	if (stream->length < LENGTH_BYTES)
		return LENGTH_BYTES;
	return LENGTH_BYTES + (stream->bytes[0] << 8 | stream->bytes[1]);
}

void dns_stream(const struct nettap_chunk *chunk, const void *payload, dns_message *found, void *context)
{
	struct stream *stream = stream_of(chunk);
	const unsigned char *at = payload;
	size_t left = chunk->length;
	struct nettap_chunk head = *chunk;

	if ((chunk->flags & (NETTAP_GAP | NETTAP_PLAINTEXT)) || chunk->offset != stream->next)
		stream->broken = 1;
	if (stream->broken)
		return;
	stream->next += left;
	while (left) {
		size_t need = wanted(stream), take = need - stream->length < left ? need - stream->length : left;

		if (need > sizeof(stream->bytes)) {
			stream->broken = 1;
			return;
		}
		memcpy(stream->bytes + stream->length, at, take);
		stream->length += take;
		at += take;
		left -= take;
		if (stream->length < LENGTH_BYTES || stream->length < wanted(stream))
			continue;
		head.length = stream->length - LENGTH_BYTES;
		head.chunk_index = 0;
		found(context, &head, stream->bytes + LENGTH_BYTES, head.length);
		stream->length = 0;
	}
}

void dns_stream_forget(void)
{
	memset(streams, 0, sizeof(streams));
}
