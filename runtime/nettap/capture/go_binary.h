/* Functions of a Go executable, stripped or not, by Go's own function table (pclntab), which stripping leaves.
 *
 * Called by tls_find.c. Source: runtime/symtab.go and debug/gosym of Go 1.2 to 1.26. The table is hostile input like the
 * rest of the file; and as a probe at a wrong address would corrupt the program, a function counts only when its first
 * instructions are the stack check with which the Go compiler opens every function of that size.
 */
#ifndef NETTAP_GO_BINARY_H
#define NETTAP_GO_BINARY_H

#include "elf_file.h"

#define GO_FUNCTION_MAX 32768 /* bytes of code; those wanted here have about 2000 */

enum go_abi {
	GO_ABI_UNKNOWN = 0,
	GO_ABI_STACK = 1,    /* arguments and results on the stack: before 1.17 on x86-64, before 1.18 on arm64 */
	GO_ABI_REGISTER = 2, /* ABIInternal: arguments and results in registers, g in a fixed one */
};

struct go_binary {
	enum go_abi abi;
	char version[32]; /* as in the build information ("go1.26.8"), or "" where it is not told inline (before 1.18) */
};

/* Find functions by their full names (`crypto/tls.(*Conn).Read`). Return NULL when the file is a Go executable whose
 * table could be read (found[] says which are there), or why not ("not_go" where it is none). */
const char *go_functions(struct elf_file *elf, struct go_binary *go, const char *const names[], unsigned int count,
			 struct elf_function found[]);

#endif
