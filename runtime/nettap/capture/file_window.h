/* Reads parts of a file through one bounded buffer.
 *
 * Executables of captured pods are hostile input: nothing here maps them (a file that shrinks under a mapping kills the
 * reader) or trusts a length found in them. Called by elf_file.c and go_binary.c. Memory does not depend on the file.
 */
#ifndef NETTAP_FILE_WINDOW_H
#define NETTAP_FILE_WINDOW_H

#include <stdint.h>

#define FILE_WINDOW_BYTES 65536

struct file_window {
	int fd;
	uint64_t size;	/* of the file, when it was opened */
	uint64_t start; /* file offset of bytes[0] */
	uint32_t filled;
	unsigned char bytes[FILE_WINDOW_BYTES];
};

void file_window_init(struct file_window *window, int fd, uint64_t size);

/* Bytes [offset, offset + length) of the file, valid until the next call; length at most FILE_WINDOW_BYTES.
 * NULL when the file does not hold them. */
const void *file_window_at(struct file_window *window, uint64_t offset, uint32_t length);

#endif
