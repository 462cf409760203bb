/* Which cgroup a task is in, and whether it is captured: the first question of every program. */
#ifndef NETTAP_CGROUPS_H
#define NETTAP_CGROUPS_H

#include "maps.h"

static __always_inline __u64 cgroup_of_v1(struct task_struct *task, __u32 index)
{
	struct cgroup_subsys_state *subsystem = 0;
	const char *table = (const char *)task->cgroups + bpf_core_field_offset(struct css_set, subsys);

	if (bpf_probe_read_kernel(&subsystem, sizeof(subsystem), table + index * sizeof(void *)))
		return 0;
	return BPF_CORE_READ(subsystem, cgroup, kn, id);
}

static __always_inline __u64 current_cgroup(void)
{
	if (hierarchy == NETTAP_MEMORY)
		return cgroup_of_v1(bpf_get_current_task_btf(),
				    bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
	if (hierarchy == NETTAP_PIDS)
		return cgroup_of_v1(bpf_get_current_task_btf(),
				    bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id));
	return bpf_get_current_cgroup_id();
}

static __always_inline struct nettap_allowed *allowed(__u64 cgroup)
{
	return bpf_map_lookup_elem(&allowed_cgroups, &cgroup);
}

#endif
