/* The environment of the capture process, read once. */
#ifndef NETTAP_SETTINGS_H
#define NETTAP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

struct settings {
	const char *socket_path; /* NETTAP_SOCKET_PATH: where the ingest listens */
	const char *procfs;	 /* NETTAP_SYSTEM_PROCFSPATH */
	const char *cgroups;	 /* NETTAP_SYSTEM_CGROUPV2PATH: a cgroup2 mount, or the folder above v1 mounts */
	const char *btf;	 /* NETTAP_SYSTEM_VMLINUXPATH: file or folder with the kernel's BTF; NULL: the usual places */
	const char *method;	 /* NETTAP_METHOD: auto, fentry, tracepoint, kprobe */
	const char *hierarchy;	 /* NETTAP_CGROUP_HIERARCHY: auto, unified, memory, pids */
	__u32 chunk_ring;	 /* NETTAP_RING_BYTES: a power of two, 4 KiB to 1 GiB */
	__u32 event_ring;	 /* NETTAP_EVENT_RING_BYTES */
	__u32 sockets_max;	 /* NETTAP_SOCKETS_MAX: connections of captured pods at once; about 400 bytes each */
	__u32 calls_max;	 /* NETTAP_CALLS_MAX: threads of captured pods in a call at once; about 300 bytes each */
	__u32 line_bytes;	 /* NETTAP_LINE_BYTES: what may wait for the ingest beside the rings */
	bool loop;		 /* NETTAP_BPF_LOOP: 0 does without bpf_loop(), as kernels before 5.17 */
	bool program_stats;	 /* NETTAP_BPF_STATS: 1 has the kernel measure the programs' run time */
};

/* False: a value is not understood; `problem` says which, and what would be. */
bool settings_read(struct settings *settings, char *problem, size_t size);

#endif
