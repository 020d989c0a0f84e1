/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns what the headers of an ELF file say. libelf is given memory only, and only after both tables
 * were found to lie inside the file; all other content is bounds-checked by elf_image.h.
 */
#include "elf_file.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "elf_image.h"
#include "elf_note.h"

/* Far above what linkers make: bounds to what a hostile, perhaps sparse, file makes us allocate. */
#define MAX_TABLE_ENTRIES (1u << 20)
#define MAX_SECTION_BYTES (1u << 30)
#define MAX_BUILD_ID_NOTES 4096
#define MAX_NOTE_BYTES 65536
#define MAX_BUILD_ID_BYTES 64

#ifdef __aarch64__
#define HOST_MACHINE EM_AARCH64
#else
#define HOST_MACHINE EM_X86_64
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define HOST_DATA ELFDATA2LSB
#else
#define HOST_DATA ELFDATA2MSB
#endif

#define PAGE_BYTES 4096 /* what segments are aligned to, at least */

/* File bytes of a PT_LOAD. */
struct segment {
	uint64_t address;
	uint64_t offset;
	uint64_t size_bytes;
	uint32_t flags;
	size_t order; /* in the program headers */
};

struct elf_file {
	struct elf_image image;
	Elf *elf;
	size_t program_count;
	size_t section_count;
	struct segment *segments; /* ascending, without overlaps */
	size_t segment_count;
	char build_id[2 * MAX_BUILD_ID_BYTES + 1];
	const char *interpreter;
	char *names; /* copy of the symbols' string table, versions cut off */
	size_t names_bytes;
};

const void *elf_file_bytes(const struct elf_file *file, uint64_t offset, size_t size_bytes)
{
	return elf_image_load(&file->image, offset, size_bytes) ? NULL : file->image.bytes + offset;
}

/* ---- headers ---- */

static int cut_short(const struct elf_file *file, const char *path, const char *what,
		     uint64_t offset, uint64_t size_bytes, struct probekit_error *err)
{
	return error_failed(
		err, -ENOEXEC,
		"'%s' is cut short: %s of %llu bytes at offset %llu, but the file has %zu bytes",
		path, what, (unsigned long long)size_bytes, (unsigned long long)offset,
		file->image.size_bytes);
}

static int check_header(const struct elf_file *file, const char *path, Elf64_Ehdr *header,
			struct probekit_error *err)
{
	size_t available =
		file->image.size_bytes < sizeof(*header) ? file->image.size_bytes : sizeof(*header);
	int code = elf_image_load(&file->image, 0, available);

	if (code)
		return error_errno(err, code, "cannot read '%s'", path);
	*header = (Elf64_Ehdr){0};
	memcpy(header, file->image.bytes, available);
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return error_failed(err, -ENOEXEC, "'%s' is not an ELF file", path);
	if (available < EI_NIDENT)
		return cut_short(file, path, "header", 0, sizeof(*header), err);
	if (header->e_ident[EI_CLASS] != ELFCLASS64)
		return error_failed(err, -ENOEXEC, "'%s' is for another machine: it is not 64-bit",
				    path);
	if (header->e_ident[EI_DATA] != HOST_DATA)
		return error_failed(err, -ENOEXEC,
				    "'%s' is for another machine: its byte order differs", path);
	if (available < sizeof(*header))
		return cut_short(file, path, "header", 0, sizeof(*header), err);
	if (header->e_machine != HOST_MACHINE)
		return error_failed(err, -ENOEXEC,
				    "'%s' is for another machine: ELF machine %u, not %u", path,
				    header->e_machine, HOST_MACHINE);
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return error_failed(err, -ENOEXEC, "'%s' is neither a program nor a shared library",
				    path);
	return 0;
}

static int check_table(const struct elf_file *file, const char *path, const char *what,
		       uint64_t offset, uint64_t entry_bytes, uint64_t right_entry_bytes,
		       uint64_t count, struct probekit_error *err)
{
	int code;

	if (count == 0)
		return 0;
	if (entry_bytes != right_entry_bytes || count > MAX_TABLE_ENTRIES)
		return error_failed(
			err, -ENOEXEC,
			"'%s' is not a valid ELF file: its %s has %llu entries of %llu bytes", path,
			what, (unsigned long long)count, (unsigned long long)entry_bytes);
	code = elf_image_load(&file->image, offset, count * entry_bytes);
	if (code == -ERANGE)
		return cut_short(file, path, what, offset, count * entry_bytes, err);
	return code ? error_errno(err, code, "cannot read '%s'", path) : 0;
}

/* Counts that do not fit the header stand in section 0 (PN_XNUM, and e_shnum 0). */
static int check_tables(struct elf_file *file, const char *path, const Elf64_Ehdr *header,
			struct probekit_error *err)
{
	uint64_t programs = header->e_phnum;
	uint64_t sections = header->e_shnum;
	int code;

	if (header->e_shoff == 0)
		sections = 0;
	if (header->e_shoff != 0 && (sections == 0 || programs == PN_XNUM)) {
		Elf64_Shdr first;

		code = check_table(file, path, "section table", header->e_shoff,
				   header->e_shentsize, sizeof(Elf64_Shdr), 1, err);
		if (code)
			return code;
		memcpy(&first, file->image.bytes + header->e_shoff, sizeof(first));
		sections = sections ? sections : first.sh_size;
		programs = programs == PN_XNUM ? first.sh_info : programs;
	}
	code = check_table(file, path, "section table", header->e_shoff, header->e_shentsize,
			   sizeof(Elf64_Shdr), sections, err);
	if (code == 0)
		code = check_table(file, path, "program header table", header->e_phoff,
				   header->e_phentsize, sizeof(Elf64_Phdr), programs, err);
	file->program_count = programs;
	file->section_count = sections;
	return code;
}

/* ---- segments ---- */

static int compare_segments(const void *a, const void *b)
{
	const struct segment *x = a;
	const struct segment *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Sorts, and drops what overlaps, so that looking up one of many symbols is a binary search. */
static void order_segments(struct elf_file *file)
{
	size_t kept = 0;

	if (file->segment_count)
		qsort(file->segments, file->segment_count, sizeof(*file->segments),
		      compare_segments);
	for (size_t i = 0; i < file->segment_count; i++) {
		const struct segment *last = kept ? &file->segments[kept - 1] : NULL;

		if (!last || file->segments[i].address - last->address >= last->size_bytes)
			file->segments[kept++] = file->segments[i];
	}
	file->segment_count = kept;
}

static void read_interpreter(struct elf_file *file, const GElf_Phdr *program)
{
	const char *bytes;

	if (file->interpreter || program->p_filesz > PATH_MAX)
		return;
	bytes = elf_file_bytes(file, program->p_offset, program->p_filesz);
	if (bytes && memchr(bytes, '\0', program->p_filesz))
		file->interpreter = bytes;
}

static bool read_build_id(struct elf_file *file, const struct elf_note *note)
{
	static const char digits[] = "0123456789abcdef";

	if (note->type != NT_GNU_BUILD_ID || note->owner_size != sizeof(ELF_NOTE_GNU) ||
	    memcmp(note->owner, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) != 0 || note->desc_size == 0 ||
	    note->desc_size > MAX_BUILD_ID_BYTES)
		return false;
	for (size_t i = 0; i < note->desc_size; i++) {
		file->build_id[2 * i] = digits[note->desc[i] >> 4];
		file->build_id[2 * i + 1] = digits[note->desc[i] & 15];
	}
	return true;
}

/* `budget` bounds the work where many hostile segments hold the same notes. */
static void find_build_id(struct elf_file *file, const GElf_Phdr *program, size_t *budget)
{
	const void *bytes;
	struct elf_note note;
	size_t position = 0;

	if (file->build_id[0] || *budget == 0 || program->p_filesz > MAX_NOTE_BYTES)
		return;
	bytes = elf_file_bytes(file, program->p_offset, program->p_filesz);
	while (bytes && *budget > 0 &&
	       elf_note_next(bytes, program->p_filesz, program->p_align == 8 ? 8 : 4, &position,
			     &note)) {
		--*budget;
		if (read_build_id(file, &note))
			return;
	}
}

static int read_programs(struct elf_file *file, const char *path, struct probekit_error *err)
{
	size_t budget = MAX_BUILD_ID_NOTES;

	file->segments = calloc(file->program_count + 1, sizeof(*file->segments));
	if (!file->segments)
		return error_no_memory(err);
	for (size_t i = 0; i < file->program_count; i++) {
		GElf_Phdr program;

		if (!gelf_getphdr(file->elf, (int)i, &program))
			return error_failed(err, -ENOEXEC, "'%s' is not a valid ELF file: %s", path,
					    elf_errmsg(-1));
		if (program.p_type == PT_INTERP)
			read_interpreter(file, &program);
		if (program.p_type == PT_NOTE)
			find_build_id(file, &program, &budget);
		if (program.p_type != PT_LOAD || program.p_filesz == 0 ||
		    program.p_filesz > UINT64_MAX - program.p_vaddr)
			continue;
		if (program.p_offset > file->image.size_bytes ||
		    program.p_filesz > file->image.size_bytes - program.p_offset)
			return cut_short(file, path, "segment", program.p_offset, program.p_filesz,
					 err);
		file->segments[file->segment_count++] = (struct segment){
			program.p_vaddr, program.p_offset, program.p_filesz, program.p_flags, i};
	}
	order_segments(file);
	return 0;
}

int elf_file_offset(const struct elf_file *file, uint64_t address, uint32_t flags, uint64_t *offset)
{
	const struct segment *segment;
	size_t low = 0;
	size_t high = file->segment_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (file->segments[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return -ENOENT;
	segment = &file->segments[low - 1];
	if (address - segment->address >= segment->size_bytes || (segment->flags & flags) != flags)
		return -ENOENT;
	*offset = segment->offset + (address - segment->address);
	return 0;
}

uint64_t elf_file_base(const struct elf_file *file)
{
	for (size_t i = 0; i < file->segment_count; i++)
		if (file->segments[i].offset < PAGE_BYTES)
			return file->segments[i].address & ~(uint64_t)(PAGE_BYTES - 1);
	return 0;
}

/* ---- opening ---- */

/* `file` has its bytes; reads the headers and hands it out, or frees it. */
static int finish_open(struct elf_file *file, const char *path, struct elf_file **result,
		       struct probekit_error *err)
{
	Elf64_Ehdr header;
	int code = check_header(file, path, &header, err);

	if (code == 0)
		code = check_tables(file, path, &header, err);
	if (code == 0) {
		elf_version(EV_CURRENT);
		file->elf = elf_memory((char *)file->image.bytes, file->image.size_bytes);
		if (!file->elf || elf_kind(file->elf) != ELF_K_ELF)
			code = error_failed(err, -ENOEXEC, "'%s' is not a valid ELF file: %s", path,
					    elf_errmsg(-1));
	}
	if (code == 0)
		code = read_programs(file, path, err);
	if (code) {
		elf_file_free(file);
		return code;
	}
	*result = file;
	return 0;
}

int elf_file_open(const char *path, int fd, struct elf_file **result, struct probekit_error *err)
{
	struct elf_file *file = calloc(1, sizeof(*file));
	struct elf_image image;
	int code = elf_image_open(path, fd, &image, err);

	if (code) {
		free(file);
		return code;
	}
	if (!file) {
		elf_image_done(&image);
		return error_no_memory(err);
	}
	file->image = image;
	return finish_open(file, path, result, err);
}

int elf_file_from_memory(const void *bytes, size_t size, struct elf_file **result,
			 struct probekit_error *err)
{
	struct elf_file *file = calloc(1, sizeof(*file));

	if (!file || elf_image_copy(bytes, size, &file->image)) {
		free(file);
		return error_no_memory(err);
	}
	return finish_open(file, "memory", result, err);
}

void elf_file_free(struct elf_file *file)
{
	if (!file)
		return;
	elf_end(file->elf);
	elf_image_done(&file->image);
	free(file->segments);
	free(file->names);
	free(file);
}

uint16_t elf_file_machine(const struct elf_file *file)
{
	(void)file; /* others are refused */
	return HOST_MACHINE;
}

const char *elf_file_build_id(const struct elf_file *file)
{
	return file->build_id[0] ? file->build_id : NULL;
}

const char *elf_file_interpreter(const struct elf_file *file)
{
	return file->interpreter;
}

/* ---- sections and symbols ---- */

static bool section_header(const struct elf_file *file, size_t index, GElf_Shdr *section)
{
	Elf_Scn *scn = index < file->section_count ? elf_getscn(file->elf, index) : NULL;

	return scn && gelf_getshdr(scn, section);
}

static const void *section_bytes(const struct elf_file *file, const GElf_Shdr *section)
{
	if (section->sh_type == SHT_NOBITS || (section->sh_flags & SHF_COMPRESSED) ||
	    section->sh_size == 0 || section->sh_size > MAX_SECTION_BYTES)
		return NULL;
	return elf_file_bytes(file, section->sh_offset, section->sh_size);
}

const void *elf_file_section(struct elf_file *file, const char *name, size_t *size_bytes,
			     uint64_t *address)
{
	size_t length = strlen(name) + 1;
	GElf_Shdr section;
	const char *names;
	size_t names_bytes;
	size_t names_index;

	*size_bytes = 0;
	if (address)
		*address = 0;
	if (elf_getshdrstrndx(file->elf, &names_index) ||
	    !section_header(file, names_index, &section))
		return NULL;
	names = section_bytes(file, &section);
	names_bytes = section.sh_size;
	for (size_t i = 1; names && i < file->section_count; i++) {
		const void *bytes;

		if (!section_header(file, i, &section) || section.sh_name > names_bytes ||
		    length > names_bytes - section.sh_name ||
		    memcmp(names + section.sh_name, name, length) != 0)
			continue;
		bytes = section_bytes(file, &section);
		*size_bytes = bytes ? section.sh_size : 0;
		if (address)
			*address = section.sh_addr;
		return bytes;
	}
	return NULL;
}

/* Finds the first symbol table of this type whose content and names are there. */
static bool find_symbols(struct elf_file *file, uint32_t type, const unsigned char **symbols,
			 size_t *count, const char **names, size_t *names_bytes)
{
	for (size_t i = 1; i < file->section_count; i++) {
		GElf_Shdr section;
		GElf_Shdr strings;

		if (!section_header(file, i, &section) || section.sh_type != type ||
		    section.sh_entsize != sizeof(Elf64_Sym) ||
		    !section_header(file, section.sh_link, &strings) ||
		    strings.sh_type != SHT_STRTAB)
			continue;
		*symbols = section_bytes(file, &section);
		*names = section_bytes(file, &strings);
		if (!*symbols || !*names)
			continue;
		*count = section.sh_size / sizeof(Elf64_Sym);
		*names_bytes = strings.sh_size;
		return true;
	}
	return false;
}

/* A copy of its own, as the "@VERSION" of names is cut off in place: names that share a tail share
 * the version too. It ends in a NUL whatever the file has. */
static int copy_names(struct elf_file *file, const char *names, size_t size_bytes)
{
	if (file->names)
		return 0;
	file->names = malloc(size_bytes + 1);
	if (!file->names)
		return -ENOMEM;
	memcpy(file->names, names, size_bytes);
	file->names[size_bytes] = '\0';
	file->names_bytes = size_bytes;
	return 0;
}

/* The name without its version; NULL when it is empty or too long. */
static const char *symbol_name(struct elf_file *file, const Elf64_Sym *raw)
{
	char *name = file->names + raw->st_name;
	size_t length = strnlen(name, ELF_NAME_MAX + 1);
	char *version = memchr(name, '@', length);

	if (version) {
		*version = '\0';
		length = (size_t)(version - name);
	}
	return length > 0 && length <= ELF_NAME_MAX ? name : NULL;
}

/* False when it is no function, or has no usable name or bytes. */
static bool read_symbol(struct elf_file *file, const Elf64_Sym *raw, struct elf_symbol *symbol)
{
	unsigned int type = ELF64_ST_TYPE(raw->st_info);

	if ((type != STT_FUNC && type != STT_GNU_IFUNC) || raw->st_shndx == SHN_UNDEF ||
	    raw->st_name >= file->names_bytes ||
	    elf_file_offset(file, raw->st_value, PF_X, &symbol->offset))
		return false;
	symbol->name = symbol_name(file, raw);
	symbol->address = raw->st_value;
	symbol->size_bytes = raw->st_size;
	return symbol->name;
}

/* The symbols of .symtab, or of .dynsym where there is none; *count is 0 where there is neither. */
static int symbols_of(struct elf_file *file, const unsigned char **symbols, size_t *count)
{
	const char *names;
	size_t names_bytes;

	*count = 0;
	if (!find_symbols(file, SHT_SYMTAB, symbols, count, &names, &names_bytes) &&
	    !find_symbols(file, SHT_DYNSYM, symbols, count, &names, &names_bytes))
		return 0;
	return copy_names(file, names, names_bytes);
}

int elf_file_functions(struct elf_file *file,
		       int (*visit)(const struct elf_symbol *symbol, void *arg), void *arg)
{
	const unsigned char *symbols;
	size_t count;
	int code = symbols_of(file, &symbols, &count);

	for (size_t i = 0; i < count && !code; i++) {
		struct elf_symbol symbol;
		Elf64_Sym raw;

		memcpy(&raw, symbols + i * sizeof(raw), sizeof(raw));
		if (read_symbol(file, &raw, &symbol))
			code = visit(&symbol, arg);
	}
	return code;
}

int elf_file_data(struct elf_file *file, uint64_t address, const char **name, uint64_t *into)
{
	const unsigned char *symbols;
	size_t count;
	int code = symbols_of(file, &symbols, &count);

	if (code)
		return code;
	for (size_t i = 0; i < count; i++) {
		const char *found;
		Elf64_Sym raw;

		memcpy(&raw, symbols + i * sizeof(raw), sizeof(raw));
		if (ELF64_ST_TYPE(raw.st_info) != STT_OBJECT || raw.st_shndx == SHN_UNDEF ||
		    raw.st_name >= file->names_bytes || address < raw.st_value ||
		    address - raw.st_value >= raw.st_size)
			continue;
		found = symbol_name(file, &raw);
		if (!found)
			continue;
		*name = found;
		*into = address - raw.st_value;
		return 0;
	}
	return -ENOENT;
}
