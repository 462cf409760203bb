#include "elf_file.h"

#include <string.h>
#include <sys/stat.h>

#define OCCURRENCES_MAX 64	  /* places in a string table where wanted names end */
#define STRINGS_MAX (64ULL << 20) /* larger tables are passed over: what a file may cost is bounded */
#define SYMBOLS_MAX (4ULL << 20)  /* entries walked in one table */
#define NAME_MAX_BYTES 256

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#else
#error "neither x86-64 nor arm64"
#endif

static const char *check_header(const Elf64_Ehdr *header)
{
	if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return "not_elf";
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
		return "not_64_bit";
	if (header->e_machine != OWN_MACHINE)
		return "other_machine";
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return "not_executable";
	if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 || header->e_phnum > ELF_SEGMENTS_MAX)
		return "segments_malformed";
	return NULL;
}

static bool read_sections(struct elf_file *elf, const Elf64_Ehdr *header)
{
	const Elf64_Shdr *names;

	/* A file without sections still runs; it just has no names to find. */
	if (header->e_shnum == 0 || header->e_shentsize != sizeof(Elf64_Shdr))
		return true;
	if (header->e_shnum > ELF_SECTIONS_MAX || header->e_shstrndx >= header->e_shnum)
		return false;
	for (unsigned int i = 0; i < header->e_shnum; i++) {
		const void *at = file_window_at(&elf->window, header->e_shoff + i * sizeof(Elf64_Shdr),
						sizeof(Elf64_Shdr));
		if (!at)
			return false;
		memcpy(&elf->section[i], at, sizeof(Elf64_Shdr));
	}
	elf->sections = header->e_shnum;
	names = &elf->section[header->e_shstrndx];
	elf->section_names = names->sh_offset;
	elf->section_names_size = names->sh_size;
	return true;
}

const char *elf_open(struct elf_file *elf, int fd)
{
	struct stat status;
	Elf64_Ehdr header;
	const char *refused;
	const void *at;

	elf->sections = 0;
	elf->segments = 0;
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < 0)
		return "not_a_file";
	file_window_init(&elf->window, fd, (uint64_t)status.st_size);
	file_window_init(&elf->detour, fd, (uint64_t)status.st_size);
	at = file_window_at(&elf->window, 0, sizeof(header));
	if (!at)
		return "not_elf";
	memcpy(&header, at, sizeof(header));
	refused = check_header(&header);
	if (refused)
		return refused;
	elf->machine = header.e_machine;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		at = file_window_at(&elf->window, header.e_phoff + i * sizeof(Elf64_Phdr), sizeof(Elf64_Phdr));
		if (!at)
			return "segments_malformed";
		memcpy(&elf->segment[i], at, sizeof(Elf64_Phdr));
	}
	elf->segments = header.e_phnum;
	return read_sections(elf, &header) ? NULL : "sections_malformed";
}

const Elf64_Shdr *elf_section(struct elf_file *elf, const char *name)
{
	uint32_t length = (uint32_t)strlen(name) + 1;

	for (unsigned int i = 0; i < elf->sections; i++) {
		const Elf64_Shdr *section = &elf->section[i];
		const void *at;

		if (section->sh_type == SHT_NOBITS || section->sh_name >= elf->section_names_size ||
		    length > elf->section_names_size - section->sh_name)
			continue;
		at = file_window_at(&elf->detour, elf->section_names + section->sh_name, length);
		if (at && memcmp(at, name, length) == 0)
			return section;
	}
	return NULL;
}

bool elf_offset(const struct elf_file *elf, uint64_t address, bool any, uint64_t *offset)
{
	for (unsigned int i = 0; i < elf->segments; i++) {
		const Elf64_Phdr *segment = &elf->segment[i];

		if (segment->p_type != PT_LOAD || (!any && !(segment->p_flags & PF_X)))
			continue;
		if (address < segment->p_vaddr || address - segment->p_vaddr >= segment->p_filesz)
			continue;
		*offset = address - segment->p_vaddr + segment->p_offset;
		return *offset < elf->window.size;
	}
	return false;
}

/* Where the wanted names stand in a string table. Linkers let one string be the tail of another, so a name counts
 * wherever it ends with its NUL, not only after one. */
struct occurrences {
	unsigned int count;
	struct {
		uint64_t at; /* from the table's beginning, as st_name counts */
		unsigned int name;
	} place[OCCURRENCES_MAX];
};

static void note(struct occurrences *places, uint64_t at, unsigned int name)
{
	if (places->count == OCCURRENCES_MAX)
		return;
	places->place[places->count].at = at;
	places->place[places->count].name = name;
	places->count++;
}

static void match_names(const unsigned char *bytes, uint32_t left, uint64_t at, const char *const names[],
			unsigned int count, struct occurrences *places)
{
	for (unsigned int i = 0; i < count; i++) {
		uint32_t length = (uint32_t)strlen(names[i]) + 1;

		if (length <= left && memcmp(bytes, names[i], length) == 0)
			note(places, at, i);
	}
}

/* Names begin with few different letters, so looking for those first passes over most of a table quickly. */
static void search_window(const unsigned char *bytes, uint32_t length, uint32_t fresh, uint64_t base,
			  const char *const names[], unsigned int count, struct occurrences *places)
{
	for (unsigned int i = 0; i < count; i++) {
		const unsigned char *from = bytes;
		bool seen = false;

		for (unsigned int j = 0; j < i && !seen; j++)
			seen = memcmp(names[j], names[i], 4) == 0;
		while (!seen) {
			const unsigned char *hit = memmem(from, length - (uint32_t)(from - bytes), names[i], 4);

			if (!hit || (uint32_t)(hit - bytes) >= fresh)
				break;
			match_names(hit, length - (uint32_t)(hit - bytes), base + (uint64_t)(hit - bytes), names,
				    count, places);
			from = hit + 1;
		}
	}
}

static void search_strings(struct elf_file *elf, uint64_t offset, uint64_t size, const char *const names[],
			   unsigned int count, struct occurrences *places)
{
	const uint32_t step = FILE_WINDOW_BYTES - NAME_MAX_BYTES;

	places->count = 0;
	if (size > STRINGS_MAX)
		return;
	for (uint64_t at = 0; at < size; at += step) {
		uint64_t left = size - at;
		uint32_t length = left < FILE_WINDOW_BYTES ? (uint32_t)left : FILE_WINDOW_BYTES;
		const unsigned char *bytes = file_window_at(&elf->detour, offset + at, length);

		if (!bytes)
			return;
		search_window(bytes, length, step < length ? step : length, at, names, count, places);
	}
}

static void take(const struct elf_file *elf, const Elf64_Sym *symbol, struct elf_function *function)
{
	if (function->found || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF)
		return;
	if (!elf_offset(elf, symbol->st_value, false, &function->offset))
		return;
	function->found = true;
	function->address = symbol->st_value;
	function->size = symbol->st_size;
}

static void walk_symbols(struct elf_file *elf, const Elf64_Shdr *table, const struct occurrences *places,
			 struct elf_function found[])
{
	uint64_t entries = table->sh_size / sizeof(Elf64_Sym);

	for (uint64_t i = 0; i < entries && i < SYMBOLS_MAX; i++) {
		const void *at = file_window_at(&elf->window, table->sh_offset + i * sizeof(Elf64_Sym),
						sizeof(Elf64_Sym));
		Elf64_Sym symbol;

		if (!at)
			return;
		memcpy(&symbol, at, sizeof(symbol));
		for (unsigned int j = 0; j < places->count; j++)
			if (places->place[j].at == symbol.st_name)
				take(elf, &symbol, &found[places->place[j].name]);
	}
}

unsigned int elf_functions(struct elf_file *elf, Elf64_Word type, const char *const names[], unsigned int count,
			   struct elf_function found[])
{
	static struct occurrences places;
	unsigned int total = 0;

	for (unsigned int i = 0; i < elf->sections && count <= ELF_NAMES_MAX; i++) {
		const Elf64_Shdr *table = &elf->section[i];
		const Elf64_Shdr *strings;

		if (table->sh_type != type || table->sh_link >= elf->sections)
			continue;
		strings = &elf->section[table->sh_link];
		search_strings(elf, strings->sh_offset, strings->sh_size, names, count, &places);
		if (places.count)
			walk_symbols(elf, table, &places, found);
		break; /* the format allows one table of each type */
	}
	for (unsigned int i = 0; i < count; i++)
		total += found[i].found;
	return total;
}
