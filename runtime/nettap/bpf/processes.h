/* Processes and cgroups that come and go. */
#ifndef NETTAP_PROCESSES_H
#define NETTAP_PROCESSES_H

#include "cgroups.h"
#include "tasks.h"

struct process_record {
	struct nettap_frame frame;
	struct nettap_process process;
};

static __always_inline void tell_process(struct task_struct *task, __u64 cgroup, __u8 event)
{
	struct process_record *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

	if (!record) {
		count(NETTAP_COUNT_RING_DROPS + NETTAP_RING_EVENTS, 1);
		return;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->frame.type = NETTAP_PROCESS;
	record->frame.version = NETTAP_WIRE_VERSION;
	record->frame.length = sizeof(record->process);
	record->process.ts = bpf_ktime_get_boot_ns();
	record->process.cgroup = cgroup;
	record->process.tgid = tgid_of(task);
	record->process.event = event;
	bpf_probe_read_kernel(record->process.comm, sizeof(record->process.comm), &task->comm);
	bpf_ringbuf_submit(record, 0);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task)
{
	__u64 cgroup = current_cgroup();

	if (allowed(cgroup))
		tell_process(task, cgroup, 1);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	__u64 cgroup = current_cgroup();

	if (allowed(cgroup) && child->pid == child->tgid)
		tell_process(child, cgroup, 1);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	__u64 cgroup = current_cgroup();
	__u64 id = bpf_get_current_pid_tgid();

	/* also of a cgroup that is captured no more: nobody else would remove it */
	bpf_map_delete_elem(&calls, &id);
	if (!allowed(cgroup))
		return 0;
	if (!task->signal->live.counter)
		tell_process(task, cgroup, 2);
	return 0;
}

static __always_inline void tell_cgroup(struct cgroup *cgroup, const char *path, __u64 parent, __u32 kind,
					__u32 inherited)
{
	struct nettap_cgroup_event *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

	if (!record) {
		count(NETTAP_COUNT_RING_DROPS + NETTAP_RING_EVENTS, 1);
		return;
	}
	record->kind = kind;
	record->inherited = inherited;
	record->cgroup = cgroup->kn->id;
	record->parent = parent;
	bpf_probe_read_kernel_str(record->path, sizeof(record->path), path);
	bpf_ringbuf_submit(record, 0);
}

/* A container of a captured pod is captured before its first process runs: what is below inherits at once. */
SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_made, struct cgroup *cgroup, const char *path)
{
	struct nettap_allowed *rule, copy;
	__u64 id, parent;

	if (cgroup->root->hierarchy_id != (int)hierarchy_id)
		return 0;
	id = cgroup->kn->id;
	parent = BPF_CORE_READ(cgroup, self.parent, cgroup, kn, id);
	rule = allowed(parent);
	if (rule) {
		copy = *rule;
		bpf_map_update_elem(&allowed_cgroups, &id, &copy, BPF_ANY);
	}
	tell_cgroup(cgroup, path, parent, NETTAP_EVENT_CGROUP_MADE, rule != 0);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_gone, struct cgroup *cgroup, const char *path)
{
	__u64 id;

	if (cgroup->root->hierarchy_id != (int)hierarchy_id)
		return 0;
	id = cgroup->kn->id;
	if (allowed(id))
		tell_cgroup(cgroup, path, 0, NETTAP_EVENT_CGROUP_GONE, 0);
	return 0;
}

/* A process that is moved in runs already. */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(cgroup_joined, struct cgroup *cgroup, const char *path, struct task_struct *task)
{
	__u64 id;

	if (cgroup->root->hierarchy_id != (int)hierarchy_id)
		return 0;
	id = cgroup->kn->id;
	if (allowed(id))
		tell_process(task, id, 1);
	return 0;
}

#endif
