#include "doctor.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cgroups.h"
#include "json.h"
#include "probe.h"
#include "settings.h"

struct capability {
	const char *name;
	int number;
	bool needed; /* at every kernel that is supported */
	const char *what_for;
};

static const struct capability capabilities[] = {
	{"BPF", CAP_BPF, true, "loads programs and maps"},
	{"PERFMON", CAP_PERFMON, true, "attaches programs, and lets them read kernel memory"},
	{"NET_ADMIN", CAP_NET_ADMIN, true, "programs of cgroups and sockets"},
	{"SYS_PTRACE", CAP_SYS_PTRACE, true, "reads maps and files of other processes, to find TLS libraries"},
	{"SYS_ADMIN", CAP_SYS_ADMIN, false, "TLS before kernel 6.6: single uprobes ask for it since the fix of July 2025"},
};
#define CAPABILITIES (sizeof(capabilities) / sizeof(capabilities[0]))

/* What a thing that does not work costs, and what to do: by enum probed. */
static const char *const advice[PROBED_COUNT] = {
	[PROBED_BTF] = "nothing can be captured: use a kernel with CONFIG_DEBUG_INFO_BTF=y, or give BTF of this very kernel by "
		       "value ebpf.configuration.system.vmlinuxPath",
	[PROBED_RING_BUFFER] = "nothing can be captured: the capabilities BPF and PERFMON are needed, a kernel from 5.8, and a "
			       "seccomp profile that allows bpf()",
	[PROBED_INSTRUCTIONS] = "nothing can be captured: use a kernel from 5.15, on arm64 from 6.0",
	[PROBED_LOOP] = "long calls are cut, with a gap that says so; kernels from 5.17 have it",
	[PROBED_TRACEPOINT] = "one way less to see socket calls",
	[PROBED_FENTRY] = "the cheapest way to see socket calls is missing; another one is taken",
	[PROBED_KPROBE] = "one way less to see socket calls",
	[PROBED_UPROBE] = "plaintext inside TLS is not seen, only that there is TLS: CONFIG_UPROBE_EVENTS=y; before kernel 6.6 the "
			  "capability SYS_ADMIN",
	[PROBED_IO_URING] = "what programs move by io_uring is a gap whose reason is not named",
	[PROBED_DESTROYED] = "the state of closed sockets is kept a little longer",
};

struct findings {
	struct probe probe;
	struct hierarchy hierarchy;
	bool has_hierarchy;
	bool lacks; /* what no method can do without */
	const char *method; /* NULL: none */
	char why[200];
	unsigned long long locked; /* bytes that may be locked; ~0: any */
};

static bool holds(const struct findings *found, int capability)
{
	return found->probe.capabilities >> capability & 1;
}

static bool can_capture(const struct findings *found)
{
	return found->method && found->has_hierarchy && !found->lacks;
}

static void look(const struct settings *settings, struct findings *found)
{
	struct rlimit limit = {.rlim_cur = 0};

	memset(found, 0, sizeof(*found));
	probe_kernel(settings, &found->probe);
	found->has_hierarchy = hierarchy_find(settings, &found->hierarchy);
	found->method = probe_choose(&found->probe, settings->method, found->why, sizeof(found->why));
	found->lacks = probe_lacks(&found->probe, found->why, sizeof(found->why));
	if (found->lacks)
		found->method = NULL;
	getrlimit(RLIMIT_MEMLOCK, &limit);
	found->locked = limit.rlim_cur == RLIM_INFINITY ? ~0ULL : limit.rlim_cur;
}

static void json_bool(struct json *json, const char *key, bool value)
{
	json_number(json, key, value);
}

static void probes_as_json(struct json *json, const struct findings *found)
{
	json_open(json, "probes");
	for (int i = 0; i < PROBED_COUNT; i++) {
		const struct probe_result *result = &found->probe.results[i];

		json_open(json, result->name);
		json_bool(json, "works", result->works);
		if (!result->works) {
			json_string(json, "reason", result->reason);
			json_string(json, "advice", advice[i]);
		}
		json_close(json);
	}
	json_close(json);
	json_open(json, "capabilities");
	for (size_t i = 0; i < CAPABILITIES; i++)
		json_bool(json, capabilities[i].name, holds(found, capabilities[i].number));
	json_close(json);
}

static void as_json(struct json *json, const char *key, const struct settings *settings, const struct findings *found)
{
	json_open(json, key);
	json_bool(json, "works", can_capture(found));
	json_string(json, "kernel", found->probe.release);
	json_string(json, "machine", found->probe.machine);
	json_string(json, "lockdown", found->probe.lockdown);
	json_open(json, "method");
	json_string(json, "source", found->method ? found->method : "none");
	json_string(json, "why", found->why);
	json_close(json);
	json_open(json, "cgroups");
	json_string(json, "hierarchy", found->has_hierarchy ? found->hierarchy.name : "none");
	json_string(json, "root", found->has_hierarchy ? found->hierarchy.root : settings->cgroups);
	json_string(json, "why", found->has_hierarchy ? found->hierarchy.why : "no cgroup hierarchy is mounted there");
	json_close(json);
	if (found->locked != ~0ULL)
		json_number(json, "memlock_bytes", (long long)found->locked);
	probes_as_json(json, found);
	json_close(json);
}

void doctor_as_json(const struct settings *settings, struct json *json, const char *key)
{
	static struct findings found;

	look(settings, &found);
	as_json(json, key, settings, &found);
}

static void print_text(const struct settings *settings, const struct findings *found)
{
	printf("kernel        %s, %s, lockdown %s\n", found->probe.release, found->probe.machine, found->probe.lockdown);
	printf("socket calls  by %s: %s\n", found->method ? found->method : "no way at all", found->why);
	if (found->has_hierarchy)
		printf("cgroups       %s, at %s: %s\n", found->hierarchy.name, found->hierarchy.root, found->hierarchy.why);
	else
		printf("cgroups       none at %s: mount the node's /sys/fs/cgroup there\n", settings->cgroups);
	puts("");
	for (int i = 0; i < PROBED_COUNT; i++) {
		const struct probe_result *result = &found->probe.results[i];

		printf("%-4s %-16s %s\n", result->works ? "ok" : "no", result->name, result->works ? "" : result->reason);
		if (!result->works)
			printf("     %-16s -> %s\n", "", advice[i]);
	}
	puts("");
	for (size_t i = 0; i < CAPABILITIES; i++) {
		const struct capability *one = &capabilities[i];
		bool held = holds(found, one->number);

		printf("%-4s %-16s %s%s\n", held ? "ok" : one->needed ? "no" : "-", one->name, one->what_for,
		       held || !one->needed ? "" : "; add it to the container's securityContext");
	}
	/* Kernels since 5.11 charge maps to the memory cgroup; before that they need the limit, or SYS_RESOURCE. */
	if (found->locked != ~0ULL)
		printf("\nlocked memory is limited to %llu bytes: no matter since kernel 5.11\n", found->locked);
	printf("\n%s\n", can_capture(found) ? "traffic can be captured here" : "NOTHING CAN BE CAPTURED here: see above");
}

int doctor(const struct settings *settings, bool json)
{
	static struct findings found;

	look(settings, &found);
	if (json) {
		struct json report = {0};

		as_json(&report, NULL, settings, &found);
		puts(report.text ? report.text : "{}");
		json_free(&report);
	} else {
		print_text(settings, &found);
	}
	return can_capture(&found) ? 0 : 1;
}
