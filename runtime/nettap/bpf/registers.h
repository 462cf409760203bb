/* What differs between processors: where the arguments of a system call are, and how a 32-bit program is known. */
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
#else
#error "no system call numbers for this architecture"
#endif

#endif
