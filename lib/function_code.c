/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the decoding of code. */
#include "function_code.h"

#include <errno.h>
#include <stdlib.h>

void function_code_done(struct function_code *code)
{
	free(code->starts);
	free(code->instructions);
	*code = (struct function_code){0};
}

/* Of the first instruction that begins at `address` or behind it. */
static size_t index_of(const struct function_code *code, uint64_t address)
{
	size_t low = 0;
	size_t high = code->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (code->starts[middle] < address - code->address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool function_code_has(const struct function_code *code, uint64_t address)
{
	size_t i = index_of(code, address);

	return i < code->count && code->starts[i] == address - code->address;
}

#if defined(__x86_64__)

#include <Zydis/Zydis.h>

#define LOOK_BACK 32 /* instructions, for the one that sets the register of a jump */
#define NO_REGISTER 0xff
#define RSP 4
#define RDI 7

/* ---- jumps through registers and memory ---- */

struct operand {
	bool is_memory;
	bool has_index;
	uint8_t reg;	/* if not memory */
	uint64_t table; /* of memory with an index and no base; else 0 */
};

/* The r/m operand of an instruction that has one. */
static struct operand rm_operand(const ZydisDecodedInstruction *insn)
{
	const ZydisDecodedInstructionRaw *raw = &insn->raw;
	struct operand operand = {.reg = NO_REGISTER};

	if (raw->modrm.mod == 3) {
		operand.reg = (uint8_t)(raw->modrm.rm | raw->rex.B << 3);
		return operand;
	}
	operand.is_memory = true;
	if (raw->modrm.rm != 4)
		return operand;
	operand.has_index = (raw->sib.index | raw->rex.X << 3) != 4;
	if (raw->modrm.mod == 0 && raw->sib.base == 5)
		operand.table = (uint64_t)raw->disp.value;
	return operand;
}

static bool decode_at(const ZydisDecoder *decoder, const struct function_code *code, size_t i,
		      ZydisDecodedInstruction *insn, ZydisDecodedOperand operands[],
		      uint8_t *operand_count)
{
	ZydisDecoderContext context;
	uint32_t at = code->starts[i];

	if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(decoder, &context, code->bytes + at,
							code->size_bytes - at, insn)))
		return false;
	*operand_count = insn->operand_count;
	return ZYAN_SUCCESS(
		ZydisDecoderDecodeOperands(decoder, &context, insn, operands, insn->operand_count));
}

static bool writes(const ZydisDecodedOperand *operands, uint8_t count, uint8_t reg)
{
	ZydisRegister wanted = (ZydisRegister)(ZYDIS_REGISTER_RAX + reg);

	for (uint8_t i = 0; i < count; i++)
		if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    (operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
						     operands[i].reg.value) == wanted)
			return true;
	return false;
}

/* What the instruction that sets the register of a jump makes of it. *reg is another one where that
 * is only copied. */
static enum function_step meaning(const ZydisDecodedInstruction *insn, uint8_t *reg,
				  uint64_t *table)
{
	struct operand source = rm_operand(insn);

	/* the table's address plus an offset from it */
	if (insn->mnemonic == ZYDIS_MNEMONIC_ADD && insn->operand_width == 64)
		return STEP_SWITCH;
	if (insn->mnemonic != ZYDIS_MNEMONIC_MOV || insn->operand_width != 64)
		return STEP_SOMEWHERE;
	if (insn->opcode == 0x89 && insn->raw.modrm.mod == 3) {
		*reg = (uint8_t)(insn->raw.modrm.reg | insn->raw.rex.R << 3);
		return STEP_ON;
	}
	if (insn->opcode != 0x8b)
		return STEP_SOMEWHERE;
	if (!source.is_memory) {
		*reg = source.reg;
		return STEP_ON;
	}
	*table = source.table;
	if (source.has_index)
		return source.table ? STEP_TABLE : STEP_SOMEWHERE;
	return STEP_LEAVE;
}

/* Compilers give the frame up only to leave. */
static bool gives_frame_up(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
			   uint8_t count)
{
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_POP:
	case ZYDIS_MNEMONIC_LEAVE:
		return true;
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_LEA:
	case ZYDIS_MNEMONIC_MOV:
		return writes(operands, count, RSP);
	default:
		return false;
	}
}

static bool is_overwritten_by_calls(uint8_t reg)
{
	/* all but rbx, rsp, rbp, r12 to r15 */
	return reg != 3 && reg != RSP && reg != 5 && reg < 12;
}

/* A jump to what register `reg` holds, or, where that is NO_REGISTER, to what cannot be told
 * without what comes before. */
static enum function_step look_back(const ZydisDecoder *decoder, const struct function_code *code,
				    uint8_t reg, uint64_t *table)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	enum function_step found = STEP_ON;
	uint8_t operand_count;

	for (size_t back = 1; back <= LOOK_BACK; back++) {
		enum function_step step;

		if (back > code->count) /* at the begin: it was passed */
			return found == STEP_ON && reg != NO_REGISTER ? STEP_LEAVE : STEP_SOMEWHERE;
		step = code->instructions[code->count - back].step;
		if ((step != STEP_ON && step != STEP_BRANCH) ||
		    !decode_at(decoder, code, code->count - back, &insn, operands, &operand_count))
			break;
		if (gives_frame_up(&insn, operands, operand_count))
			return STEP_LEAVE;
		if (insn.meta.category == ZYDIS_CATEGORY_CALL && is_overwritten_by_calls(reg))
			break;
		if (found != STEP_ON || reg == NO_REGISTER || !writes(operands, operand_count, reg))
			continue;
		found = meaning(&insn, &reg, table);
		if (found != STEP_ON && found != STEP_SOMEWHERE)
			return found;
	}
	return STEP_SOMEWHERE;
}

static enum function_step through(const ZydisDecoder *decoder, const struct function_code *code,
				  const ZydisDecodedInstruction *insn, uint64_t *table)
{
	struct operand operand = rm_operand(insn);

	/* compilers mark those that need no endbr64 at their target */
	if (insn->attributes & ZYDIS_ATTRIB_HAS_NOTRACK)
		return STEP_SWITCH;
	*table = operand.table;
	if (!operand.is_memory || (operand.has_index && !operand.table))
		return look_back(decoder, code, operand.reg, table);
	return operand.has_index ? STEP_TABLE : STEP_LEAVE;
}

/* ---- one instruction ---- */

static uint8_t condition_of(const ZydisDecodedInstruction *insn)
{
	bool is_short =
		insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (insn->opcode & 0xf0) == 0x70;
	bool is_near = insn->opcode_map == ZYDIS_OPCODE_MAP_0F && (insn->opcode & 0xf0) == 0x80;

	return is_short || is_near ? (uint8_t)(16 + (insn->opcode & 15)) : 0;
}

static struct function_instruction follow(const ZydisDecoder *decoder,
					  const struct function_code *code, uint32_t at,
					  const ZydisDecodedInstruction *insn)
{
	struct function_instruction result = {
		.step = STEP_ON,
		.is_padding = insn->mnemonic == ZYDIS_MNEMONIC_NOP ||
			      insn->mnemonic == ZYDIS_MNEMONIC_INT3,
	};
	bool is_relative = insn->raw.imm[0].is_relative;

	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_RET:
		result.step = STEP_RETURN;
		break;
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_COND_BR:
		if (!is_relative) {
			result.step = through(decoder, code, insn, &result.target);
			break;
		}
		result.step =
			insn->meta.category == ZYDIS_CATEGORY_UNCOND_BR ? STEP_JUMP : STEP_BRANCH;
		result.condition = condition_of(insn);
		result.target =
			code->address + at + insn->length + (uint64_t)insn->raw.imm[0].value.s;
		break;
	default:
		break;
	}
	return result;
}

static int grow(struct function_code *code, size_t *capacity)
{
	size_t wanted = *capacity ? *capacity * 2 : 64;
	uint32_t *starts = reallocarray(code->starts, wanted, sizeof(*starts));
	struct function_instruction *instructions;

	if (starts)
		code->starts = starts;
	instructions = reallocarray(code->instructions, wanted, sizeof(*instructions));
	if (instructions)
		code->instructions = instructions;
	if (!starts || !instructions)
		return -ENOMEM;
	*capacity = wanted;
	return 0;
}

static int decode_all(const ZydisDecoder *decoder, struct function_code *code)
{
	size_t capacity = 0;

	for (uint32_t at = 0; at < code->size_bytes;) {
		ZydisDecoderContext context;
		ZydisDecodedInstruction insn;

		if (code->count == capacity && grow(code, &capacity))
			return -ENOMEM;
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(decoder, &context, code->bytes + at,
								code->size_bytes - at, &insn)))
			return -EILSEQ;
		code->instructions[code->count] = follow(decoder, code, at, &insn);
		code->starts[code->count++] = at;
		at += insn.length;
	}
	return 0;
}

/* ---- what can only be told from the whole ---- */

/* Is there code that no instruction leads to? */
static bool has_orphans(const struct function_code *code, const bool *is_target)
{
	bool is_reached = true;

	for (size_t i = 0; i < code->count; i++) {
		const struct function_instruction *at = &code->instructions[i];

		is_reached |= is_target[i];
		if (!is_reached && !at->is_padding)
			return true;
		if (at->step != STEP_ON && at->step != STEP_BRANCH)
			is_reached = false;
	}
	return false;
}

/* A jump that could lead to anywhere leads out, if all code is reached without it. */
static int settle(struct function_code *code)
{
	bool *is_target;
	bool leaves;

	is_target = calloc(code->count, sizeof(*is_target));
	if (!is_target)
		return -ENOMEM;
	for (size_t i = 0; i < code->count; i++) {
		const struct function_instruction *at = &code->instructions[i];

		if ((at->step == STEP_JUMP || at->step == STEP_BRANCH) &&
		    function_code_has(code, at->target))
			is_target[index_of(code, at->target)] = true;
	}
	leaves = !has_orphans(code, is_target);
	for (size_t i = 0; i < code->count && leaves; i++)
		if (code->instructions[i].step == STEP_SOMEWHERE)
			code->instructions[i].step = STEP_LEAVE;
	free(is_target);
	return 0;
}

static bool needs_settling(const struct function_code *code)
{
	for (size_t i = 0; i < code->count; i++)
		if (code->instructions[i].step == STEP_SOMEWHERE)
			return true;
	return false;
}

bool function_code_keeps_argument(const struct function_code *code, size_t i)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;
	uint8_t count;

	if (!ZYAN_SUCCESS(
		    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
	    !decode_at(&decoder, code, i, &insn, operands, &count) ||
	    insn.meta.category == ZYDIS_CATEGORY_CALL ||
	    insn.meta.category == ZYDIS_CATEGORY_SYSCALL)
		return false;
	return !writes(operands, count, RDI) && !writes(operands, count, RSP);
}

int function_code_decode(const void *bytes, uint32_t size_bytes, uint64_t address,
			 struct function_code *out)
{
	struct function_code code = {.bytes = bytes, .address = address, .size_bytes = size_bytes};
	ZydisDecoder decoder;
	int result = -ENOTSUP;

	if (ZYAN_SUCCESS(
		    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		result = decode_all(&decoder, &code);
	if (!result && needs_settling(&code))
		result = settle(&code);
	if (result)
		function_code_done(&code);
	else
		*out = code;
	return result;
}

#else

int function_code_decode(const void *bytes, uint32_t size_bytes, uint64_t address,
			 struct function_code *code)
{
	(void)bytes, (void)size_bytes, (void)address, (void)code;
	return -ENOTSUP;
}

bool function_code_keeps_argument(const struct function_code *code, size_t i)
{
	(void)code, (void)i;
	return false;
}

#endif
