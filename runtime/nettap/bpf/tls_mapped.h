/* Code that a process maps of a file, where socket calls are not seen as system calls (syscalls.h tells it otherwise). */
#ifndef NETTAP_TLS_MAPPED_H
#define NETTAP_TLS_MAPPED_H

#include "cgroups.h"
#include "tls_match.h"

static __always_inline int mapped(struct file *file, __u64 protection)
{
	__u64 cgroup;

	if (!file || !(protection & PROT_EXEC))
		return 0;
	cgroup = current_cgroup();
	if (allowed(cgroup))
		tls_on_map(cgroup, protection, 0);
	return 0;
}

SEC("fexit/vm_mmap_pgoff")
int BPF_PROG(fexit_vm_mmap_pgoff, struct file *file, unsigned long address, unsigned long length,
	     unsigned long protection)
{
	return mapped(file, protection);
}

/* At its beginning, as a return does not tell the arguments: the loader looks a second time, a moment later. */
SEC("kprobe/vm_mmap_pgoff")
int BPF_KPROBE(kprobe_vm_mmap_pgoff, struct file *file, unsigned long address, unsigned long length,
	       unsigned long protection)
{
	return mapped(file, protection);
}

#endif
