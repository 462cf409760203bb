/* Counters of the BPF programs and of this process, as the JSON of STATS. */
#ifndef NETTAP_STATS_H
#define NETTAP_STATS_H

#include <linux/types.h>

struct json;
struct nettap_bpf;

__s64 boot_offset_ns(void); /* Unix time minus CLOCK_BOOTTIME */
__u64 boot_now_ns(void);

/* Counters of this process: name and label are constants. */
void stat_add(const char *name, const char *label, __u64 more);

/* The whole payload of a STATS frame. */
void stats_write(struct nettap_bpf *object, struct json *json);

#endif
