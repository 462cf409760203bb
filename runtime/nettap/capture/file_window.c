#include "file_window.h"

#include <errno.h>
#include <unistd.h>

void file_window_init(struct file_window *window, int fd, uint64_t size)
{
	window->fd = fd;
	window->size = size;
	window->start = 0;
	window->filled = 0;
}

static uint32_t fill(struct file_window *window, uint64_t offset)
{
	uint32_t filled = 0;

	while (filled < FILE_WINDOW_BYTES) {
		ssize_t got = pread(window->fd, window->bytes + filled, FILE_WINDOW_BYTES - filled,
				    (off_t)(offset + filled));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		filled += (uint32_t)got;
	}
	return filled;
}

const void *file_window_at(struct file_window *window, uint64_t offset, uint32_t length)
{
	if (length > FILE_WINDOW_BYTES || offset > window->size || length > window->size - offset)
		return NULL;
	if (offset < window->start || offset - window->start > window->filled ||
	    length > window->filled - (offset - window->start)) {
		window->filled = fill(window, offset);
		window->start = offset;
		if (length > window->filled)
			return NULL;
	}
	return window->bytes + (offset - window->start);
}
