/* Which places of an executable or library see the plaintext of its TLS.
 *
 * Called by tls_attach.c, once for each file. Pure but for reading that file: it knows nothing of processes or probes.
 */
#ifndef NETTAP_TLS_FIND_H
#define NETTAP_TLS_FIND_H

#include <stdbool.h>
#include <stdint.h>

#define TLS_POINTS_MAX 96

/* What is to run at a place; each is one BPF program (bpf/tls_openssl.h, bpf/tls_go.h). */
enum tls_program {
	TLS_SSL_READ,
	TLS_SSL_READ_RETURN,
	TLS_SSL_READ_EX,
	TLS_SSL_READ_EX_RETURN,
	TLS_SSL_WRITE,
	TLS_SSL_WRITE_RETURN,
	TLS_SSL_WRITE_EX,
	TLS_SSL_WRITE_EX_RETURN,
	TLS_SSL_SENDFILE,
	TLS_SSL_SENDFILE_RETURN,
	TLS_SSL_HANDSHAKE,
	TLS_SSL_HANDSHAKE_RETURN,
	TLS_SSL_NEW_RETURN,
	TLS_SSL_FREE,
	TLS_SSL_SET_FD,
	TLS_GO_READ,
	TLS_GO_WRITE,
	TLS_GO_RETURN,
	TLS_GO_HANDSHAKE,
	TLS_PROGRAMS
};

struct tls_point {
	enum tls_program program;
	bool at_return;	 /* a return probe on the function that begins here */
	uint64_t offset; /* in the file */
};

struct tls_points {
	unsigned int source; /* enum nettap_source, or 0: no TLS library known here */
	const char *refused; /* why a TLS library that is here cannot be used; NULL where it can, or where there is none */
	char version[32];    /* of Go, where it is told */
	unsigned int count;
	struct tls_point point[TLS_POINTS_MAX];
};

/* Look through the open file. Returns false only when memory ran out. */
bool tls_find(int fd, struct tls_points *points);

#endif
