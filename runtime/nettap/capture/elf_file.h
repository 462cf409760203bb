/* The few facts of an ELF executable or library that placing a probe needs: sections, and functions by name.
 *
 * Called by tls_find.c and go_binary.c. Reads through file_window, so hostile files cost bounded memory and time and can
 * only be refused. Only 64-bit little-endian files of the machine's own architecture are taken.
 */
#ifndef NETTAP_ELF_FILE_H
#define NETTAP_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#include "file_window.h"

#define ELF_SECTIONS_MAX 512
#define ELF_SEGMENTS_MAX 64
#define ELF_NAMES_MAX 32 /* names looked for at once */

struct elf_file {
	struct file_window window; /* for tables that are walked in order */
	struct file_window detour; /* for what their entries point to */
	unsigned int sections;
	unsigned int segments;
	Elf64_Half machine;
	uint64_t section_names; /* file offset and size of the table of their names */
	uint64_t section_names_size;
	Elf64_Shdr section[ELF_SECTIONS_MAX];
	Elf64_Phdr segment[ELF_SEGMENTS_MAX];
};

struct elf_function {
	bool found;
	uint64_t address; /* as linked */
	uint64_t size;	  /* 0: not told */
	uint64_t offset;  /* in the file, which is where a uprobe goes */
};

/* Read the headers of the open file fd, which stays the caller's. Return NULL, or why the file is not taken. */
const char *elf_open(struct elf_file *elf, int fd);

/* The section of this name, or NULL. Sections without content in the file are not returned. */
const Elf64_Shdr *elf_section(struct elf_file *elf, const char *name);

/* File offset of a linked address that lies in an executable (or, with `any`, in any) loaded segment. */
bool elf_offset(const struct elf_file *elf, uint64_t address, bool any, uint64_t *offset);

/* Find functions by name in the symbol table `table` (SHT_DYNSYM or SHT_SYMTAB); count is at most ELF_NAMES_MAX. What is
 * found already is left alone. Return how many of them are found now. Each name is at least 4 bytes long. */
unsigned int elf_functions(struct elf_file *elf, Elf64_Word table, const char *const names[], unsigned int count,
			   struct elf_function found[]);

#endif
