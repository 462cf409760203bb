#include "targets.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "stats.h"

void targets_begin(struct targets *targets)
{
	targets->coming_count = 0;
}

void targets_add(struct targets *targets, const struct nettap_target *target)
{
	struct nettap_target *larger;

	if (targets->coming_count == NETTAP_TARGETS_MAX) {
		stat_add("targets_refused", "too_many_targets", 1);
		return;
	}
	larger = reallocarray(targets->coming, targets->coming_count + 1, sizeof(*larger));
	if (!larger) {
		stat_add("targets_refused", "no_memory", 1);
		return;
	}
	targets->coming = larger;
	larger += targets->coming_count++;
	*larger = *target;
	larger->pod_uid[sizeof(larger->pod_uid) - 1] = 0;
	larger->cgroup_path[sizeof(larger->cgroup_path) - 1] = 0;
	if (larger->ports > NETTAP_TARGET_PORTS)
		larger->ports = NETTAP_TARGET_PORTS;
}

static struct captured *find(struct targets *targets, __u64 id)
{
	for (size_t i = 0; i < targets->captured_count; i++)
		if (targets->captured[i].id == id)
			return &targets->captured[i];
	return NULL;
}

static bool allow(struct targets *targets, __u64 id, __u32 index)
{
	const struct nettap_target *target = &targets->set[index];
	struct nettap_allowed before, value = {.target = target->number, .since = targets->sets, .ports = target->ports};

	if (!bpf_map_lookup_elem(targets->allow_map, &id, &before))
		value.since = before.since; /* it was captured all the time, or inherited it */
	memcpy(value.ignore_ports, target->ignore_ports, sizeof(value.ignore_ports));
	if (!bpf_map_update_elem(targets->allow_map, &id, &value, BPF_ANY))
		return true;
	log_warning("cgroup_not_captured", "reason", log_reason(errno), NULL);
	stat_add("targets_refused", "too_many_cgroups", 1);
	return false;
}

static void capture(struct targets *targets, __u64 id, const char *path, __u32 index)
{
	struct captured *captured = find(targets, id);

	if (!allow(targets, id, index))
		return;
	if (captured) {
		captured->stays = true;
		if (captured->target == index)
			return;
		captured->target = index;
	} else {
		if (targets->captured_count == targets->captured_room) {
			size_t room = targets->captured_room * 2 + 16;
			struct captured *larger = reallocarray(targets->captured, room, sizeof(*larger));

			if (!larger)
				return;
			targets->captured = larger;
			targets->captured_room = room;
		}
		captured = &targets->captured[targets->captured_count++];
		captured->id = id;
		captured->target = index;
		captured->stays = true;
		captured->path = strdup(path);
	}
	targets->changed(targets->context, captured, &targets->set[index], 1);
}

static void release(struct targets *targets, size_t position)
{
	struct captured *captured = &targets->captured[position];

	bpf_map_delete_elem(targets->allow_map, &captured->id);
	targets->changed(targets->context, captured, NULL, 2);
	free(captured->path);
	*captured = targets->captured[--targets->captured_count];
}

struct scan {
	struct targets *targets;
	__u32 index;
	bool all; /* everything that is visited belongs to targets->set[index] */
};

static bool is_below(const char *path, const char *parent)
{
	size_t length = strlen(parent);

	while (length && parent[length - 1] == '/')
		length--;
	return !strncmp(path, parent, length) && (!path[length] || path[length] == '/');
}

/* Which target asks for this directory, by its own name or that of one above it; -1: none. */
static long wanted_by(const struct targets *targets, const char *path)
{
	bool of_pod = strstr(path, "pod") != NULL;
	char copy[PATH_MAX], *name, *rest;

	for (size_t i = 0; i < targets->count; i++) {
		const struct nettap_target *target = &targets->set[i];

		if (target->cgroup_path[0]) {
			if (is_below(path, (const char *)target->cgroup_path))
				return i;
			continue;
		}
		if (!of_pod || !target->pod_uid[0] || strlen(path) >= sizeof(copy))
			continue;
		strcpy(copy, path);
		for (name = strtok_r(copy, "/", &rest); name; name = strtok_r(NULL, "/", &rest))
			if (is_directory_of_pod(name, (const char *)target->pod_uid))
				return i;
	}
	return -1;
}

static void visit(void *context, __u64 id, const char *path)
{
	struct scan *scan = context;
	long index = scan->all ? (long)scan->index : wanted_by(scan->targets, path);

	if (index >= 0)
		capture(scan->targets, id, path, index);
}

void targets_end(struct targets *targets)
{
	struct scan scan = {.targets = targets};
	struct nettap_target *before = targets->set;

	targets->sets++;
	targets->set = targets->coming;
	targets->count = targets->coming_count;
	targets->coming = NULL;
	targets->coming_count = 0;
	free(before);
	for (size_t i = 0; i < targets->captured_count; i++) {
		targets->captured[i].stays = false;
		targets->captured[i].target = -1; /* positions are those of the new set */
	}
	if (targets->count)
		hierarchy_walk(targets->hierarchy, "/", visit, &scan);
	for (size_t i = targets->captured_count; i-- > 0;)
		if (!targets->captured[i].stays)
			release(targets, i);
}

void targets_forget(struct targets *targets)
{
	targets_begin(targets);
	targets_end(targets);
}

void targets_cgroup_made(struct targets *targets, const struct nettap_cgroup_event *event)
{
	struct scan scan = {.targets = targets, .all = true};
	long index = wanted_by(targets, event->path);

	const char *path;

	if (index < 0)
		return;
	path = hierarchy_path(targets->hierarchy, event->path, event->cgroup);
	if (!path)
		return; /* it is gone already */
	scan.index = index;
	hierarchy_walk(targets->hierarchy, path, visit, &scan);
}

void targets_cgroup_gone(struct targets *targets, const struct nettap_cgroup_event *event)
{
	for (size_t i = 0; i < targets->captured_count; i++)
		if (targets->captured[i].id == event->cgroup) {
			release(targets, i);
			return;
		}
}
