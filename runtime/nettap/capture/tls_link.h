/* One BPF program at places of a file: how that is done depends on the kernel.
 *
 * Kernels from 6.6 put a program at many places at once, with CAP_BPF and CAP_PERFMON. Others have perf events, one for
 * each place; those ask for CAP_SYS_ADMIN since 2025, in all stable kernels that took the fix. Called by tls_files.c.
 */
#ifndef NETTAP_TLS_LINK_H
#define NETTAP_TLS_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct bpf_object;
struct bpf_program;
struct bpf_link;

struct tls_link {
	int fd;		       /* of many places at once; -1: `perf` */
	struct bpf_link *perf; /* of one place */
};

/* Before the programs are loaded: find out, and make those whose section is u(ret)probe fit. */
void tls_link_prepare(struct bpf_object *object);
bool tls_link_many(void); /* whether the kernel takes many places at once; it is asked once */

/* Put the program at these places of the file at `path`. One link at least, at most `count`; returns how many were made,
 * or 0 (errno). */
unsigned int tls_link_make(struct tls_link links[], const struct bpf_program *program, bool at_return, const char *path,
			   const uint64_t offsets[], unsigned int count);

/* Slow: see tls_unprobe.h. */
void tls_link_destroy(struct tls_link *link);

#endif
