#include "go_binary.h"

#include <string.h>

#define MAGIC_1_2 0xfffffffbu
#define MAGIC_1_16 0xfffffffau
#define MAGIC_1_18 0xfffffff0u
#define MAGIC_1_20 0xfffffff1u

#define FUNCTIONS_MAX (4ULL << 20)
#define NAMES_MAX (64ULL << 20)
#define TEXTS_MAX 4
#define RELOCATIONS_MAX (8ULL << 20)
#define MODULEDATA_TEXT (22 * 8) /* runtime.moduledata.text, after pcHeader, six slices, findfunctab, minpc, maxpc */

/* Where things lie in the table, as offsets in the file. */
struct table {
	uint64_t base;
	uint64_t end;
	uint64_t address; /* of base, as linked */
	uint64_t names;
	uint64_t functions;	/* the array of {pc, offset of _func} */
	uint64_t funcs;		/* what those offsets count from */
	uint64_t count;
	uint64_t text;		/* told by the header, or 0 */
	bool narrow;		/* entries are two uint32, counted from the beginning of the text */
};

static uint32_t u32(const unsigned char *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static uint64_t u64(const unsigned char *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static bool is_header(const unsigned char *at)
{
	uint32_t magic = u32(at);

	return (magic == MAGIC_1_2 || magic == MAGIC_1_16 || magic == MAGIC_1_18 || magic == MAGIC_1_20) &&
	       at[4] == 0 && at[5] == 0 && (at[6] == 1 || at[6] == 2 || at[6] == 4) && at[7] == 8;
}

static bool within(const struct table *table, uint64_t offset, uint64_t *place)
{
	*place = table->base + offset;
	return offset < table->end - table->base;
}

static bool read_header(struct elf_file *elf, const Elf64_Shdr *section, uint64_t skip, struct table *table)
{
	const unsigned char *at = file_window_at(&elf->window, section->sh_offset + skip, 72);
	uint32_t magic;

	memset(table, 0, sizeof(*table));
	if (!at || !is_header(at) || section->sh_size > elf->window.size)
		return false;
	table->base = section->sh_offset + skip;
	table->end = section->sh_offset + section->sh_size;
	table->address = section->sh_addr + skip;
	table->count = u64(at + 8);
	if (table->end > elf->window.size || table->count == 0 || table->count > FUNCTIONS_MAX)
		return false;
	magic = u32(at);
	if (magic == MAGIC_1_2)
		return within(table, 0, &table->names) && within(table, 16, &table->functions) &&
		       within(table, 0, &table->funcs);
	if (magic == MAGIC_1_16)
		return within(table, u64(at + 24), &table->names) && within(table, u64(at + 56), &table->functions) &&
		       within(table, u64(at + 56), &table->funcs);
	table->narrow = true;
	table->text = u64(at + 24);
	return within(table, u64(at + 32), &table->names) && within(table, u64(at + 64), &table->functions) &&
	       within(table, u64(at + 64), &table->funcs);
}

/* Position-independent executables linked by the system's linker carry the table somewhere in their read-only data. */
static bool search_header(struct elf_file *elf, const Elf64_Shdr *section, struct table *table)
{
	for (uint64_t skip = 0; section && skip + 72 < section->sh_size && skip < NAMES_MAX; skip += 32) {
		const unsigned char *at = file_window_at(&elf->detour, section->sh_offset + skip, 8);

		if (!at)
			return false;
		if (is_header(at) && read_header(elf, section, skip, table))
			return true;
	}
	return false;
}

static bool find_table(struct elf_file *elf, struct table *table)
{
	static const char *const named[] = {".gopclntab", ".data.rel.ro.gopclntab"};

	for (unsigned int i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		const Elf64_Shdr *section = elf_section(elf, named[i]);

		if (section && read_header(elf, section, 0, table))
			return true;
	}
	return elf_section(elf, ".go.buildinfo") && search_header(elf, elf_section(elf, ".data.rel.ro"), table);
}

/* What was found of one wanted function: where its name is, then where its code begins and ends (as the table counts). */
struct wanted {
	bool named;
	bool placed;
	uint32_t name;
	uint64_t begin;
	uint64_t end;
};

static void find_names(struct elf_file *elf, const struct table *table, const char *const names[], unsigned int count,
		       struct wanted wanted[])
{
	const uint32_t step = FILE_WINDOW_BYTES / 2;
	uint64_t size = table->end - table->names;

	for (uint64_t at = 0; at < size && at < NAMES_MAX; at += step) {
		uint32_t length = size - at < FILE_WINDOW_BYTES ? (uint32_t)(size - at) : FILE_WINDOW_BYTES;
		const unsigned char *bytes = file_window_at(&elf->detour, table->names + at, length);

		for (unsigned int i = 0; bytes && i < count; i++) {
			const unsigned char *hit;

			if (wanted[i].named)
				continue;
			hit = memmem(bytes, length, names[i], strlen(names[i]) + 1);
			while (hit && (hit == bytes || hit[-1] != 0))
				hit = memmem(hit + 1, length - (uint32_t)(hit + 1 - bytes), names[i],
					     strlen(names[i]) + 1);
			if (hit) {
				wanted[i].named = true;
				wanted[i].name = (uint32_t)(at + (uint64_t)(hit - bytes));
			}
		}
	}
}

static bool entry(struct elf_file *elf, const struct table *table, uint64_t index, uint64_t *pc, uint64_t *func)
{
	uint32_t width = table->narrow ? 4 : 8;
	const unsigned char *at = file_window_at(&elf->window, table->functions + index * 2 * width, 2 * width);

	if (!at)
		return false;
	*pc = table->narrow ? u32(at) : u64(at);
	*func = table->narrow ? u32(at + 4) : u64(at + 8);
	return true;
}

static void place_functions(struct elf_file *elf, const struct table *table, unsigned int count, struct wanted wanted[])
{
	uint32_t name_at = table->narrow ? 4 : 8;

	for (uint64_t i = 0; i < table->count; i++) {
		uint64_t pc, func, next, unused, place;
		const unsigned char *at;

		if (!entry(elf, table, i, &pc, &func) || func > table->end - table->funcs)
			return;
		place = table->funcs + func;
		at = file_window_at(&elf->detour, place + name_at, 4);
		for (unsigned int j = 0; at && j < count; j++) {
			if (!wanted[j].named || wanted[j].placed || wanted[j].name != u32(at))
				continue;
			if (!entry(elf, table, i + 1, &next, &unused) || next <= pc)
				continue;
			wanted[j].placed = true;
			wanted[j].begin = pc;
			wanted[j].end = next;
		}
	}
}

#if defined(__x86_64__)
/* cmp rsp, [r14+0x10], maybe after lea r12, [rsp-…]; before 1.17: mov rcx, fs:[-8], then cmp with [rcx+0x10]. */
static enum go_abi opening(const unsigned char *code)
{
	static const unsigned char from_tls[] = {0x64, 0x48, 0x8b, 0x0c, 0x25, 0xf8, 0xff, 0xff, 0xff};

	if (memcmp(code, from_tls, sizeof(from_tls)) == 0)
		return GO_ABI_STACK;
	for (unsigned int i = 0; i < 12; i++)
		if ((code[i] == 0x49 || code[i] == 0x4d) && code[i + 1] == 0x3b && code[i + 2] == 0x66 &&
		    code[i + 3] == 0x10)
			return GO_ABI_REGISTER;
	return GO_ABI_UNKNOWN;
}
#else
/* ldr x16, [x28, #16] among the first four instructions. It is the same under both ABIs; those of 1.18 and later have
 * the narrow table, and those before pass arguments on the stack. */
static enum go_abi opening(const unsigned char *code)
{
	for (unsigned int i = 0; i < 16; i += 4)
		if (u32(code + i) == 0xf9400b90u)
			return GO_ABI_REGISTER;
	return GO_ABI_UNKNOWN;
}
#endif

static enum go_abi try_text(struct elf_file *elf, uint64_t text, unsigned int count, const struct wanted wanted[],
			    struct elf_function found[])
{
	enum go_abi abi = GO_ABI_UNKNOWN;

	for (unsigned int i = 0; i < count; i++) {
		enum go_abi seen;
		const unsigned char *code;

		memset(&found[i], 0, sizeof(found[i]));
		if (!wanted[i].placed)
			continue;
		found[i].address = text + wanted[i].begin;
		found[i].size = wanted[i].end - wanted[i].begin;
		if (found[i].size > GO_FUNCTION_MAX || found[i].size < 16 ||
		    !elf_offset(elf, found[i].address, false, &found[i].offset))
			return GO_ABI_UNKNOWN;
		code = file_window_at(&elf->window, found[i].offset, 16);
		seen = code ? opening(code) : GO_ABI_UNKNOWN;
		if (seen == GO_ABI_UNKNOWN || (abi != GO_ABI_UNKNOWN && seen != abi))
			return GO_ABI_UNKNOWN;
		abi = seen;
		found[i].found = true;
	}
	return abi;
}

/* The text's beginning as runtime.moduledata tells it, in a file whose pointers are written down as they are. */
static uint64_t text_of_moduledata(struct elf_file *elf, const struct table *table)
{
	static const char *const holders[] = {".go.module", ".noptrdata", ".data", ".data.rel.ro"};

	for (unsigned int i = 0; i < sizeof(holders) / sizeof(holders[0]); i++) {
		const Elf64_Shdr *section = elf_section(elf, holders[i]);

		for (uint64_t at = 0; section && at + MODULEDATA_TEXT + 8 <= section->sh_size && at < NAMES_MAX; at += 8) {
			const unsigned char *bytes = file_window_at(&elf->window, section->sh_offset + at,
								    MODULEDATA_TEXT + 8);

			if (!bytes)
				break;
			if (u64(bytes) == table->address)
				return u64(bytes + MODULEDATA_TEXT);
		}
	}
	return 0;
}

static bool relocation(struct elf_file *elf, const Elf64_Shdr *section, uint64_t index, Elf64_Rela *rela)
{
	const void *at = file_window_at(&elf->window, section->sh_offset + index * sizeof(*rela), sizeof(*rela));

	if (!at)
		return false;
	memcpy(rela, at, sizeof(*rela));
	return true;
}

/* The same in a position-independent file, whose pointers are relocations: the one whose value is the table's address
 * is moduledata.pcHeader, and the one MODULEDATA_TEXT further on is moduledata.text. */
static uint64_t text_of_relocations(struct elf_file *elf, const struct table *table)
{
	const Elf64_Shdr *section = elf_section(elf, ".rela.dyn");
	uint64_t moduledata = 0;
	uint64_t entries;
	Elf64_Rela rela;

	if (!section)
		section = elf_section(elf, ".rela");
	entries = section ? section->sh_size / sizeof(Elf64_Rela) : 0;
	entries = entries < RELOCATIONS_MAX ? entries : RELOCATIONS_MAX;
	for (uint64_t i = 0; i < entries && relocation(elf, section, i, &rela); i++)
		if (!moduledata && (uint64_t)rela.r_addend == table->address)
			moduledata = rela.r_offset;
	for (uint64_t i = 0; moduledata && i < entries && relocation(elf, section, i, &rela); i++)
		if (rela.r_offset == moduledata + MODULEDATA_TEXT)
			return (uint64_t)rela.r_addend;
	return 0;
}

static const char *resolve(struct elf_file *elf, const struct table *table, struct go_binary *go, unsigned int count,
			   const struct wanted wanted[], struct elf_function found[])
{
	uint64_t texts[TEXTS_MAX] = {0};

	if (table->narrow) {
		const Elf64_Shdr *section = elf_section(elf, ".text");

		texts[0] = table->text;
		texts[1] = text_of_moduledata(elf, table);
		texts[2] = text_of_relocations(elf, table);
		texts[3] = section ? section->sh_addr : 0;
	}
	for (unsigned int i = 0; i < TEXTS_MAX; i++) {
		if (table->narrow && texts[i] == 0)
			continue;
		go->abi = try_text(elf, texts[i], count, wanted, found);
		if (go->abi != GO_ABI_UNKNOWN && elf->machine == EM_AARCH64 && !table->narrow)
			go->abi = GO_ABI_STACK;
		if (go->abi != GO_ABI_UNKNOWN)
			return NULL;
	}
	return "go_text_not_found";
}

static void read_version(struct elf_file *elf, struct go_binary *go)
{
	const Elf64_Shdr *section = elf_section(elf, ".go.buildinfo");
	const unsigned char *at = section ? file_window_at(&elf->window, section->sh_offset, 64) : NULL;
	unsigned int length;

	go->version[0] = 0;
	if (!at || memcmp(at, "\xff Go buildinf:", 14) != 0 || !(at[15] & 2))
		return;
	length = at[32]; /* a varint; versions have less than 31 bytes */
	if (length >= sizeof(go->version) || length > 31)
		return;
	memcpy(go->version, at + 33, length);
	go->version[length] = 0;
}

const char *go_functions(struct elf_file *elf, struct go_binary *go, const char *const names[], unsigned int count,
			 struct elf_function found[])
{
	struct wanted wanted[ELF_NAMES_MAX] = {0};
	struct table table;
	bool any = false;

	memset(found, 0, count * sizeof(found[0]));
	memset(go, 0, sizeof(*go));
	if (count > ELF_NAMES_MAX || !find_table(elf, &table))
		return "not_go";
	read_version(elf, go);
	find_names(elf, &table, names, count, wanted);
	place_functions(elf, &table, count, wanted);
	for (unsigned int i = 0; i < count; i++)
		any |= wanted[i].placed;
	return any ? resolve(elf, &table, go, count, wanted, found) : NULL;
}
