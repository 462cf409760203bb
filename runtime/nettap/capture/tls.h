/* Plaintext inside TLS: what the rest of the capture process tells it, and what it may ask for. */
#ifndef NETTAP_TLS_H
#define NETTAP_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "../include/nettap_wire.h"

struct nettap_bpf;
struct settings;
struct json;

bool tls_init(struct nettap_bpf *programs, const struct settings *settings); /* before the programs are loaded */
void tls_loaded(void);	/* after: maps and programs have descriptors */
void tls_process_runs(__u32 tgid, __u64 cgroup); /* exec in a captured cgroup, or found there, or moved there */
void tls_process_ended(__u32 tgid);
void tls_event(const void *record, size_t length); /* of the events ring, kinds NETTAP_EVENT_TLS to +31 */
/* A record of the chunks ring that needs a look before the ingest gets it; true: taken, and sent later by line_send(). */
bool tls_takes(const struct nettap_frame *frame, size_t size);
void tls_work(void); /* after the events ring was emptied */
void tls_tick(__u64 now_ns);			   /* about ten times a second while something is captured */
void tls_targets_changed(void);
void tls_detach(void); /* nothing is captured any more: the kernel is left as it was */
void tls_close(void);
void tls_describe(struct json *methods); /* keys of HELLO's "methods" */

/* for tls: a PROCESS frame; `plaintext` as bits 1 << enum nettap_source; a counter of STATS */
void process_report(__u32 tgid, __u64 cgroup, int event, __u32 plaintext, __u32 refused);
void line_send(const void *frame, size_t length); /* a whole frame, its header first */
void stat_add(const char *name, const char *label, __u64 more);

#endif
