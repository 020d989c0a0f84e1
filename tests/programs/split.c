/* SPDX-License-Identifier: BSD-2-Clause */
/* A function that calls itself, and at each level a part of it that the compiler has split off. */
#include "program.h"

void deep(unsigned int levels);

#if defined(__x86_64__)
__asm__(".pushsection .text\n"
	".globl deep\n"
	".type deep, @function\n"
	"deep: push %rbx\n"
	"mov %edi, %ebx\n"
	"sub $1, %edi\n"
	"jbe 1f\n"
	"call deep\n"
	"1: call deep.part.0\n"
	"pop %rbx\n"
	"ret\n"
	".size deep, . - deep\n"
	".type deep.part.0, @function\n"
	"deep.part.0: push %rbx\n"
	"pop %rbx\n"
	"ret\n"
	".size deep.part.0, . - deep.part.0\n"
	".popsection\n");
#else
void deep(unsigned int levels)
{
	if (levels > 1)
		deep(levels - 1);
	touch();
}
#endif

static void recurse(unsigned long count)
{
	deep((unsigned int)count);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {{"recurse", recurse}, {NULL, NULL}};

	return program_main(argc, argv, modes, NULL);
}
