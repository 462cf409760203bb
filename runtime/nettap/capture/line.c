#include "line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

#define LARGEST (sizeof(struct nettap_frame) + NETTAP_FRAME_MAX)

bool line_init(struct line *line, size_t bytes)
{
	memset(line, 0, sizeof(*line));
	line->fd = -1;
	line->out_room = bytes;
	line->out = malloc(bytes);
	return line->out != NULL;
}

bool line_connect(struct line *line, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return false;
	strcpy(address.sun_path, path);
	line->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (line->fd < 0)
		return false;
	if (connect(line->fd, (struct sockaddr *)&address, sizeof(address))) {
		close(line->fd);
		line->fd = -1;
		return false;
	}
	return true;
}

void line_close(struct line *line)
{
	if (line->fd >= 0)
		close(line->fd);
	line->fd = -1;
	line->out_begin = line->out_end = line->in_length = 0;
}

static size_t free_room(const struct line *line)
{
	return line->out_room - (line->out_end - line->out_begin);
}

bool line_has_room(const struct line *line)
{
	return free_room(line) >= LARGEST;
}

bool line_waits(const struct line *line)
{
	return line->out_end > line->out_begin;
}

static char *reserve(struct line *line, size_t length)
{
	char *at;

	if (line->fd < 0)
		return NULL;
	if (free_room(line) < length)
		line_flush(line); /* an error shows again at the next one */
	if (free_room(line) < length)
		return NULL;
	if (line->out_room - line->out_end < length) {
		memmove(line->out, line->out + line->out_begin, line->out_end - line->out_begin);
		line->out_end -= line->out_begin;
		line->out_begin = 0;
	}
	at = line->out + line->out_end;
	line->out_end += length;
	return at;
}

bool line_put_raw(struct line *line, const void *frame, size_t length)
{
	char *at = reserve(line, length);

	if (at)
		memcpy(at, frame, length);
	return at != NULL;
}

bool line_put(struct line *line, __u16 type, const void *head, size_t head_length, const void *rest, size_t length)
{
	struct nettap_frame frame = {
		.type = type,
		.version = NETTAP_WIRE_VERSION,
		.length = head_length + length,
	};
	char *at = reserve(line, sizeof(frame) + head_length + length);

	if (!at)
		return false;
	memcpy(at, &frame, sizeof(frame));
	if (head_length)
		memcpy(at + sizeof(frame), head, head_length);
	if (length)
		memcpy(at + sizeof(frame) + head_length, rest, length);
	return true;
}

bool line_flush(struct line *line)
{
	while (line_waits(line)) {
		ssize_t sent = send(line->fd, line->out + line->out_begin, line->out_end - line->out_begin,
				    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0)
			return errno == EAGAIN || errno == EINTR;
		line->out_begin += sent;
	}
	line->out_begin = line->out_end = 0;
	return true;
}

/* Hand out the whole frames that have arrived. */
static bool frames(struct line *line, line_heard *heard, void *context)
{
	size_t at = 0;

	while (line->in_length - at >= sizeof(struct nettap_frame)) {
		struct nettap_frame frame;

		memcpy(&frame, line->in + at, sizeof(frame));
		if (frame.version != NETTAP_WIRE_VERSION || frame.length > NETTAP_FRAME_MAX) {
			log_error("ingest_not_understood", "version", log_number(frame.version), "length",
				  log_number(frame.length), NULL);
			return false;
		}
		if (line->in_length - at < sizeof(frame) + frame.length)
			break;
		if (!heard(context, &frame, line->in + at + sizeof(frame)))
			return false;
		at += sizeof(frame) + frame.length;
	}
	memmove(line->in, line->in + at, line->in_length - at);
	line->in_length -= at;
	return true;
}

bool line_read(struct line *line, line_heard *heard, void *context)
{
	for (;;) {
		ssize_t got = recv(line->fd, line->in + line->in_length, sizeof(line->in) - line->in_length,
				   MSG_DONTWAIT);

		if (!got)
			return false;
		if (got < 0)
			return errno == EAGAIN || errno == EINTR;
		line->in_length += got;
		if (!frames(line, heard, context))
			return false;
	}
}
