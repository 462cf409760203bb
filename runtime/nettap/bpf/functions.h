/* Socket calls seen in the kernel's own functions for TCP and UDP: by fentry and fexit, or by kprobe and kretprobe.
 *
 * These see the same bytes whoever asked for them (system calls of 32-bit programs, io_uring), and cost nothing to calls
 * on other files. Exactly one of the kinds is loaded, and then not the programs of syscalls.h.
 */
#ifndef NETTAP_FUNCTIONS_H
#define NETTAP_FUNCTIONS_H

#include "dns.h"

#define PF_IO_WORKER 0x10

/* Whose bytes these are, when they come from or go to pages and not to the process's memory. */
static __always_inline __u8 unseen_shape(__u8 direction)
{
	struct task_struct *task = bpf_get_current_task_btf();
	long number = current_number();

	if ((task->flags & PF_IO_WORKER) || number == __NR_io_uring_enter)
		return SHAPE_IO_URING;
	if (number == __NR_splice || direction == NETTAP_RECEIVED)
		return SHAPE_SPLICE;
	return SHAPE_SENDFILE;
}

/* Take from the kernel's iterator where the process's bytes lie. */
static __always_inline void read_iterator(struct asked *asked, struct msghdr *msg)
{
	__u8 type = BPF_CORE_READ(msg, msg_iter.iter_type);

	asked->in_kernel = 1;
	asked->name = (__u64)BPF_CORE_READ(msg, msg_name);
	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	    type == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
		asked->shape = SHAPE_BUFFER;
		asked->buffer = (__u64)BPF_CORE_READ(msg, msg_iter.ubuf) + BPF_CORE_READ(msg, msg_iter.iov_offset);
	} else if (type == bpf_core_enum_value(enum iter_type, ITER_IOVEC)) {
		asked->shape = SHAPE_PARTS;
		asked->count = BPF_CORE_READ(msg, msg_iter.nr_segs);
		asked->skip = BPF_CORE_READ(msg, msg_iter.iov_offset);
		if (bpf_core_field_exists(msg->msg_iter.__iov)) {
			asked->buffer = (__u64)BPF_CORE_READ(msg, msg_iter.__iov);
		} else {
			struct iov_iter___before_6_4 *before = (void *)&msg->msg_iter;

			asked->buffer = (__u64)BPF_CORE_READ(before, iov);
		}
	} else {
		asked->shape = unseen_shape(asked->direction);
	}
}

static __always_inline void function_begin(struct sock *sk, struct msghdr *msg, struct asked *asked)
{
	__u64 cgroup = current_cgroup();
	struct nettap_allowed *rule = allowed(cgroup);
	struct socket_state *state;

	if (!rule)
		return;
	asked->since = rule->since;
	if (asked->udp) {
		if (!may_be_dns(sk))
			return;
	} else {
		state = socket_of(sk, inode_of_sock(sk), cgroup, rule);
		if (!state)
			return;
		asked->generation = state->generation;
	}
	if (msg)
		read_iterator(asked, msg);
	count(NETTAP_COUNT_CALLS + hook_of(asked->shape, asked->direction), 1);
	call_begin(sk, asked);
}

static __always_inline void function_end(__s64 result)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u64 cgroup = current_cgroup();
	struct nettap_allowed *rule = allowed(cgroup);
	struct call *call;

	if (!rule)
		return;
	call = call_of(id, rule);
	if (!call)
		return;
	if (call->asked.udp)
		udp_call_end(call, result, cgroup);
	else
		tcp_call_end(call, result);
	bpf_map_delete_elem(&calls, &id);
}

static __always_inline void send_begin(struct sock *sk, struct msghdr *msg)
{
	struct asked asked = {.direction = NETTAP_SENT};

	function_begin(sk, msg, &asked);
}

static __always_inline void receive_begin(struct sock *sk, struct msghdr *msg, int flags, bool udp)
{
	struct asked asked = {.direction = NETTAP_RECEIVED, .flags = flags, .udp = udp};

	function_begin(sk, msg, &asked);
}

/* tcp_sendpage(), until 6.4: after that sendfile and splice come by tcp_sendmsg() */
static __always_inline void page_begin(struct sock *sk)
{
	struct asked asked = {.direction = NETTAP_SENT, .shape = unseen_shape(NETTAP_SENT)};

	function_begin(sk, 0, &asked);
}

static __always_inline void splice_begin(struct socket *socket)
{
	struct asked asked = {.direction = NETTAP_RECEIVED, .shape = SHAPE_SPLICE};

	function_begin(BPF_CORE_READ(socket, sk), 0, &asked);
}

/* --- fentry and fexit --- */

/* One argument, read at a constant place: the compiler would make one load of two, which the verifier refuses. */
#define ARGUMENT(ctx, index)                                                                              \
	({                                                                                                \
		__u64 value_;                                                                             \
		asm volatile("%0 = *(u64 *)(%1 + " #index " * 8)" : "=r"(value_) : "r"(ctx));             \
		value_;                                                                                   \
	})

/* The result stands behind the arguments; how many these are depends on the kernel. */
static __always_inline __s64 received(const unsigned long long *ctx)
{
	return (__s32)(recv_has_nonblock ? ARGUMENT(ctx, 6) : ARGUMENT(ctx, 5));
}

static __always_inline int receive_flags(const unsigned long long *ctx)
{
	return recv_has_nonblock ? ARGUMENT(ctx, 4) : ARGUMENT(ctx, 3);
}

SEC("fentry/tcp_sendmsg")
int BPF_PROG(fentry_tcp_sendmsg, struct sock *sk, struct msghdr *msg)
{
	send_begin(sk, msg);
	return 0;
}

SEC("fexit/tcp_sendmsg")
int BPF_PROG(fexit_tcp_sendmsg, struct sock *sk, struct msghdr *msg, size_t size, int result)
{
	function_end(result);
	return 0;
}

SEC("fentry/tcp_recvmsg")
int BPF_PROG(fentry_tcp_recvmsg, struct sock *sk, struct msghdr *msg)
{
	receive_begin(sk, msg, receive_flags(ctx), false);
	return 0;
}

SEC("fexit/tcp_recvmsg")
int fexit_tcp_recvmsg(unsigned long long *ctx)
{
	function_end(received(ctx));
	return 0;
}

SEC("fentry/tcp_sendpage")
int BPF_PROG(fentry_tcp_sendpage, struct sock *sk)
{
	page_begin(sk);
	return 0;
}

SEC("fexit/tcp_sendpage")
int BPF_PROG(fexit_tcp_sendpage, struct sock *sk, void *page, int offset, size_t size, int flags, int result)
{
	function_end(result);
	return 0;
}

SEC("fentry/tcp_splice_read")
int BPF_PROG(fentry_tcp_splice_read, struct socket *socket)
{
	splice_begin(socket);
	return 0;
}

SEC("fexit/tcp_splice_read")
int BPF_PROG(fexit_tcp_splice_read, struct socket *socket, void *position, void *pipe, size_t length,
	     unsigned int flags, __s64 result)
{
	function_end(result);
	return 0;
}

SEC("fentry/udp_recvmsg")
int BPF_PROG(fentry_udp_recvmsg, struct sock *sk, struct msghdr *msg)
{
	receive_begin(sk, msg, receive_flags(ctx), true);
	return 0;
}

SEC("fexit/udp_recvmsg")
int fexit_udp_recvmsg(unsigned long long *ctx)
{
	function_end(received(ctx));
	return 0;
}

SEC("fentry/udpv6_recvmsg")
int BPF_PROG(fentry_udpv6_recvmsg, struct sock *sk, struct msghdr *msg)
{
	receive_begin(sk, msg, receive_flags(ctx), true);
	return 0;
}

SEC("fexit/udpv6_recvmsg")
int fexit_udpv6_recvmsg(unsigned long long *ctx)
{
	function_end(received(ctx));
	return 0;
}

/* --- kprobe and kretprobe --- */

SEC("kprobe/tcp_sendmsg")
int BPF_KPROBE(kprobe_tcp_sendmsg, struct sock *sk, struct msghdr *msg)
{
	send_begin(sk, msg);
	return 0;
}

SEC("kretprobe/tcp_sendmsg")
int BPF_KRETPROBE(kretprobe_tcp_sendmsg, int result)
{
	function_end(result);
	return 0;
}

SEC("kprobe/tcp_recvmsg")
int BPF_KPROBE(kprobe_tcp_recvmsg, struct sock *sk, struct msghdr *msg, size_t size, int fourth, int fifth)
{
	receive_begin(sk, msg, recv_has_nonblock ? fifth : fourth, false);
	return 0;
}

SEC("kretprobe/tcp_recvmsg")
int BPF_KRETPROBE(kretprobe_tcp_recvmsg, int result)
{
	function_end(result);
	return 0;
}

SEC("kprobe/tcp_sendpage")
int BPF_KPROBE(kprobe_tcp_sendpage, struct sock *sk)
{
	page_begin(sk);
	return 0;
}

SEC("kretprobe/tcp_sendpage")
int BPF_KRETPROBE(kretprobe_tcp_sendpage, int result)
{
	function_end(result);
	return 0;
}

SEC("kprobe/tcp_splice_read")
int BPF_KPROBE(kprobe_tcp_splice_read, struct socket *socket)
{
	splice_begin(socket);
	return 0;
}

SEC("kretprobe/tcp_splice_read")
int BPF_KRETPROBE(kretprobe_tcp_splice_read, __s64 result)
{
	function_end(result);
	return 0;
}

SEC("kprobe/udp_recvmsg")
int BPF_KPROBE(kprobe_udp_recvmsg, struct sock *sk, struct msghdr *msg, size_t size, int fourth, int fifth)
{
	receive_begin(sk, msg, recv_has_nonblock ? fifth : fourth, true);
	return 0;
}

SEC("kretprobe/udp_recvmsg")
int BPF_KRETPROBE(kretprobe_udp_recvmsg, int result)
{
	function_end(result);
	return 0;
}

SEC("kprobe/udpv6_recvmsg")
int BPF_KPROBE(kprobe_udpv6_recvmsg, struct sock *sk, struct msghdr *msg, size_t size, int fourth, int fifth)
{
	receive_begin(sk, msg, recv_has_nonblock ? fifth : fourth, true);
	return 0;
}

SEC("kretprobe/udpv6_recvmsg")
int BPF_KRETPROBE(kretprobe_udpv6_recvmsg, int result)
{
	function_end(result);
	return 0;
}

#endif
