/* Socket calls seen as system calls: by the two tracepoints that every call passes, told apart by its number.
 *
 * These need no file system of tracepoints, and are the only ones that see the calls of every kernel. 32-bit programs on
 * a 64-bit kernel have other numbers and layouts, and are counted instead.
 */
#ifndef NETTAP_SYSCALLS_H
#define NETTAP_SYSCALLS_H

#include "dns.h"

#define NUMBERS 512

enum how {
	HOW_NOT,
	HOW_BUFFER,    /* (fd, buffer, bytes) */
	HOW_NAMED,     /* (fd, buffer, bytes, flags, name) */
	HOW_PARTS,     /* (fd, parts, count, …) */
	HOW_PARTS_V2,  /* (fd, parts, count, offset, offset, flags): the flags are not those of messages */
	HOW_MESSAGE,   /* (fd, message, flags) */
	HOW_MESSAGES,  /* (fd, messages, count, flags) */
	HOW_SENDFILE,  /* (to, from, …) */
	HOW_SPLICE,    /* (from, …, to, …) */
	HOW_MAP,       /* (address, bytes, protection, flags, fd, offset): code of a file may have come */
	HOW_SENT = 16,	/* else received */
	HOW_IN_32 = 32, /* in a 32-bit program this number moves bytes */
};

/* Read for every system call of the machine: one byte each. */
const __u8 calls_by_number[NUMBERS] = {
	[__NR_read] = HOW_BUFFER,
	[__NR_recvfrom] = HOW_NAMED,
	[__NR_readv] = HOW_PARTS,
	[__NR_preadv2] = HOW_PARTS_V2,
	[__NR_recvmsg] = HOW_MESSAGE,
	[__NR_recvmmsg] = HOW_MESSAGES,
	[__NR_write] = HOW_BUFFER | HOW_SENT,
	[__NR_sendto] = HOW_NAMED | HOW_SENT,
	[__NR_writev] = HOW_PARTS | HOW_SENT,
	[__NR_pwritev2] = HOW_PARTS_V2 | HOW_SENT,
	[__NR_sendmsg] = HOW_MESSAGE | HOW_SENT,
	[__NR_sendmmsg] = HOW_MESSAGES | HOW_SENT,
	[__NR_sendfile] = HOW_SENDFILE | HOW_SENT,
	[__NR_splice] = HOW_SPLICE,
	[__NR_mmap] = HOW_MAP,
#define ENTRY(number) [number] = HOW_IN_32,
	MOVES_IN_32_BIT(ENTRY)
#undef ENTRY
};

static __always_inline __u8 how_of(long number)
{
	if ((unsigned long)number >= NUMBERS)
		return HOW_NOT;
	return ((const volatile __u8 *)calls_by_number)[number];
}

static __always_inline void shape_of(struct asked *asked, __u8 how, const struct arguments *arguments)
{
	asked->direction = how & HOW_SENT ? NETTAP_SENT : NETTAP_RECEIVED;
	asked->buffer = arguments->value[1];
	asked->count = arguments->value[2];
	switch (how & ~HOW_SENT) {
	case HOW_NAMED:
		asked->flags = arguments->value[3];
		asked->name = arguments->value[4];
		asked->shape = SHAPE_BUFFER;
		break;
	case HOW_PARTS:
	case HOW_PARTS_V2:
		asked->shape = SHAPE_PARTS;
		break;
	case HOW_MESSAGE:
		asked->flags = arguments->value[2];
		asked->shape = SHAPE_MESSAGE;
		break;
	case HOW_MESSAGES:
		asked->flags = arguments->value[3];
		asked->shape = SHAPE_MESSAGES;
		break;
	case HOW_SENDFILE:
		asked->shape = SHAPE_SENDFILE;
		break;
	case HOW_SPLICE:
		asked->shape = SHAPE_SPLICE;
		break;
	default:
		asked->shape = SHAPE_BUFFER;
	}
}

static __always_inline struct call *syscall_begin(__u8 how, struct pt_regs *regs, __u64 cgroup,
						  struct nettap_allowed *rule, bool late)
{
	struct arguments arguments;
	struct asked asked = {.late = late, .since = rule->since};
	struct socket_state *state;
	struct sock *sk;
	__u64 inode = 0;

	read_arguments(&arguments, regs);
	shape_of(&asked, how, &arguments);
	sk = sock_of_fd(arguments.value[0], &inode);
	if (asked.shape == SHAPE_SPLICE) {
		struct sock *to = sock_of_fd(arguments.value[2], &inode);

		if (to) {
			asked.direction = NETTAP_SENT;
			sk = to;
		}
	}
	if (!sk)
		return 0;
	if (is_inet(sk, IPPROTO_UDP)) {
		if (asked.direction == NETTAP_SENT || !may_be_dns(sk))
			return 0;
		asked.udp = 1;
	} else {
		if (!is_inet(sk, IPPROTO_TCP)) {
			if (is_inet(sk, IPPROTO_MPTCP))
				count(NETTAP_COUNT_MPTCP, 1);
			return 0;
		}
		state = socket_of(sk, inode, cgroup, rule);
		if (!state)
			return 0;
		asked.generation = state->generation;
	}
	count(NETTAP_COUNT_CALLS + hook_of(asked.shape, asked.direction), 1);
	return call_begin(sk, &asked);
}

/* A call of a 32-bit program in a captured cgroup: counted where it is on a TCP socket. */
static __always_inline void count_32_bit(__u8 how, struct pt_regs *regs, long number)
{
	struct sock *sk;
	__u64 inode;
	__u32 fd;

	if (!(how & HOW_IN_32) || !descriptor_in_32_bit(regs, number, &fd))
		return;
	sk = sock_of_fd(fd, &inode);
	if (sk && is_inet(sk, IPPROTO_TCP))
		count(NETTAP_COUNT_32_BIT, 1);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(syscall_enter, struct pt_regs *regs, long number)
{
	__u8 how = how_of(number);
	struct nettap_allowed *rule;
	__u64 cgroup;

	if (!how || how == HOW_MAP)
		return 0;
	cgroup = current_cgroup();
	rule = allowed(cgroup);
	if (!rule)
		return 0;
	if (is_32_bit(bpf_get_current_task_btf())) {
		count_32_bit(how, regs, number);
		return 0;
	}
	if (how & HOW_IN_32)
		return 0;
	syscall_begin(how, regs, cgroup, rule, false);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(syscall_exit, struct pt_regs *regs, long result)
{
	__u8 how = how_of(number_of(regs)) & ~HOW_IN_32;
	struct nettap_allowed *rule;
	struct arguments arguments;
	struct call *call;
	__u64 cgroup, id;

	if (!how)
		return 0;
	cgroup = current_cgroup();
	rule = allowed(cgroup);
	if (!rule)
		return 0;
	id = bpf_get_current_pid_tgid();
	if (how == HOW_MAP) {
		read_arguments(&arguments, regs);
		if (result >= 0 || result < -4095)
			tls_on_map(cgroup, arguments.value[2], arguments.value[4]);
		return 0;
	}
	call = call_of(id, rule);
	if (!call) {
		/* begun before the programs were attached, or before the socket was connected */
		if (result <= 0 || is_32_bit(bpf_get_current_task_btf()))
			return 0;
		call = syscall_begin(how, regs, cgroup, rule, true);
		if (!call)
			return 0;
	}
	if (call->asked.udp)
		udp_call_end(call, result, cgroup);
	else
		tcp_call_end(call, result);
	bpf_map_delete_elem(&calls, &id);
	return 0;
}

#endif
