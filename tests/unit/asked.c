/* SPDX-License-Identifier: BSD-2-Clause */
#include "asked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "process.h"

void ask_about(struct asked *asked, pid_t pid, const struct proc_maps *maps)
{
	if (!asked->symbolizer)
		assert_int_equal(symbolizer_new(&asked->symbolizer), 0);
	address_space_done(&asked->space);
	assert_int_equal(address_space_init(&asked->space, symbolizer_modules(asked->symbolizer),
					    pid, maps),
			 0);
}

void ask_about_self(struct asked *asked)
{
	assert_int_equal(process_read_maps(getpid(), &asked->own_maps, NULL), 0);
	ask_about(asked, getpid(), &asked->own_maps);
}

void asked_done(struct asked *asked)
{
	address_space_done(&asked->space);
	symbolizer_free(asked->symbolizer);
	proc_maps_done(&asked->own_maps);
	*asked = (struct asked){0};
}

struct symbol_frame asked_resolve(struct asked *asked, uint64_t address)
{
	struct symbol_frames frames;

	symbolizer_resolve(asked->symbolizer, &asked->space, address, false, &frames);
	return frames.frames[frames.size - 1];
}
