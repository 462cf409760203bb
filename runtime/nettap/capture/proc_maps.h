/* The files whose code a process has mapped, and how to open them as that process sees them.
 *
 * Called by tls.c. Paths come from a process that may be hostile: they are resolved inside its own root, and what is
 * opened is a file or nothing.
 */
#ifndef NETTAP_PROC_MAPS_H
#define NETTAP_PROC_MAPS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define MAPPED_FILES_MAX 1024

struct mapped_file {
	uint64_t device;
	uint64_t inode;
	uint64_t begin, end; /* of the first mapping, which names it in map_files */
	bool deleted;
	char path[PATH_MAX]; /* from the process's root */
};

typedef void file_mapped(void *context, const struct mapped_file *file);

/* Visit each file of which process `tgid` has mapped code, once, at most MAPPED_FILES_MAX. False: it is gone. */
bool proc_maps_visit(const char *procfs, unsigned int tgid, file_mapped *visit, void *context);

/* Open a mapped file for reading; -1: not to be had (errno). */
int proc_maps_open(const char *procfs, unsigned int tgid, const struct mapped_file *file);

#endif
