/* io_uring moves bytes without a system call for each: its requests are noticed and counted, and where system calls are
 * the source of bytes, what they moved becomes a gap of that name.
 */
#ifndef NETTAP_IO_URING_H
#define NETTAP_IO_URING_H

#include <linux/io_uring.h>

#include "calls.h"

#define REQ_F_FIXED_FILE 1

/* 1 + direction; 0: moves no bytes of a stream */
static __always_inline __u8 direction_of_operation(__u8 operation)
{
	switch (operation) {
	case IORING_OP_WRITEV:
	case IORING_OP_WRITE_FIXED:
	case IORING_OP_WRITE:
	case IORING_OP_SENDMSG:
	case IORING_OP_SEND:
	case IORING_OP_SPLICE:
	case IORING_OP_SEND_ZC:
	case IORING_OP_SEND_ZC + 1: /* SENDMSG_ZC */
		return 1 + NETTAP_SENT;
	case IORING_OP_READV:
	case IORING_OP_READ_FIXED:
	case IORING_OP_READ:
	case IORING_OP_RECVMSG:
	case IORING_OP_RECV:
		return 1 + NETTAP_RECEIVED;
	}
	return 0;
}

static __always_inline struct sock *sock_of_request(struct io_kiocb *request, __u64 *inode)
{
	struct file *file = request->file;

	if (!(request->flags & REQ_F_FIXED_FILE))
		return sock_of_fd(request->cqe.fd, inode);
	return file ? sock_of_file(file, inode) : 0;
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(io_uring_submit, struct io_kiocb *request)
{
	__u8 direction = direction_of_operation(request->opcode);
	struct nettap_chunk head = {};
	struct nettap_allowed *rule;
	struct socket_state *state;
	__u64 cgroup, inode = 0;
	struct half *half;
	struct sock *sk;
	__u8 kernel_state;
	__u32 now;

	if (!direction--)
		return 0;
	cgroup = current_cgroup();
	rule = allowed(cgroup);
	if (!rule)
		return 0;
	count(NETTAP_COUNT_CALLS + NETTAP_HOOK_IO_URING, 1);
	sk = sock_of_request(request, &inode);
	if (!sk || !is_inet(sk, IPPROTO_TCP))
		return 0;
	state = socket_of(sk, inode, cgroup, rule);
	if (!state || state->ignored)
		return 0;
	half = direction == NETTAP_SENT ? &state->halves[NETTAP_SENT] : &state->halves[NETTAP_RECEIVED];
	half->moved_by = NETTAP_GAP_IO_URING;
	if (source_of_calls != NETTAP_SOURCE_TRACEPOINT)
		return 0; /* its bytes are seen */
	kernel_state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (kernel_state != TCP_ESTABLISHED && kernel_state != TCP_CLOSE_WAIT)
		return 0;
	now = kernel_seq(sk, direction);
	if (direction == NETTAP_RECEIVED && fin_was_read(sk))
		now--;
	if (!half->known) {
		half_begin(half, sk, direction, now);
		return 0;
	}
	fill_head(&head, (__u64)sk, state, direction, source_of_calls);
	catch_up(&head, half, now);
	flush_gap(&head, half);
	return 0;
}

#endif
