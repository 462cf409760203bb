/* The line to the ingest: one stream socket that is never waited for.
 *
 * Frames go into a buffer of fixed size and from there to the socket as it takes them. While the buffer has no room,
 * rings are not emptied (line_has_room), so that a stopped ingest ends in counted gaps and not in memory.
 */
#ifndef NETTAP_LINE_H
#define NETTAP_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "../include/nettap_wire.h"

struct line {
	int fd; /* -1: not connected */
	char *out;
	size_t out_begin, out_end, out_room;
	char in[sizeof(struct nettap_frame) + NETTAP_FRAME_MAX];
	size_t in_length;
};

/* What the ingest said; false ends the connection. */
typedef bool line_heard(void *context, const struct nettap_frame *frame, const void *payload);

bool line_init(struct line *line, size_t bytes);
bool line_connect(struct line *line, const char *path);
void line_close(struct line *line);

/* Room for one largest frame. */
bool line_has_room(const struct line *line);
bool line_waits(const struct line *line);

/* A frame in up to three parts; false: no room, nothing was taken. Frames out of a ring come whole by line_put_raw. */
bool line_put(struct line *line, __u16 type, const void *head, size_t head_length, const void *rest, size_t length);
bool line_put_raw(struct line *line, const void *frame, size_t length);

/* False: the connection is gone. */
bool line_flush(struct line *line);
bool line_read(struct line *line, line_heard *heard, void *context);

#endif
