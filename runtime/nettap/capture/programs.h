/* The BPF object: chosen, loaded, attached and detached. */
#ifndef NETTAP_PROGRAMS_H
#define NETTAP_PROGRAMS_H

#include <stdbool.h>

#include "cgroups.h"
#include "nettap.skel.h"
#include "settings.h"

struct json;

struct programs {
	struct nettap_bpf *object;
	const char *method; /* fentry, tracepoint or kprobe */
	char why[256];
	bool loop;	    /* bpf_loop() is used */
	bool io_uring;	    /* its requests are noticed */
	bool attached;
	int measuring; /* NETTAP_BPF_STATS: a descriptor; 0 or less: not */
};

/* False: not even the least works; the reason is in the log. */
bool programs_load(struct programs *programs, const struct settings *settings, const struct hierarchy *hierarchy);
bool programs_attach(struct programs *programs);
void programs_detach(struct programs *programs); /* and forget all sockets and calls */
void programs_close(struct programs *programs);

/* Keys of HELLO's "methods". */
void programs_describe(const struct programs *programs, struct json *json);

#endif
