#include "stats.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../bpf/shared.h"
#include "json.h"
#include "nettap.skel.h"

#define OWN_MAX 256

static struct own {
	const char *name, *label;
	__u64 value;
} own[OWN_MAX];
static size_t own_count;

static const char *const hooks[] = {"send", "receive", "move", "io_uring", "tls_write", "tls_read"};
static const char *const rings[] = {"capture_chunks", "capture_events"};
static const char *const directions[] = {"received", "sent"};
static const char *const reasons[] = {"none",	   "ring_full",	     "call_too_long", "sendfile",    "splice",
				      "io_uring",  "unreadable",     "vector_too_long", "unmatched_tls", "socket_full",
				      "not_seen"};
_Static_assert(sizeof(hooks) / sizeof(*hooks) == NETTAP_HOOKS, "hooks");
_Static_assert(sizeof(rings) / sizeof(*rings) == NETTAP_RINGS, "rings");
_Static_assert(sizeof(reasons) / sizeof(*reasons) == NETTAP_GAP_REASONS, "reasons");

static __u64 clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

__s64 boot_offset_ns(void)
{
	return (__s64)(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME));
}

__u64 boot_now_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

void stat_add(const char *name, const char *label, __u64 more)
{
	size_t i;

	for (i = 0; i < own_count; i++)
		if (!strcmp(own[i].name, name) && !strcmp(own[i].label, label))
			break;
	if (i == OWN_MAX)
		return;
	if (i == own_count) {
		own[i].name = name;
		own[i].label = label;
		own_count++;
	}
	own[i].value += more;
}

static __u64 counter(struct nettap_bpf *object, __u32 which, __u64 *values, int cpus)
{
	__u64 sum = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(object->maps.counters), &which, values))
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += values[i];
	return sum;
}

static void group(struct nettap_bpf *object, struct json *json, const char *name, __u32 first,
		  const char *const *labels, size_t count, __u64 *values, int cpus)
{
	json_open(json, name);
	for (size_t i = 0; i < count; i++)
		json_number(json, labels[i], counter(object, first + i, values, cpus));
	json_close(json);
}

static void kernel_counters(struct nettap_bpf *object, struct json *json)
{
	static const char *const chunk_kinds[] = {"chunk", "dns"};
	static const char *const refusals[] = {"sockets_full", "calls_full", "program_of_32_bit", "overlapped",
					       "multipath_tcp"};
	static const char *const bytes[] = {"suppressed_tls", "ignored_port"};
	static const char *const tls[] = {"begin_not_seen"};
	int cpus = libbpf_num_possible_cpus();
	__u64 *values = cpus > 0 ? calloc(cpus, sizeof(*values)) : NULL;

	if (!values)
		return;
	group(object, json, "probe_calls", NETTAP_COUNT_CALLS, hooks, NETTAP_HOOKS, values, cpus);
	group(object, json, "probe_returns", NETTAP_COUNT_RETURNS, hooks, NETTAP_HOOKS, values, cpus);
	group(object, json, "bytes_processed", NETTAP_COUNT_BYTES, directions, 2, values, cpus);
	group(object, json, "chunks_published", NETTAP_COUNT_CHUNKS, chunk_kinds, 2, values, cpus);
	group(object, json, "ringbuf_drops", NETTAP_COUNT_RING_DROPS, rings, NETTAP_RINGS, values, cpus);
	group(object, json, "gaps", NETTAP_COUNT_GAPS, reasons, NETTAP_GAP_REASONS, values, cpus);
	group(object, json, "gap_bytes", NETTAP_COUNT_GAP_BYTES, reasons, NETTAP_GAP_REASONS, values, cpus);
	group(object, json, "calls_not_captured", NETTAP_COUNT_SOCKETS_FULL, refusals, 5, values, cpus);
	group(object, json, "bytes_left_out", NETTAP_COUNT_SUPPRESSED, bytes, 2, values, cpus);
	group(object, json, "tls_returns_left_out", NETTAP_COUNT_TLS_UNSEEN, tls, 1, values, cpus);
	free(values);
}

static void program_times(struct nettap_bpf *object, struct json *json, const char *name, int which)
{
	struct bpf_program *program;

	json_open(json, name);
	bpf_object__for_each_program(program, object->obj) {
		struct bpf_prog_info info = {0};
		__u32 length = sizeof(info);
		int fd = bpf_program__fd(program);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length))
			continue;
		json_number(json, bpf_program__name(program),
			    which == 0	 ? (long long)info.run_cnt
			    : which == 1 ? (long long)info.run_time_ns
					 : (long long)info.recursion_misses);
	}
	json_close(json);
}

/* Counters of one name lie together. */
static void own_counters(struct json *json)
{
	for (size_t i = 0; i < own_count; i++) {
		size_t before, j;

		for (before = 0; before < i; before++)
			if (!strcmp(own[before].name, own[i].name))
				break;
		if (before < i)
			continue;
		json_open(json, own[i].name);
		for (j = i; j < own_count; j++)
			if (!strcmp(own[j].name, own[i].name))
				json_number(json, own[j].label, own[j].value);
		json_close(json);
	}
}

void stats_write(struct nettap_bpf *object, struct json *json)
{
	json_open(json, NULL);
	json_number(json, "boot_offset_ns", boot_offset_ns());
	json_open(json, "counters");
	kernel_counters(object, json);
	program_times(object, json, "program_runs", 0);
	program_times(object, json, "program_run_time_ns", 1);
	program_times(object, json, "program_misses", 2);
	own_counters(json);
	json_close(json);
	json_close(json);
}
