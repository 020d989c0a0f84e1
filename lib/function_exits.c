/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns the search for exits: through the function's bodies, and the cold parts that they jump to. A
 * probe within what is no instruction would damage the program, so all of the code must be
 * understood, and all jumps within it must lead to instructions.
 */
#include "function_exits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "function_code.h"
#include "function_entry.h"
#include "function_names.h"

#define INSTRUCTION_BYTES_MAX 15
#define PIECES_MAX 4096

/* A body, or a cold part. */
struct piece {
	struct function_code code;
	uint64_t offset; /* in the file */
	size_t entry;	 /* whose it is */
};

struct search {
	const struct object *object;
	const struct function_symbols *symbols;
	const struct function_frames *frames;
	struct function *function;
	struct piece *pieces;
	size_t piece_count;
	const char *refused;
};

static const char no_code[] = "its code cannot be decoded";
static const char has_no_size[] = "its symbol has no size, so its returns cannot be found";
static const char has_no_parts[] =
	"a part of its code has no symbol, so its returns cannot be found; install its debug symbols";
static const char is_computed[] =
	"it leaves through a computed jump, so its returns cannot be found";
static const char is_jumped_to[] =
	"it jumps to its own first instruction, which cannot be told from a call";
static const char is_empty[] = "it is a single instruction, in which no time passes";
static const char has_unprobed[] = "the kernel does not probe an instruction that it is left by";
static const char has_bad_exit[] = "it is left by a jump that cannot be followed";

/* 0, or 1: `refused` is set, and the search is over. */
static int refuse(struct search *search, const char *why)
{
	search->refused = why;
	return 1;
}

/* ---- pieces ---- */

static int add_piece(struct search *search, uint64_t address, uint64_t size_bytes, size_t entry)
{
	struct piece piece = {.entry = entry};
	struct piece *grown;
	const void *bytes;
	int result;

	if (!size_bytes)
		return refuse(search, has_no_size);
	if (size_bytes > FUNCTION_CODE_MAX || search->piece_count >= PIECES_MAX ||
	    elf_file_offset(search->object->elf, address, PF_X, &piece.offset))
		return refuse(search, no_code);
	bytes = elf_file_bytes(search->object->elf, piece.offset, size_bytes);
	if (!bytes)
		return refuse(search, no_code);
	result = function_code_decode(bytes, (uint32_t)size_bytes, address, &piece.code);
	if (result == -ENOMEM)
		return result;
	if (result)
		return refuse(search, no_code);
	grown = reallocarray(search->pieces, search->piece_count + 1, sizeof(*grown));
	if (!grown) {
		function_code_done(&piece.code);
		return -ENOMEM;
	}
	search->pieces = grown;
	grown[search->piece_count++] = piece;
	return 0;
}

static const struct piece *piece_at(const struct search *search, uint64_t address)
{
	for (size_t i = 0; i < search->piece_count; i++)
		if (address - search->pieces[i].code.address < search->pieces[i].code.size_bytes)
			return &search->pieces[i];
	return NULL;
}

/* ---- where a jump leads ---- */

/* Is `address` in a table of calls to other objects? */
static bool is_linkage(const struct search *search, uint64_t address)
{
	static const char *const sections[] = {".plt", ".plt.sec", ".plt.got"};

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		uint64_t start;
		size_t size_bytes;

		if (elf_file_section(search->object->elf, sections[i], &size_bytes, &start) &&
		    address - start < size_bytes)
			return true;
	}
	return false;
}

/* Where the jump leads to the probe at the function's entry: a call of itself that has become a
 * jump, or a loop? The stack tells where the entry pushes. */
enum own_beginning { NOT_THERE, IS_CALL, IS_DOUBTFUL };

static enum own_beginning own_beginning(const struct search *search, const struct piece *from,
					uint64_t target)
{
	const struct function_entry *entry = &search->function->entries[from->entry];
	const unsigned char *code;
	uint64_t offset;

	if (elf_file_offset(search->object->elf, target, PF_X, &offset) ||
	    (target != entry->address && offset != entry->offset))
		return NOT_THERE;
	code = elf_file_bytes(search->object->elf, entry->offset, 2);
	return code && function_entry_is_push(code, 2) ? IS_CALL : IS_DOUBTFUL;
}

/* The part of the function that has been split off, and that a jump goes to. False: it is another
 * function. Compilers rarely leave a function by a conditional jump, but often go to a part by one.
 */
static bool find_part(const struct search *search, const struct function_instruction *jump,
		      uint64_t *address, uint64_t *size_bytes)
{
	const struct function_symbol *symbol = function_symbols_find(search->symbols, jump->target);
	const struct function_frame *frame = function_frames_find(search->frames, jump->target);
	enum function_piece piece;

	if (symbol) {
		function_name_base(symbol->name, &piece);
		*address = symbol->address;
		*size_bytes = symbol->size_bytes;
		return piece == FUNCTION_COLD;
	}
	if (is_linkage(search, jump->target))
		return false;
	*address = jump->target;
	*size_bytes = 0;
	if (!frame || function_symbols_any(search->symbols, frame->address, frame->size_bytes))
		return jump->step == STEP_BRANCH;
	*address = frame->address;
	*size_bytes = frame->size_bytes;
	return jump->step == STEP_BRANCH || frame->begins_inside;
}

/* 0: the jump stays within the function, 1: it leaves it; or refused, as 1, or -ENOMEM. A part that
 * is met here is added. */
static int leaves(struct search *search, size_t from, const struct function_instruction *jump)
{
	const struct piece *own = piece_at(search, jump->target);
	uint64_t size_bytes;
	uint64_t address;
	int result;

	switch (own_beginning(search, &search->pieces[from], jump->target)) {
	case IS_DOUBTFUL:
		return refuse(search, is_jumped_to);
	case IS_CALL:
		return 1;
	default:
		break;
	}
	if (!own) {
		if (!find_part(search, jump, &address, &size_bytes))
			return 1;
		if (!size_bytes)
			return refuse(search, has_no_parts);
		result = add_piece(search, address, size_bytes, search->pieces[from].entry);
		if (result)
			return result;
		own = &search->pieces[search->piece_count - 1];
	}
	return function_code_has(&own->code, jump->target) ? 0 : refuse(search, no_code);
}

/* Is this address code of the function? Absolute tables stand in the files of fixed programs alone.
 */
static int table_leaves(struct search *search, uint64_t table)
{
	const void *bytes;
	uint64_t address;
	uint64_t offset;

	if (elf_file_offset(search->object->elf, table, 0, &offset))
		return refuse(search, is_computed);
	bytes = elf_file_bytes(search->object->elf, offset, sizeof(address));
	if (!bytes)
		return refuse(search, is_computed);
	memcpy(&address, bytes, sizeof(address));
	if (piece_at(search, address))
		return 0;
	return function_symbols_find(search->symbols, address) ? 1 : refuse(search, is_computed);
}

/* ---- exits ---- */

/* Where the first instruction behind an endbr64 is an exit, the entry has to be the endbr64. */
static bool step_back(const struct search *search, struct function_entry *entry)
{
	uint64_t offset;

	if (elf_file_offset(search->object->elf, entry->address, PF_X, &offset) ||
	    offset == entry->offset)
		return false;
	entry->offset = offset;
	entry->cost = PROBEKIT_COST_STEPPED;
	return true;
}

static int add_exit(struct search *search, const struct piece *piece, size_t i)
{
	struct function_entry *entry = &search->function->entries[piece->entry];
	const struct function_instruction *instruction = &piece->code.instructions[i];
	uint32_t start = piece->code.starts[i];
	size_t left = piece->code.size_bytes - start;
	struct function_exit *grown;

	if (instruction->step == STEP_BRANCH && !instruction->condition)
		return refuse(search, has_bad_exit);
	if (!function_entry_is_probed(piece->code.bytes + start,
				      left < INSTRUCTION_BYTES_MAX ? left : INSTRUCTION_BYTES_MAX))
		return refuse(search, has_unprobed);
	if (piece->offset + start == entry->offset && !step_back(search, entry))
		return refuse(search, is_empty);
	grown = reallocarray(entry->exits, entry->exit_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	entry->exits = grown;
	grown[entry->exit_count++] = (struct function_exit){
		.offset = piece->offset + start,
		.condition = instruction->step == STEP_BRANCH ? instruction->condition : 0,
	};
	return 0;
}

/* As leaves(), of any instruction. */
static int is_exit(struct search *search, size_t piece, size_t i)
{
	const struct function_instruction instruction = search->pieces[piece].code.instructions[i];

	switch (instruction.step) {
	case STEP_JUMP:
	case STEP_BRANCH:
		return leaves(search, piece, &instruction);
	case STEP_TABLE:
		return table_leaves(search, instruction.target);
	case STEP_SOMEWHERE:
		return refuse(search, is_computed);
	case STEP_RETURN:
	case STEP_LEAVE:
		return 1;
	default:
		return 0;
	}
}

static int search_piece(struct search *search, size_t piece)
{
	for (size_t i = 0; i < search->pieces[piece].code.count; i++) {
		int result = is_exit(search, piece, i);

		if (result == 1 && !search->refused)
			result = add_exit(search, &search->pieces[piece], i);
		if (result < 0 || search->refused)
			return result;
	}
	return 0;
}

static int search_all(struct search *search)
{
	struct function *function = search->function;
	int result = 0;

	for (size_t i = 0; i < function->entry_count && !result; i++)
		result = add_piece(search, function->entries[i].address,
				   function->entries[i].size_bytes, i);
	for (size_t i = 0; i < search->piece_count && !result && !search->refused; i++)
		result = search_piece(search, i);
	return result < 0 ? result : 0;
}

static void forget_pieces(struct search *search)
{
	for (size_t i = 0; i < search->piece_count; i++)
		function_code_done(&search->pieces[i].code);
	free(search->pieces);
}

int function_exits_check_entry(const struct object *object, struct function *function)
{
	struct search search = {.object = object, .function = function};
	int result = 0;

	for (size_t i = 0; i < function->entry_count && result >= 0; i++)
		result = add_piece(&search, function->entries[i].address,
				   function->entries[i].size_bytes, i);
	search.refused = NULL; /* what cannot be decoded does no harm here */
	for (size_t p = 0; p < search.piece_count && !search.refused; p++) {
		const struct piece *piece = &search.pieces[p];

		for (size_t i = 0; i < piece->code.count; i++) {
			const struct function_instruction *at = &piece->code.instructions[i];

			if ((at->step == STEP_JUMP || at->step == STEP_BRANCH) &&
			    own_beginning(&search, piece, at->target) == IS_DOUBTFUL)
				search.refused = is_jumped_to;
		}
	}
	forget_pieces(&search);
	if (result >= 0 && search.refused) {
		function->refused = strdup(search.refused);
		return function->refused ? 0 : -ENOMEM;
	}
	return result < 0 ? result : 0;
}

int function_exits_find(const struct object *object, const struct function_symbols *symbols,
			const struct function_frames *frames, struct function *function)
{
	struct search search = {
		.object = object, .symbols = symbols, .frames = frames, .function = function};
	int result = search_all(&search);

	forget_pieces(&search);
	if (!result && search.refused) {
		function->refused = strdup(search.refused);
		result = function->refused ? 0 : -ENOMEM;
	}
	if (!result && !function->refused)
		return 0;
	for (size_t i = 0; i < function->entry_count; i++) {
		free(function->entries[i].exits);
		function->entries[i].exits = NULL;
		function->entries[i].exit_count = 0;
	}
	return result;
}
