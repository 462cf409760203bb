/* What differs between processors: where the arguments of a system call are, how a 32-bit program is known, and by which
 * numbers of its own it moves bytes (tables of the kernel: arch/x86/entry/syscalls/syscall_32.tbl, arch/arm/tools). */
#ifndef NETTAP_REGISTERS_H
#define NETTAP_REGISTERS_H

#include <asm/unistd.h>

#include "maps.h"

struct arguments {
	__u64 value[6];
};

#if defined(__TARGET_ARCH_x86)
#define TS_COMPAT 2
static __always_inline void read_arguments(struct arguments *to, struct pt_regs *regs)
{
	to->value[0] = regs->di;
	to->value[1] = regs->si;
	to->value[2] = regs->dx;
	to->value[3] = regs->r10;
	to->value[4] = regs->r8;
	to->value[5] = regs->r9;
}
static __always_inline long number_of(struct pt_regs *regs)
{
	return regs->orig_ax;
}
static __always_inline bool is_32_bit(struct task_struct *task)
{
	return task->thread_info.status & TS_COMPAT;
}
/* read, write, socketcall, readv, writev, sendfile, sendfile64, recvmmsg, sendmmsg, preadv2, pwritev2, sendto, sendmsg,
 * recvfrom, recvmsg, recvmmsg_time64 */
#define MOVES_IN_32_BIT(entry)                                                                             \
	entry(3) entry(4) entry(102) entry(145) entry(146) entry(187) entry(239) entry(337) entry(345)     \
		entry(378) entry(379) entry(369) entry(370) entry(371) entry(372) entry(417)
#define SOCKETCALL_32 102
/* of socketcall: send, recv, sendto, recvfrom, sendmsg, recvmsg, recvmmsg, sendmmsg */
#define SOCKETCALLS_THAT_MOVE (1u << 9 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 16 | 1u << 17 | 1u << 19 | 1u << 20)
static __always_inline bool descriptor_in_32_bit(struct pt_regs *regs, long number, __u32 *fd)
{
	__u32 first = regs->bx;

	*fd = first;
	if (number != SOCKETCALL_32)
		return true;
	return first < 32 && (SOCKETCALLS_THAT_MOVE >> first & 1) &&
	       !bpf_probe_read_user(fd, sizeof(*fd), (const void *)regs->cx);
}
#elif defined(__TARGET_ARCH_arm64)
#define TIF_32BIT 22
static __always_inline void read_arguments(struct arguments *to, struct pt_regs *regs)
{
	to->value[0] = regs->orig_x0;
	to->value[1] = regs->regs[1];
	to->value[2] = regs->regs[2];
	to->value[3] = regs->regs[3];
	to->value[4] = regs->regs[4];
	to->value[5] = regs->regs[5];
}
static __always_inline long number_of(struct pt_regs *regs)
{
	return regs->syscallno;
}
static __always_inline bool is_32_bit(struct task_struct *task)
{
	return task->thread_info.flags & (1UL << TIF_32BIT);
}
/* read, write, readv, writev, sendfile, sendfile64, send, sendto, recv, recvfrom, sendmsg, recvmsg, recvmmsg, sendmmsg,
 * preadv2, pwritev2, recvmmsg_time64 */
#define MOVES_IN_32_BIT(entry)                                                                             \
	entry(3) entry(4) entry(145) entry(146) entry(187) entry(239) entry(289) entry(290) entry(291)     \
		entry(292) entry(296) entry(297) entry(365) entry(374) entry(392) entry(393) entry(417)
static __always_inline bool descriptor_in_32_bit(struct pt_regs *regs, long number, __u32 *fd)
{
	*fd = regs->orig_x0;
	return true;
}
#else
#error "no system call numbers for this architecture"
#endif

#endif
