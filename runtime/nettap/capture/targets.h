/* What the ingest asked for, and the cgroups that follow from it: the allow map is always the answer to the last set. */
#ifndef NETTAP_TARGETS_H
#define NETTAP_TARGETS_H

#include <stdbool.h>
#include <stddef.h>

#include "../bpf/shared.h"
#include "cgroups.h"

#define NETTAP_TARGETS_MAX 4096

struct captured {
	__u64 id;
	__u32 target; /* index in the set */
	bool stays;   /* of the scan that is going on */
	char *path;   /* from the hierarchy's root */
};

struct targets {
	const struct hierarchy *hierarchy;
	int allow_map;
	struct nettap_target *set, *coming;
	size_t count, coming_count;
	struct captured *captured;
	size_t captured_count, captured_room;
	__u32 sets; /* how many have come */
	/* told of each cgroup that comes (event 1) and goes (2) */
	void (*changed)(void *context, const struct captured *captured, const struct nettap_target *target, int event);
	void *context;
};

void targets_begin(struct targets *targets);
void targets_add(struct targets *targets, const struct nettap_target *target);
void targets_end(struct targets *targets); /* the set that came takes the place of the one before */
void targets_forget(struct targets *targets);

/* A directory was made or removed, as the kernel says. */
void targets_cgroup_made(struct targets *targets, const struct nettap_cgroup_event *event);
void targets_cgroup_gone(struct targets *targets, const struct nettap_cgroup_event *event);

#endif
