/* What this kernel allows to this process: asked once at start, by trying. Nothing that is tried stays. */
#ifndef NETTAP_PROBE_H
#define NETTAP_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

struct btf;
struct settings;

enum probed {
	PROBED_BTF,	    /* the kernel's own type information, without which nothing can be loaded */
	PROBED_RING_BUFFER,
	PROBED_INSTRUCTIONS, /* what all programs are made of: atomics that return, tasks with types, registers of a task */
	PROBED_LOOP,	    /* bpf_loop(), since 5.17: without it long calls are cut */
	PROBED_TRACEPOINT,  /* system calls by raw tracepoints with types */
	PROBED_FENTRY,	    /* entry and return of kernel functions by trampolines */
	PROBED_KPROBE,	    /* the same by breakpoints */
	PROBED_UPROBE,	    /* functions of programs and libraries: TLS */
	PROBED_IO_URING,    /* its requests can be noticed */
	PROBED_DESTROYED,   /* the tracepoint tcp:tcp_destroy_sock: when a socket's state can go */
	PROBED_COUNT,
};

struct probe_result {
	const char *name;
	bool works;
	char reason[120]; /* why not; empty when it works */
};

struct probe {
	struct probe_result results[PROBED_COUNT];
	char release[72];
	char machine[72];
	char lockdown[32]; /* none, integrity, confidentiality; unknown where it cannot be read */
	__u64 capabilities; /* effective, as bits 1 << CAP_* */
	bool recv_has_nonblock; /* tcp_recvmsg() of this kernel takes one argument more */
	const char *io_uring_tracepoint; /* NULL: none that is understood */
};

/* The kernel's types: from NETTAP_SYSTEM_VMLINUXPATH, or where that does not hold any, from the kernel itself. */
struct btf *probe_btf(const struct settings *settings);

/* Ask everything. Without BTF the rest is not asked. */
void probe_kernel(const struct settings *settings, struct probe *probe);

/* Whether something is missing without which no program can be loaded; `why` then says what. */
bool probe_lacks(const struct probe *probe, char *why, size_t size);

/* The way in which socket calls are seen, by what works: fentry, tracepoint, kprobe; NULL: in none. `asked` is a name
 * or `auto`; `why` says the reason, for a person. */
const char *probe_choose(const struct probe *probe, const char *asked, char *why, size_t size);

#endif
