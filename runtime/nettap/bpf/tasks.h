/* Numbers of processes and threads as the loader's /proc has them.
 *
 * The kernel counts them once for every pid namespace that they are in. On a node that is a container itself (kind, k3d,
 * minikube's docker driver) the loader's namespace is not the kernel's first one, and what it is told has to be in its
 * own numbers. Keys that never leave the programs stay the kernel's.
 */
#ifndef NETTAP_TASKS_H
#define NETTAP_TASKS_H

#include "maps.h"

/* How deep the loader's pid namespace lies, set by `find_level`; 0: it is the first one. */
__u32 pid_level = 0;

/* The number at the loader's level; 0: it has none there. */
static __always_inline __u32 number_in_level(struct pid *pid)
{
	__u32 number = 0;
	const char *numbers = (const char *)pid + bpf_core_field_offset(struct pid, numbers);

	if (!pid || pid_level > BPF_CORE_READ(pid, level))
		return 0;
	numbers += pid_level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, nr);
	return bpf_probe_read_kernel(&number, sizeof(number), numbers) ? 0 : number;
}

static __always_inline __u32 tgid_of(struct task_struct *task)
{
	struct signal_struct *signal;
	struct pid *pid = 0;
	const char *pids;

	if (!pid_level)
		return BPF_CORE_READ(task, tgid);
	signal = BPF_CORE_READ(task, signal);
	pids = (const char *)signal + bpf_core_field_offset(struct signal_struct, pids);
	pids += bpf_core_enum_value(enum pid_type, PIDTYPE_TGID) * sizeof(pid);
	return bpf_probe_read_kernel(&pid, sizeof(pid), pids) ? 0 : number_in_level(pid);
}

static __always_inline __u32 current_tgid(void)
{
	return pid_level ? tgid_of(bpf_get_current_task_btf()) : bpf_get_current_pid_tgid() >> 32;
}

static __always_inline __u32 current_tid(void)
{
	return pid_level ? number_in_level(BPF_CORE_READ(bpf_get_current_task_btf(), thread_pid))
			 : (__u32)bpf_get_current_pid_tgid();
}

/* Run once by the loader, in itself. */
SEC("raw_tp")
int find_level(void *context)
{
	pid_level = BPF_CORE_READ(bpf_get_current_task_btf(), thread_pid, level);
	return 0;
}

#endif
