#include "tls_find.h"

#include <stdlib.h>
#include <string.h>

#include "../include/nettap_wire.h"
#include "code_returns.h"
#include "elf_file.h"
#include "go_binary.h"

/* A function of OpenSSL's API and what runs where it begins and where it is left (TLS_PROGRAMS: nothing). */
struct library_function {
	const char *name;
	enum tls_program begin;
	enum tls_program end;
};

static const struct library_function library[] = {
	{"SSL_read", TLS_SSL_READ, TLS_SSL_READ_RETURN},
	{"SSL_write", TLS_SSL_WRITE, TLS_SSL_WRITE_RETURN},
	{"SSL_read_ex", TLS_SSL_READ_EX, TLS_SSL_READ_EX_RETURN},
	{"SSL_write_ex", TLS_SSL_WRITE_EX, TLS_SSL_WRITE_EX_RETURN},
	{"SSL_read_early_data", TLS_SSL_READ_EX, TLS_SSL_READ_EX_RETURN},
	{"SSL_write_early_data", TLS_SSL_WRITE_EX, TLS_SSL_WRITE_EX_RETURN},
	{"SSL_sendfile", TLS_SSL_SENDFILE, TLS_SSL_SENDFILE_RETURN},
	{"SSL_do_handshake", TLS_SSL_HANDSHAKE, TLS_SSL_HANDSHAKE_RETURN},
	{"SSL_new", TLS_PROGRAMS, TLS_SSL_NEW_RETURN},
	{"SSL_free", TLS_SSL_FREE, TLS_PROGRAMS},
	{"SSL_set_fd", TLS_SSL_SET_FD, TLS_PROGRAMS},
	{"SSL_set_rfd", TLS_SSL_SET_FD, TLS_PROGRAMS},
	{"SSL_set_wfd", TLS_SSL_SET_FD, TLS_PROGRAMS},
	{"SSL_set_custom_verify", TLS_PROGRAMS, TLS_PROGRAMS}, /* only BoringSSL has it */
};
#define LIBRARY_FUNCTIONS (sizeof(library) / sizeof(library[0]))
#define READ 0
#define WRITE 1
#define BORINGSSL_ONLY (LIBRARY_FUNCTIONS - 1)

static const char *const go_names[] = {
	"crypto/tls.(*Conn).Read",
	"crypto/tls.(*Conn).Write",
	"crypto/tls.(*Conn).clientHandshake",
	"crypto/tls.(*Conn).serverHandshake",
};
static const enum tls_program go_begins[] = {TLS_GO_READ, TLS_GO_WRITE, TLS_GO_HANDSHAKE, TLS_GO_HANDSHAKE};
#define GO_FUNCTIONS (sizeof(go_names) / sizeof(go_names[0]))

static void add(struct tls_points *points, enum tls_program program, bool at_return, uint64_t offset)
{
	struct tls_point *point = &points->point[points->count];

	if (program == TLS_PROGRAMS || points->count == TLS_POINTS_MAX)
		return;
	point->program = program;
	point->at_return = at_return;
	point->offset = offset;
	points->count++;
}

static void find_library(struct elf_file *elf, struct tls_points *points)
{
	struct elf_function found[LIBRARY_FUNCTIONS] = {0};
	const char *names[LIBRARY_FUNCTIONS];

	for (unsigned int i = 0; i < LIBRARY_FUNCTIONS; i++)
		names[i] = library[i].name;
	elf_functions(elf, SHT_DYNSYM, names, LIBRARY_FUNCTIONS, found);
	if (!found[READ].found || !found[WRITE].found)
		elf_functions(elf, SHT_SYMTAB, names, LIBRARY_FUNCTIONS, found);
	if (!found[READ].found || !found[WRITE].found)
		return;
	points->source = found[BORINGSSL_ONLY].found ? NETTAP_SOURCE_BORINGSSL : NETTAP_SOURCE_OPENSSL;
	for (unsigned int i = 0; i < LIBRARY_FUNCTIONS; i++) {
		if (!found[i].found)
			continue;
		add(points, library[i].begin, false, found[i].offset);
		add(points, library[i].end, true, found[i].offset);
	}
}

static const char *add_go_returns(struct elf_file *elf, struct tls_points *points, const struct elf_function *function)
{
	const unsigned char *code = file_window_at(&elf->window, function->offset, (uint32_t)function->size);
	uint32_t returns[TLS_POINTS_MAX];
	int count = code ? code_returns(code, (uint32_t)function->size, returns, TLS_POINTS_MAX / 3) : -1;

	if (count < 1)
		return "go_code_not_understood";
	for (int i = 0; i < count; i++)
		add(points, TLS_GO_RETURN, false, function->offset + returns[i]);
	return NULL;
}

static const char *find_go(struct elf_file *elf, struct tls_points *points)
{
	struct elf_function found[GO_FUNCTIONS];
	struct go_binary go;
	const char *refused = go_functions(elf, &go, go_names, GO_FUNCTIONS, found);

	memcpy(points->version, go.version, sizeof(points->version));
	if (refused)
		return strcmp(refused, "not_go") == 0 ? NULL : refused;
	if (!found[READ].found && !found[WRITE].found)
		return NULL; /* Go, but without crypto/tls */
	if (go.abi != GO_ABI_REGISTER)
		return "go_too_old";
	for (unsigned int i = 0; i < GO_FUNCTIONS; i++) {
		if (!found[i].found)
			continue;
		add(points, go_begins[i], false, found[i].offset);
		if (i > WRITE)
			continue;
		refused = add_go_returns(elf, points, &found[i]);
		if (refused)
			return refused;
	}
	points->source = NETTAP_SOURCE_GO_TLS;
	return NULL;
}

bool tls_find(int fd, struct tls_points *points)
{
	struct elf_file *elf = malloc(sizeof(*elf));

	memset(points, 0, sizeof(*points));
	if (!elf)
		return false;
	if (elf_open(elf, fd) == NULL) { /* what is no ELF file has no library in it */
		points->refused = find_go(elf, points);
		if (points->refused)
			points->count = 0;
		else if (!points->source)
			find_library(elf, points);
	}
	free(elf);
	return true;
}
